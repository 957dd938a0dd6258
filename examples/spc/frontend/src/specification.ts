import type { Characteristic } from "./api";
import { decimalsFor, formatNumber } from "./format";

/** The specification of the product, such as "10.00 mm (9.90 to 10.10)". The limits of the process are in the chart. */
export function specification({ unit, target, lower_limit, upper_limit }: Characteristic): string {
  const show = (value: number) => formatNumber(value, decimalsFor(upper_limit - lower_limit));
  return `${show(target)} ${unit} (${show(lower_limit)} to ${show(upper_limit)})`;
}
