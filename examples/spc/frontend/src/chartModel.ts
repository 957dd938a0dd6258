/** Converts a chart of the API to the data that is drawn. */
import type { Chart, Point } from "./api";
import { decimalsFor, formatNumber, formatTime, formatTimeWithSeconds, formatWhen, plural } from "./format";

export interface PlotPoint extends Point {
  /** Position on the horizontal axis. Points have equal distances, whatever their times. */
  index: number;
  /** The time of the measurement, as short as the other times of the chart allow. */
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
  /** The lines of the rules: one and two sigma on both sides of the center, but not outside the limits. */
  zones: number[];
  decimals: number;
  outOfControl: PlotPoint[];
  /** A description of the chart for screen readers. */
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

/** Includes seconds if points are less than a minute apart. */
function timeFormat(points: Point[]): (iso: string) => string {
  const [first, last] = [points[0], points.at(-1)];
  if (!first || !last) return formatTime;
  return Date.parse(last.at) - Date.parse(first.at) < points.length * 60_000 ? formatTimeWithSeconds : formatTime;
}

/** The points whose rules are written beside them: points out of control, unless the texts would overlap. */
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
