import { readFileSync } from "node:fs";
import { beforeEach, describe, expect, it, vi } from "vitest";

const SOURCE = readFileSync(`${import.meta.dirname}/../public/sw.js`, "utf8");
const ORIGIN = "https://spc.example";

type Listener = (event: { request: Request; waitUntil(work: Promise<unknown>): void; respondWith(answer: Promise<Response>): void }) => void;

/** The service worker in a separate scope, with one cache. */
function serviceWorker(fetch: (request: Request) => Promise<Response>) {
  const kept = new Map<string, Response>();
  const key = (request: Request | string) => (typeof request === "string" ? ORIGIN + request : request.url);
  const cache = {
    add: async (request: Request) => void kept.set(request.url, await fetch(request)),
    put: async (request: Request, response: Response) => void kept.set(request.url, response),
    match: async (request: Request | string) => kept.get(key(request))?.clone(),
    keys: async () => [...kept.keys()].map((url) => new Request(url)),
    delete: async (request: Request) => kept.delete(request.url),
  };
  const caches = { open: async () => cache, match: cache.match, keys: async () => ["spc-1"], delete: vi.fn() };
  const listeners = new Map<string, Listener>();
  const self = {
    location: { origin: ORIGIN },
    clients: { claim: vi.fn() },
    skipWaiting: vi.fn(),
    addEventListener: (type: string, listener: Listener) => listeners.set(type, listener),
  };
  class AtOrigin extends Request {
    constructor(input: string, options?: RequestInit) {
      super(new URL(input, ORIGIN), options);
    }
  }
  new Function("self", "caches", "fetch", "Request", SOURCE)(self, caches, fetch, AtOrigin);
  const send = async (type: string, request = new Request(ORIGIN)) => {
    let answer: Promise<Response> | undefined;
    let work: Promise<unknown> | undefined;
    listeners.get(type)?.({ request, waitUntil: (it) => (work = it), respondWith: (it) => (answer = it) });
    await work;
    return answer && (await answer);
  };
  return { send, kept };
}

function navigation(path: string): Request {
  const request = new Request(ORIGIN + path);
  Object.defineProperty(request, "mode", { value: "navigate" });
  return request;
}

describe("the service worker", () => {
  const server = { up: true, fetch: vi.fn<(request: Request) => Promise<Response>>() };
  beforeEach(() => {
    server.up = true;
    server.fetch.mockReset().mockImplementation(async (request) => {
      if (!server.up) throw new TypeError("Failed to fetch");
      return new Response(`from the server: ${new URL(request.url).pathname}`);
    });
  });

  it("asks the server for pages, and shows its own where there is no answer", async () => {
    const { send } = serviceWorker(server.fetch);
    await send("install");
    expect(await (await send("fetch", navigation("/characteristics/1")))?.text()).toBe("from the server: /characteristics/1");
    server.up = false;
    expect(await (await send("fetch", navigation("/characteristics/1")))?.text()).toBe("from the server: /offline.html");
  });

  it("fetches a file with a hash in its name once", async () => {
    const { send } = serviceWorker(server.fetch);
    await send("fetch", new Request(`${ORIGIN}/assets/index-abc.js`));
    server.up = false;
    expect(await (await send("fetch", new Request(`${ORIGIN}/assets/index-abc.js`)))?.text()).toBe("from the server: /assets/index-abc.js");
    expect(server.fetch).toHaveBeenCalledTimes(1);
  });

  it("keeps no file that the server doesn't have", async () => {
    server.fetch.mockResolvedValue(new Response("", { status: 404 }));
    const { send, kept } = serviceWorker(server.fetch);
    expect((await send("fetch", new Request(`${ORIGIN}/assets/gone-abc.js`)))?.status).toBe(404);
    expect(kept.size).toBe(0);
  });

  it("lets the oldest files go, never the page for when there is no answer", async () => {
    const { send, kept } = serviceWorker(server.fetch);
    await send("install");
    for (let release = 0; release < 50; release += 1) await send("fetch", new Request(`${ORIGIN}/assets/index-${release}.js`));
    expect(kept.size).toBe(41);
    expect(kept.has(`${ORIGIN}/offline.html`)).toBe(true);
    expect(kept.has(`${ORIGIN}/assets/index-49.js`)).toBe(true);
  });

  it.each([
    ["data", new Request(`${ORIGIN}/api/charts/1/`)],
    ["what is sent", new Request(`${ORIGIN}/api/measurements/`, { method: "POST" })],
    ["other servers", new Request("https://elsewhere.example/assets/index.js")],
  ])("stays out of %s", async (_, request) => {
    const { send } = serviceWorker(server.fetch);
    expect(await send("fetch", request)).toBeUndefined();
  });
});
