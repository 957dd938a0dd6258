/** Numbers and times as the page shows them, and numbers as people type them. */

const TIME = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const TIME_WITH_SECONDS = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY_AND_TIME = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** Decimals with which differences inside a span of this size can be told apart: three digits of it. */
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

/** A time of today alone, of another day with the day. */
export function formatWhen(iso: string, now: Date): string {
  const date = new Date(iso);
  return date.toDateString() === now.toDateString() ? TIME_WITH_SECONDS.format(date) : DAY_AND_TIME.format(date);
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** The number that was typed, with a point or a comma; undefined if it is none. */
export function parseNumber(typed: string): number | undefined {
  const text = typed.trim();
  if (!/^[+-]?(\d+([.,]\d*)?|[.,]\d+)$/.test(text)) return undefined;
  return Number(text.replace(",", "."));
}
