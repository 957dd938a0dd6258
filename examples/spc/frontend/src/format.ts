/** Formats numbers and times for the page, and parses typed numbers. */

const TIME = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const TIME_WITH_SECONDS = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY_AND_TIME = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** The number of decimals that shows differences within a span of this size: three digits of the span. */
export function decimalsFor(span: number): number {
  if (!Number.isFinite(span) || span <= 0) return 2;
  return Math.min(8, Math.max(0, 2 - Math.floor(Math.log10(span))));
}

export function formatNumber(value: number, decimals: number): string {
  const text = value.toFixed(decimals);
  return Number(text) === 0 ? text.replace("-", "") : text;
}

export const formatTime = (iso: string) => TIME.format(new Date(iso));
export const formatTimeWithSeconds = (iso: string) => TIME_WITH_SECONDS.format(new Date(iso));

/** The time. For another day than today, also the day. */
export function formatWhen(iso: string, now: Date): string {
  const date = new Date(iso);
  return date.toDateString() === now.toDateString() ? TIME_WITH_SECONDS.format(date) : DAY_AND_TIME.format(date);
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** The typed number, with a point or a comma; undefined if it is not a number. */
export function parseNumber(typed: string): number | undefined {
  const text = typed.trim();
  if (!/^[+-]?(\d+([.,]\d*)?|[.,]\d+)$/.test(text)) return undefined;
  return Number(text.replace(",", "."));
}
