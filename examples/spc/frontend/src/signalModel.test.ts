import { expect, it } from "vitest";
import { byPoint } from "./signalModel";
import { signal } from "./testing/samples";

it("a point stands once, with all the rules that it broke", () => {
  const points = byPoint([
    { ...signal, id: 9, rule: "WE4" },
    { ...signal, id: 8, rule: "WE1" },
    { ...signal, id: 7, rule: "WE1", chart: "R" },
    { ...signal, id: 6, rule: "WE2", at: "2026-03-02T08:05:00Z" },
    { ...signal, id: 5, rule: "WE3", characteristic: 2 },
  ]);
  expect(points.map((point) => [point.characteristic, point.chart, point.at.slice(11, 16), point.rules])).toEqual([
    [1, "X-bar", "08:10", ["WE1", "WE4"]],
    [1, "R", "08:10", ["WE1"]],
    [1, "X-bar", "08:05", ["WE2"]],
    [2, "X-bar", "08:10", ["WE3"]],
  ]);
});
