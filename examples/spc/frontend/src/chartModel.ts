/** From the API's chart to what is drawn. */
import type { Chart, Point } from "./api";
import { decimalsFor, formatNumber, formatTime, formatTimeWithSeconds, formatWhen, plural } from "./format";

export interface PlotPoint extends Point {
  /** Place on the horizontal axis: points stand side by side, however far apart in time. */
  index: number;
  /** When it was measured, as short as the times around it allow. */
  time: string;
  outOfControl: boolean;
}

export interface Line {
  label: string;
  value: number;
  text: string;
}

export interface ChartModel {
  points: PlotPoint[];
  center: Line;
  limits: Line[];
  /** One and two sigma on both sides of the center, where the rules look; none outside the limits. */
  zones: number[];
  decimals: number;
  outOfControl: PlotPoint[];
  /** The chart in a sentence, for those who don't see it. */
  summary: string;
}

export function chartModel(chart: Chart, unit: string, now: Date): ChartModel {
  const decimals = decimalsFor(chart.upper - chart.lower);
  const line = (label: string, value: number) => ({ label, value, text: `${label} ${formatNumber(value, decimals)}` });
  const time = timeFormat(chart.points);
  const points = chart.points.map((point, index) => ({ ...point, index, time: time(point.at), outOfControl: point.rules.length > 0 }));
  return {
    points,
    center: line("Center", chart.center),
    limits: [line("Upper", chart.upper), line("Lower", chart.lower)],
    zones: [-2, -1, 1, 2].map((n) => chart.center + n * chart.sigma).filter((value) => value > chart.lower && value < chart.upper),
    decimals,
    outOfControl: points.filter((point) => point.outOfControl),
    summary: summary(chart.name, points, unit, decimals, now),
  };
}

/** With seconds where the points follow each other faster than a minute. */
function timeFormat(points: Point[]): (iso: string) => string {
  const [first, last] = [points[0], points.at(-1)];
  if (!first || !last) return formatTime;
  return Date.parse(last.at) - Date.parse(first.at) < points.length * 60_000 ? formatTimeWithSeconds : formatTime;
}

/** Which points get their rules written beside them: those out of control, as far as the words don't cover each other. */
export function labelled(points: { x: number; outOfControl: boolean }[], room: number): Set<number> {
  const chosen = new Set<number>();
  let last = Number.NEGATIVE_INFINITY;
  for (const [index, { x, outOfControl }] of points.entries()) {
    if (!outOfControl || x - last < room) continue;
    chosen.add(index);
    last = x;
  }
  return chosen;
}

function summary(name: string, points: PlotPoint[], unit: string, decimals: number, now: Date): string {
  const last = points.at(-1);
  if (!last) return `${name}: no points yet.`;
  const out = points.filter((point) => point.outOfControl).length;
  const judged = out === 0 ? "all in control" : `${out} out of control`;
  return `${name}: ${plural(points.length, "point")}, ${judged}; the last one ${formatNumber(last.value, decimals)} ${unit}, ${formatWhen(last.at, now)}.`;
}
