/** The page's list of signals: one entry for each point, with all rules that it broke. */
import type { Signal } from "./api";

export interface SignalledPoint extends Pick<Signal, "characteristic" | "chart" | "at" | "value"> {
  rules: string[];
}

/** In the order of the signals: newest first. */
export function byPoint(signals: Signal[]): SignalledPoint[] {
  const points = new Map<string, SignalledPoint>();
  for (const { characteristic, chart, at, value, rule } of signals) {
    const key = `${characteristic} ${chart} ${at}`;
    const point = points.get(key) ?? { characteristic, chart, at, value, rules: [] };
    point.rules.push(rule);
    points.set(key, point);
  }
  for (const point of points.values()) point.rules.sort();
  return [...points.values()];
}
