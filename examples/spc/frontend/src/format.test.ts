import { describe, expect, it } from "vitest";
import { decimalsFor, formatNumber, formatTimeWithSeconds, formatWhen, parseNumber, plural } from "./format";

describe("decimals", () => {
  it.each([
    [0.12, 3],
    [0.2, 3],
    [1.5, 2],
    [30, 1],
    [250, 0],
    [40_000, 0],
    [1e-12, 8],
    [0, 2],
    [Number.NaN, 2],
  ])("for a span of %d are %d", (span, decimals) => {
    expect(decimalsFor(span)).toBe(decimals);
  });
});

describe("a number", () => {
  it("is shown with all its decimals, and never as minus zero", () => {
    expect(formatNumber(10, 3)).toBe("10.000");
    expect(formatNumber(-0.0001, 2)).toBe("0.00");
    expect(formatNumber(-0.01, 2)).toBe("-0.01");
  });

  it.each([
    ["10.02", 10.02],
    [" 10,02 ", 10.02],
    ["-.5", -0.5],
    ["7.", 7],
    ["+3", 3],
  ])("is understood as typed: %s", (typed, value) => {
    expect(parseNumber(typed)).toBe(value);
  });

  it.each([[""], [" "], ["ten"], ["1,000.5"], ["1e3"], ["0x10"], ["."], ["10 mm"], ["Infinity"]])("is not guessed from %o", (typed) => {
    expect(parseNumber(typed)).toBeUndefined();
  });
});

it("a time of today stands alone, one of another day has its day", () => {
  const at = "2026-03-02T08:10:00Z";
  expect(formatWhen(at, new Date(at))).toBe(formatTimeWithSeconds(at));
  expect(formatWhen(at, new Date("2026-03-05T08:10:00Z"))).toMatch(/^2 Mar/);
});

it("one is no plural", () => {
  expect([0, 1, 2].map((count) => plural(count, "point"))).toEqual(["0 points", "1 point", "2 points"]);
});
