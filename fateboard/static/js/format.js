/** Numbers, times and sizes as people read them. */

import { language, t } from "./i18n.js";

/** @typedef {string | number | boolean | null | undefined} Value */

export const NOTHING = "-";

/** Six decimals, exponents for what is very large or very small.
 * @param {Value} value */
export function number(value) {
  if (value == null || value === "") return NOTHING;
  if (typeof value !== "number") return String(value);
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size >= 1e7) return Number.isInteger(value) && size < 1e7 ? String(value) : exponent(value);
  if (size !== 0 && size < 1e-4) return exponent(value);
  return String(Number(value.toFixed(6)));
}

/** @param {number} value */
function exponent(value) {
  return String(Number(value.toPrecision(7)).toExponential()).replace("e+", "e");
}

/** Every digit. @param {Value} value */
export function full(value) {
  return value == null ? NOTHING : String(value);
}

/** A share of 1 as percent. @param {Value} value */
export function percent(value) {
  if (typeof value !== "number") return full(value);
  return `${Number((value * 100).toFixed(2))}%`;
}

/** @param {Value} value */
export function integer(value) {
  if (typeof value !== "number") return full(value);
  return Math.round(value).toLocaleString("en-US");
}

/** @param {number} value */
function two(value) {
  return String(value).padStart(2, "0");
}

/** In the browser's zone. @param {number | null | undefined} ms */
export function time(ms) {
  if (ms == null) return NOTHING;
  const at = new Date(ms);
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** The browser's zone: "Europe/Paris (UTC+01:00)". */
export function zone() {
  const minutes = -new Date().getTimezoneOffset();
  const size = Math.abs(minutes);
  const sign = minutes < 0 ? "-" : "+";
  const name = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return `${name} (UTC${sign}${two(Math.floor(size / 60))}:${two(size % 60)})`;
}

/** "850 ms", "12.3 s", "4m 05s", "1h 02m 03s", "2d 03h". @param {number | null | undefined} ms */
export function duration(ms) {
  if (ms == null) return NOTHING;
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const s = Math.round(ms / 1000);
  if (s < 3600) return `${Math.floor(s / 60)}m ${two(s % 60)}s`;
  if (s < 86_400) return `${Math.floor(s / 3600)}h ${two(Math.floor(s / 60) % 60)}m ${two(s % 60)}s`;
  return `${Math.floor(s / 86_400)}d ${two(Math.floor(s / 3600) % 24)}h`;
}

/** "3 minutes ago". @param {number | null | undefined} ms @param {number} [now] */
export function ago(ms, now = Date.now()) {
  if (ms == null) return NOTHING;
  const words = new Intl.RelativeTimeFormat(language.value, { numeric: "auto" });
  const s = (ms - now) / 1000;
  const size = Math.abs(s);
  if (size < 60) return words.format(Math.round(s), "second");
  if (size < 3600) return words.format(Math.round(s / 60), "minute");
  if (size < 86_400) return words.format(Math.round(s / 3600), "hour");
  return words.format(Math.round(s / 86_400), "day");
}

/** @param {number | null | undefined} count */
export function bytes(count) {
  if (count == null) return NOTHING;
  const units = ["B", "KB", "MB", "GB", "TB"];
  let size = count;
  let unit = 0;
  while (size >= 999.5 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${unit ? Number(size.toPrecision(3)) : size} ${units[unit]}`;
}

/** A table's cell as text.
 * @param {Value} value @param {import("./types.js").Column["format"]} [format]
 * @param {import("./types.js").Flag["flag"]} [flag] @returns {string} */
export function cell(value, format = "text", flag) {
  if (flag === "nan") return "NaN";
  if (flag === "infinite") return "∞";
  if (flag === "minus_infinite") return "-∞";
  if (value == null || value === "") return NOTHING;
  switch (format) {
    case "integer":
      return integer(value);
    case "percent":
      return percent(value);
    case "yes_no":
      return value ? t("word.yes") : t("word.no");
    case "time":
      return time(Number(value));
    case "duration":
      return duration(Number(value));
    case "text":
      return typeof value === "number" ? number(value) : String(value);
    default:
      return number(value);
  }
}
