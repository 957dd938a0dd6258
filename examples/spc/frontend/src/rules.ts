/** Descriptions of the Western Electric rules. */

const RULES: Record<string, string> = {
  WE1: "a point beyond 3 sigma",
  WE2: "2 of 3 points beyond 2 sigma, on one side",
  WE3: "4 of 5 points beyond 1 sigma, on one side",
  WE4: "8 points in a row on one side of the center",
};

/** Short names of rules, with the common prefix once: "WE1 2 4". */
export function ruleNames(rules: string[]): string {
  return rules.map((rule, index) => (index > 0 && rule.startsWith("WE") ? rule.slice(2) : rule)).join(" ");
}

/** An unknown rule keeps its name. */
export const ruleText = (rule: string): string => RULES[rule] ?? `rule ${rule}`;
