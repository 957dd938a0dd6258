import { QueryClientProvider } from "@tanstack/react-query";
import { act, render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { App } from "./App";
import { makeQueryClient } from "./queries";
import { type Answer, backend, page } from "./testing/backend";
import { chartSet, diameter, plan, signal, weight, xbar } from "./testing/samples";
import { fakeSockets } from "./testing/sockets";

let sockets: ReturnType<typeof fakeSockets>;
beforeEach(() => {
  window.history.replaceState(null, "", "/");
  sockets = fakeSockets();
  vi.stubGlobal("WebSocket", function (url: string) {
    return sockets.open(url);
  });
});

/** The page with a backend that gives these answers besides the usual ones. A test can change them while the page is open. */
function show(changes: Record<string, Answer> = {}) {
  const answers: Record<string, Answer> = {
    "/api/characteristics/": page([diameter, weight]),
    "/api/charts/1/": { body: chartSet },
    "/api/signals/": page([signal]),
    "/api/plan/": { body: plan },
    ...changes,
  };
  const fetch = backend(answers);
  render(
    <QueryClientProvider client={makeQueryClient()}>
      <App />
    </QueryClientProvider>,
  );
  const asked = (path: string) => fetch.mock.calls.filter(([called]) => called === path).length;
  return { answers, fetch, asked };
}

const panel = (name: string) => screen.findByRole("region", { name });

describe("the page", () => {
  it("says that it loads, then shows the first characteristic's charts with their limits and rules", async () => {
    show();
    expect(screen.getByText("Loading the characteristics…")).toBeTruthy();
    const charts = await panel("Shaft diameter");
    expect(await within(charts).findByText("X-bar")).toBeTruthy();
    expect(within(charts).getByText("Upper 10.060")).toBeTruthy();
    expect(within(charts).getByText("WE1 2")).toBeTruthy();
    expect(within(charts).getByText("1 point out of control")).toBeTruthy();
    expect(within(charts).getByText(/10\.083 mm, a point beyond 3 sigma; 2 of 3 points beyond 2 sigma/)).toBeTruthy();
    expect(charts.querySelectorAll(".dot")).toHaveLength(5);
    expect(charts.querySelectorAll(".out")).toHaveLength(1);
    expect(within(charts).getByText(/from 15 measurements/)).toBeTruthy();
  });

  it("shows the latest signals and the plan", async () => {
    show();
    const signals = await panel("Latest signals");
    expect(await within(signals).findByText("a point beyond 3 sigma")).toBeTruthy();
    const planned = await panel("Sampling plan");
    expect(await within(planned).findByText("1 of them late")).toBeTruthy();
    expect(within(planned).getByText("100 %")).toBeTruthy();
  });

  it("says where there is nothing yet", async () => {
    show({ "/api/charts/1/": { status: 404, body: { detail: "Not found." } }, "/api/signals/": page([]), "/api/plan/": { status: 404, body: { detail: "Not found." } } });
    expect(await screen.findByText(/No chart was computed yet/)).toBeTruthy();
    expect(await screen.findByText(/no point has been out of control/)).toBeTruthy();
    expect(await screen.findByText(/No plan was made yet/)).toBeTruthy();
  });

  it("says where to add a characteristic when there is none", async () => {
    show({ "/api/characteristics/": page([]) });
    expect(await screen.findByRole("link", { name: "admin pages" })).toHaveProperty("pathname", "/admin/");
  });

  it("shows the characteristic that the address names, and the one that is chosen", async () => {
    window.history.replaceState(null, "", "/characteristics/2");
    show({ "/api/charts/2/": { body: { ...chartSet, characteristic: 2, charts: [{ ...xbar, name: "Individuals" }] } } });
    expect(await panel("Fill weight")).toBeTruthy();
    await userEvent.click(screen.getByRole("link", { name: /Shaft diameter/ }));
    expect(await panel("Shaft diameter")).toBeTruthy();
    expect(window.location.pathname).toBe("/characteristics/1");
  });

  it("says that an address names no characteristic", async () => {
    window.history.replaceState(null, "", "/characteristics/9");
    show();
    expect(await screen.findByText(/There is no characteristic 9/)).toBeTruthy();
  });

  it("says why it can't load, and tries again when asked", async () => {
    const { answers } = show({ "/api/characteristics/": { status: 403, body: { detail: "Not allowed." } } });
    expect((await screen.findByRole("alert")).textContent).toContain("Could not load the characteristics. Not allowed.");
    answers["/api/characteristics/"] = page([diameter]);
    await userEvent.click(screen.getByRole("button", { name: "Try again" }));
    expect(await panel("Shaft diameter")).toBeTruthy();
  });
});

describe("live", () => {
  it("a chart that was stored is fetched and drawn without a reload", async () => {
    const { answers, asked } = show();
    await screen.findByText("WE1 2");
    await waitFor(() => expect(sockets.made).toHaveLength(1));
    act(() => sockets.last().accept());
    expect(await screen.findByText("Live")).toBeTruthy();
    await waitFor(() => expect(asked("/api/charts/1/")).toBe(2));

    const more = { ...xbar, points: [...xbar.points, { at: "2026-03-02T08:15:00Z", value: 10.07, rules: ["WE3"] }] };
    answers["/api/charts/1/"] = { body: { ...chartSet, charts: [more], measurements: 20 } };
    const plans = asked("/api/plan/");
    act(() => sockets.last().tell({ type: "chart", characteristic: 1 }));
    expect(await screen.findByText("WE3")).toBeTruthy();
    expect(asked("/api/plan/")).toBe(plans);
  });

  it("a lost connection is said, and what was shown stays", async () => {
    show();
    await screen.findByText("WE1 2");
    act(() => sockets.last().accept());
    act(() => sockets.last().close());
    expect(await screen.findByText("Not live, connecting again soon")).toBeTruthy();
    expect(screen.getByText("WE1 2")).toBeTruthy();
  });

  it("old data is called old when fetching it anew fails", async () => {
    const { answers } = show();
    await screen.findByText("WE1 2");
    answers["/api/charts/1/"] = { status: 401, body: { detail: "Log in first." } };
    act(() => sockets.last().accept());
    expect((await screen.findByRole("alert")).textContent).toContain("Log in first. What is shown here is older.");
    expect(screen.getByText("WE1 2")).toBeTruthy();
  });
});

describe("the form", () => {
  async function type(text: string) {
    const form = await panel("Add a measurement");
    if (text) await userEvent.type(within(form).getByRole("textbox"), text);
    await userEvent.click(within(form).getByRole("button"));
    return form;
  }

  it("posts what was typed, says so and is empty again", async () => {
    const { fetch } = show({ "/api/measurements/": { status: 201, body: { id: 5 } } });
    const form = await type("10,02");
    expect(await within(form).findByText(/^10.02 mm taken at/)).toBeTruthy();
    expect(within(form).getByRole("textbox")).toHaveProperty("value", "");
    expect(fetch.mock.calls.find(([path]) => path === "/api/measurements/")?.[1]?.body).toBe('{"characteristic":1,"value":10.02}');
  });

  it("names what is no number, and sends nothing", async () => {
    const { asked } = show();
    const form = await type("ten");
    expect(within(form).getByRole("alert").textContent).toBe('"ten" is not a number; type one such as 10.02.');
    expect(asked("/api/measurements/")).toBe(0);
  });

  it("keeps what was typed when the backend refuses it, and says why", async () => {
    show({ "/api/measurements/": { status: 400, body: { value: ["Ensure this value is less than or equal to 100."] } } });
    const form = await type("1000");
    expect((await within(form).findByRole("alert")).textContent).toBe("The measurement was not taken. value: Ensure this value is less than or equal to 100.");
    expect(within(form).getByRole("textbox")).toHaveProperty("value", "1000");
  });
});
