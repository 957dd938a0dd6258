/** Replaces `fetch` by a backend with fixed answers. */
import { vi } from "vitest";

export type Answer = { status?: number; body: unknown } | "unreachable";

/** Answers by path; other paths give 404. Returns the mock, which records the calls. */
export function backend(answers: Record<string, Answer>) {
  const fetch = vi.fn(async (path: string, _options?: RequestInit) => {
    const answer = answers[path] ?? { status: 404, body: { detail: "Not found." } };
    if (answer === "unreachable") throw new TypeError("Failed to fetch");
    const text = typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body);
    return new Response(text, { status: answer.status ?? 200 });
  });
  vi.stubGlobal("fetch", fetch);
  return fetch;
}

export const page = <T>(results: T[]): Answer => ({ body: { count: results.length, results } });
