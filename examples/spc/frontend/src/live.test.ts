import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { connectLive, liveUrl, parseEvent, reconnectDelay } from "./live";
import { fakeSockets } from "./testing/sockets";

describe("the live connection", () => {
  let disconnect: (() => void) | undefined;
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    disconnect?.();
    disconnect = undefined;
    vi.useRealTimers();
  });

  function connect() {
    const sockets = fakeSockets();
    const seen = { states: [] as string[], events: [] as unknown[], opened: 0 };
    disconnect = connectLive("ws://here/ws/live/", {
      open: sockets.open,
      random: () => 1,
      onOpen: () => (seen.opened += 1),
      onEvent: (event) => seen.events.push(event),
      onState: (state) => seen.states.push(state),
    });
    return { sockets, seen };
  }

  it("hands on what the backend tells, and nothing else", () => {
    const { sockets, seen } = connect();
    sockets.last().accept();
    sockets.last().tell({ type: "chart", characteristic: 3, computed_at: "2026-03-02T08:00:00Z" });
    sockets.last().tell("not JSON");
    sockets.last().tell({ type: "weather" });
    sockets.last().tell({ type: "plan" });
    expect(seen.events).toEqual([{ type: "chart", characteristic: 3 }, { type: "plan" }]);
    expect(seen.states).toEqual(["connecting", "open"]);
  });

  it("connects again after a loss, waiting twice as long each time until it succeeds", () => {
    const { sockets, seen } = connect();
    for (const [attempt, delay] of [1_000, 2_000, 4_000].entries()) {
      sockets.last().close();
      vi.advanceTimersByTime(delay - 1);
      expect(sockets.made).toHaveLength(attempt + 1);
      vi.advanceTimersByTime(1);
      expect(sockets.made).toHaveLength(attempt + 2);
    }
    sockets.last().accept();
    expect(seen.opened).toBe(1);

    sockets.last().close();
    vi.advanceTimersByTime(1_000);
    expect(sockets.made).toHaveLength(5);
    expect(seen.states.slice(-3)).toEqual(["open", "waiting", "connecting"]);
  });

  it("says each time that it is there, as news were missed meanwhile", () => {
    const { sockets, seen } = connect();
    sockets.last().accept();
    sockets.last().close();
    vi.advanceTimersByTime(1_000);
    sockets.last().accept();
    expect(seen.opened).toBe(2);
  });

  it("gives an attempt up that gets no answer", () => {
    const { sockets } = connect();
    vi.advanceTimersByTime(10_000);
    expect(sockets.made[0]?.closed).toBe(true);
    vi.advanceTimersByTime(1_000);
    expect(sockets.made).toHaveLength(2);
  });

  it("keeps a connection that is there, however quiet", () => {
    const { sockets } = connect();
    sockets.last().accept();
    vi.advanceTimersByTime(3_600_000);
    expect(sockets.made).toHaveLength(1);
    expect(sockets.last().closed).toBe(false);
  });

  it("does not wait once the network is back", () => {
    const { sockets } = connect();
    sockets.last().close();
    window.dispatchEvent(new Event("online"));
    expect(sockets.made).toHaveLength(2);
    vi.advanceTimersByTime(5_000);
    expect(sockets.made).toHaveLength(2);
  });

  it("stays closed when the page no longer wants it", () => {
    const { sockets, seen } = connect();
    sockets.last().accept();
    disconnect?.();
    vi.advanceTimersByTime(60_000);
    window.dispatchEvent(new Event("online"));
    expect(sockets.made).toHaveLength(1);
    expect(sockets.last().closed).toBe(true);
    expect(seen.states).toEqual(["connecting", "open"]);
  });
});

describe("the delay before the next attempt", () => {
  it("grows to half a minute, never beyond", () => {
    expect([0, 1, 2, 3, 4, 5, 6, 1000].map((failures) => reconnectDelay(failures, 1))).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  });

  it("differs from browser to browser, by half at most", () => {
    expect(reconnectDelay(2, 0)).toBe(2_000);
    expect(reconnectDelay(2, 0.5)).toBe(3_000);
  });
});

describe("an event", () => {
  it.each([[new Blob()], ["[]"], ["null"], ['"chart"'], ['{"type":"chart"}'], ['{"type":"chart","characteristic":"1"}']])("is none: %s", (data) => {
    expect(parseEvent(data)).toBeUndefined();
  });

  it("of a signal needs no more than its type", () => {
    expect(parseEvent('{"type":"signal","rule":"WE1"}')).toEqual({ type: "signal" });
  });
});

it("the live connection goes where the page came from, encrypted if that was", () => {
  expect(liveUrl({ protocol: "http:", host: "localhost:5173" })).toBe("ws://localhost:5173/ws/live/");
  expect(liveUrl({ protocol: "https:", host: "spc.example" })).toBe("wss://spc.example/ws/live/");
});
