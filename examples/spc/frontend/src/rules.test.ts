import { expect, it } from "vitest";
import { ruleNames, ruleText } from "./rules";

it("rules are named in short", () => {
  expect(ruleNames(["WE1", "WE2", "WE4"])).toBe("WE1 2 4");
  expect(ruleNames(["WE3"])).toBe("WE3");
  expect(ruleNames(["WE1", "Nelson 3"])).toBe("WE1 Nelson 3");
});

it("a rule that the page doesn't know keeps its name", () => {
  expect(ruleText("WE4")).toBe("8 points in a row on one side of the center");
  expect(ruleText("Nelson 3")).toBe("rule Nelson 3");
});
