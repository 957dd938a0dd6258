import { describe, expect, it } from "vitest";
import { chartModel, labelled } from "./chartModel";
import { range, xbar } from "./testing/samples";

const now = new Date("2026-03-05T12:00:00Z");

describe("a chart", () => {
  it("has its points in their order, those with rules out of control", () => {
    const { points } = chartModel(xbar, "mm", now);
    expect(points.map(({ index, value, outOfControl }) => [index, value, outOfControl])).toEqual([
      [0, 10.004, false],
      [1, 9.991, false],
      [2, 10.083, true],
    ]);
  });

  it("tells the seconds of points that follow each other fast", () => {
    const every = (seconds: number) => ({
      ...xbar,
      points: [0, 1, 2].map((n) => ({ at: new Date(Date.UTC(2026, 2, 2, 8, 0, n * seconds)).toISOString(), value: 10, rules: [] })),
    });
    expect(chartModel(every(5), "mm", now).points[1]?.time).toMatch(/^\d\d:00:05$/);
    expect(chartModel(every(300), "mm", now).points[1]?.time).toMatch(/^\d\d:05$/);
  });

  it("has its center and limits, written with the decimals that tell them apart", () => {
    const { center, limits } = chartModel(xbar, "mm", now);
    expect(center).toEqual({ label: "Center", value: 10, text: "Center 10.000" });
    expect(limits.map((limit) => limit.text)).toEqual(["Upper 10.060", "Lower 9.940"]);
  });

  it("names the points out of control", () => {
    expect(chartModel(xbar, "mm", now).outOfControl.map((point) => point.rules)).toEqual([["WE1", "WE2"]]);
  });

  it("has its zones where they are inside of the limits", () => {
    expect(chartModel(xbar, "mm", now).zones.map((zone) => zone.toFixed(2))).toEqual(["9.96", "9.98", "10.02", "10.04"]);
    expect(chartModel({ ...range, sigma: 0.06 }, "mm", now).zones.map((zone) => zone.toFixed(2))).toEqual(["0.04", "0.16"]);
  });

  it("is told in a sentence", () => {
    expect(chartModel(xbar, "mm", now).summary).toMatch(/^X-bar: 3 points, 1 out of control; the last one 10\.083 mm, 2 Mar/);
    expect(chartModel(range, "mm", now).summary).toMatch(/^R: 3 points, all in control;/);
    expect(chartModel({ ...xbar, points: [] }, "mm", now).summary).toBe("X-bar: no points yet.");
  });
});

it("rules are written beside points that have room for it, from left to right", () => {
  const points = [0, 4, 8, 12, 16, 20].map((x) => ({ x, outOfControl: x !== 4 }));
  expect([...labelled(points, 10)]).toEqual([0, 3]);
  expect([...labelled(points, 4)]).toEqual([0, 2, 3, 4, 5]);
  expect([...labelled([], 4)]).toEqual([]);
});
