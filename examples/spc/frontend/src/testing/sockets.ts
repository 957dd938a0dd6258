/** WebSockets that a test opens, sends messages on, and closes. */
import type { Socket } from "../live";

export class FakeSocket implements Socket {
  onopen: Socket["onopen"] = null;
  onmessage: Socket["onmessage"] = null;
  onclose: Socket["onclose"] = null;
  closed = false;
  readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  accept() {
    this.onopen?.call(this as never, new Event("open"));
  }

  tell(event: unknown) {
    this.onmessage?.call(this as never, new MessageEvent("message", { data: typeof event === "string" ? event : JSON.stringify(event) }));
  }

  close() {
    if (this.closed) return;
    this.closed = true;
    this.onclose?.call(this as never, new CloseEvent("close"));
  }
}

/** Returns `open`, which creates a fake `WebSocket`, and the list of those that it created. */
export function fakeSockets() {
  const made: FakeSocket[] = [];
  const open = (url: string) => {
    const socket = new FakeSocket(url);
    made.push(socket);
    return socket;
  };
  const last = () => {
    const socket = made.at(-1);
    if (!socket) throw new Error("no WebSocket was opened");
    return socket;
  };
  return { made, open, last };
}
