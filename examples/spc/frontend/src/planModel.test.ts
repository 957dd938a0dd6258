import { expect, it } from "vitest";
import { hoursOf } from "./planModel";
import { plan } from "./testing/samples";

it("a job counts in the hours that it is in, with the minutes that it is in them", () => {
  expect(hoursOf(plan).map((hour) => [hour.start.toISOString().slice(11, 16), hour.minutes, hour.load])).toEqual([
    ["08:00", 25, 25 / 60],
    ["09:00", 60, 1],
    ["10:00", 20, 20 / 60],
  ]);
});

it("an hour can be asked for more than can be done in it", () => {
  expect(hoursOf({ ...plan, capacity_per_hour: 30 })[1]?.load).toBe(2);
});

it("without capacity there is no load to tell", () => {
  expect(hoursOf({ ...plan, capacity_per_hour: 0 }).map((hour) => hour.load)).toEqual([0, 0, 0]);
});
