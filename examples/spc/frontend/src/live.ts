/** The connection on which the backend reports new data. It is opened again whenever it is lost. */

export type LiveState = "connecting" | "open" | "waiting";

/** The kind of the new data, and for a chart its characteristic. */
export type LiveEvent = { type: "chart"; characteristic: number } | { type: "signal" } | { type: "plan" };

/** The used part of the WebSocket interface. */
export type Socket = Pick<WebSocket, "onopen" | "onmessage" | "onclose" | "close">;

export interface LiveOptions {
  /** Called each time the connection opens. Earlier events are lost, so fetch everything again. */
  onOpen: () => void;
  onEvent: (event: LiveEvent) => void;
  onState: (state: LiveState) => void;
  open?: (url: string) => Socket;
  /** A number from 0 to 1. It spreads the attempts of browsers that lost the same server. */
  random?: () => number;
}

const FIRST_DELAY = 1_000;
const LONGEST_DELAY = 30_000;
/** The time limit of a connection attempt. */
const PATIENCE = 10_000;

/** Milliseconds until the next attempt: a random time between a half and all of a limit that doubles with each failure. */
export function reconnectDelay(failures: number, random: number): number {
  const longest = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** Math.min(failures, 10));
  return longest * (0.5 + random / 2);
}

/** Undefined if this page doesn't know the event. */
export function parseEvent(data: unknown): LiveEvent | undefined {
  if (typeof data !== "string") return undefined;
  let event: unknown;
  try {
    event = JSON.parse(data);
  } catch {
    return undefined;
  }
  if (!event || typeof event !== "object" || !("type" in event)) return undefined;
  if (event.type === "plan" || event.type === "signal") return { type: event.type };
  if (event.type !== "chart" || !("characteristic" in event) || typeof event.characteristic !== "number") return undefined;
  return { type: event.type, characteristic: event.characteristic };
}

/** Connects, and connects again after each loss, until the returned function is called. */
export function connectLive(url: string, options: LiveOptions): () => void {
  const { onOpen, onEvent, onState, open = (address) => new WebSocket(address), random = Math.random } = options;
  let socket: Socket | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;

  function connect() {
    clearTimeout(timer);
    onState("connecting");
    const current = open(url);
    socket = current;
    timer = setTimeout(() => current.close(), PATIENCE);
    current.onopen = () => {
      clearTimeout(timer);
      failures = 0;
      onState("open");
      onOpen();
    };
    current.onmessage = ({ data }) => {
      const event = parseEvent(data);
      if (event) onEvent(event);
    };
    current.onclose = () => {
      if (socket !== current) return;
      socket = undefined;
      clearTimeout(timer);
      onState("waiting");
      timer = setTimeout(connect, reconnectDelay(failures, random()));
      failures += 1;
    };
  }

  // The network is back, so don't wait for the rest of the delay.
  function onOnline() {
    if (!socket) connect();
  }

  window.addEventListener("online", onOnline);
  connect();
  return () => {
    window.removeEventListener("online", onOnline);
    clearTimeout(timer);
    const last = socket;
    socket = undefined;
    last?.close();
  };
}

/** The address of the live connection, on the host of the page. */
export function liveUrl(location: Pick<Location, "protocol" | "host">): string {
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/live/`;
}
