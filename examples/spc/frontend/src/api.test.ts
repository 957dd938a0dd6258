import { describe, expect, it } from "vitest";
import { fetchChart, fetchPlan, fetchSignals, postMeasurement } from "./api";
import { backend } from "./testing/backend";

describe("what can't be fetched is told in words", () => {
  it.each([
    ["the server can't be reached", "unreachable" as const, "The server can't be reached."],
    ["a proxy answers in the backend's place", { status: 502, body: "<html>Bad Gateway</html>" }, "The backend does not answer as it should (HTTP 502)."],
    ["the backend says why", { status: 403, body: { detail: "Not allowed." } }, "Not allowed."],
    ["the answer is no JSON", { status: 200, body: "<html></html>" }, "The answer could not be understood (HTTP 200)."],
  ])("when %s", async (_, answer, message) => {
    backend({ "/api/signals/": answer });
    await expect(fetchSignals()).rejects.toThrow(message);
  });
});

it("a chart and a plan that were not made yet are no failure", async () => {
  backend({});
  expect(await fetchChart(1)).toBeNull();
  expect(await fetchPlan()).toBeNull();
});

describe("a measurement", () => {
  it("is posted as JSON", async () => {
    const fetch = backend({ "/api/measurements/": { status: 201, body: { id: 1 } } });
    await postMeasurement(3, 10.02);
    const options = fetch.mock.calls[0]?.[1];
    expect(options?.method).toBe("POST");
    expect(options?.body).toBe('{"characteristic":3,"value":10.02}');
    expect(options?.headers).toMatchObject({ "Content-Type": "application/json" });
  });

  it("that is refused names the field", async () => {
    backend({ "/api/measurements/": { status: 400, body: { value: ["A valid number is required."], non_field_errors: ["Twice."] } } });
    await expect(postMeasurement(3, 10.02)).rejects.toThrow("value: A valid number is required. Twice.");
  });
});
