/** The connection on which the backend tells that something new was stored; made again whenever it is lost. */

export type LiveState = "connecting" | "open" | "waiting";

/** What was stored; of a chart also whose it is. */
export type LiveEvent = { type: "chart"; characteristic: number } | { type: "signal" } | { type: "plan" };

/** What is used of a WebSocket. */
export type Socket = Pick<WebSocket, "onopen" | "onmessage" | "onclose" | "close">;

export interface LiveOptions {
  /** Called each time the connection is there: what was told before is lost, so fetch everything anew. */
  onOpen: () => void;
  onEvent: (event: LiveEvent) => void;
  onState: (state: LiveState) => void;
  open?: (url: string) => Socket;
  /** From 0 to 1: spreads the browsers that lost the same server. */
  random?: () => number;
}

const FIRST_DELAY = 1_000;
const LONGEST_DELAY = 30_000;
/** A connection attempt without an answer is given up after this. */
const PATIENCE = 10_000;

/** Milliseconds before the attempt after `failures` failed ones: doubled each time, and between half of that and all. */
export function reconnectDelay(failures: number, random: number): number {
  const longest = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** Math.min(failures, 10));
  return longest * (0.5 + random / 2);
}

/** Undefined for what isn't an event that this page knows. */
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

/** Connects, and again after each loss, until the returned function is called. */
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

  // The network is back: no need to wait for what is left of the delay.
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

/** The address of the live connection, on the host that the page came from. */
export function liveUrl(location: Pick<Location, "protocol" | "host">): string {
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/live/`;
}
