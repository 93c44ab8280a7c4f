// What a table does with its rows, without drawing them: order, search, filters, widths, CSV.

import { cell } from "../format.js";
import { say, t } from "../i18n.js";

/** @import {Column, Flag, Text} from "../types.js" */
/** @typedef {string | number | boolean | null} Cell */
/** @typedef {Cell | Text} Shown */
/** @typedef {{column: number, descending: boolean}} Sort */
/** @typedef {{row: number, column: number}} Place */

/** A row with what the board itself says in the reader's language.
 * @param {Shown[]} row @returns {Cell[]} */
export function saidRow(row) {
  const isCell = (/** @type {Shown} */ value) => value === null || typeof value !== "object";
  if (row.every(isCell)) return row;
  return row.map((value) => (isCell(value) ? value : say(value)));
}

/** @param {Shown[][] | undefined} rows */
export const saidRows = (rows) => rows?.map(saidRow);

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

/** @param {Cell | undefined} value */
const isEmpty = (value) => value === null || value === undefined || value === "" || value === "-";

/** @param {Cell} value @returns {number | null} */
function asNumber(value) {
  if (typeof value === "number") return value;
  if (typeof value !== "string" || value.trim() === "") return null;
  const parsed = Number(value);
  return Number.isNaN(parsed) ? null : parsed;
}

/** Numbers by value before texts by their natural order. @param {Cell} a @param {Cell} b */
export function compare(a, b) {
  const left = asNumber(a);
  const right = asNumber(b);
  if (left !== null && right !== null) return left - right;
  if (left !== null) return -1;
  if (right !== null) return 1;
  return collator.compare(String(a), String(b));
}

/**
 * The indices of `shown` in the order of a column; empty cells are last either way.
 * @param {Cell[][]} rows @param {number[]} shown @param {Sort | null} sort
 */
export function ordered(rows, shown, sort) {
  if (!sort) return shown;
  const { column, descending } = sort;
  const full = shown.filter((row) => !isEmpty(rows[row][column]));
  const empty = shown.filter((row) => isEmpty(rows[row][column]));
  const sign = descending ? -1 : 1;
  full.sort((a, b) => sign * compare(rows[a][column], rows[b][column]) || a - b);
  return full.concat(empty);
}

/**
 * The indices of the rows that all filters let through.
 * @param {Cell[][]} rows @param {Column[]} columns
 * @param {Record<string, Set<string>>} facets values to keep by column id; an empty set keeps all
 * @param {Record<string, [number, number]>} ranges numbers to keep by column id
 */
export function filtered(rows, columns, facets, ranges) {
  const at = new Map(columns.map((column, index) => [column.id, index]));
  /** @type {((row: Cell[]) => boolean)[]} */
  const tests = [];
  for (const [id, kept] of Object.entries(facets)) {
    const column = at.get(id);
    if (column !== undefined && kept.size) tests.push((row) => kept.has(String(row[column] ?? "")));
  }
  for (const [id, [low, high]] of Object.entries(ranges)) {
    const column = at.get(id);
    if (column === undefined) continue;
    tests.push((row) => {
      const value = asNumber(row[column]);
      return value !== null && value >= low && value <= high;
    });
  }
  const all = rows.map((_, index) => index);
  return tests.length ? all.filter((index) => tests.every((test) => test(rows[index]))) : all;
}

/** How many rows have each value of a column. @param {Cell[][]} rows @param {number} column */
export function facetCounts(rows, column) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const row of rows) {
    const value = String(row[column] ?? "");
    counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => compare(a[0], b[0]));
}

/**
 * A test of shown text: a part of it, or a regular expression. Null if that is malformed.
 * @param {string} text @param {boolean} regex
 * @returns {((text: string) => boolean) | null}
 */
export function matcher(text, regex) {
  if (!regex) {
    const lower = text.toLowerCase();
    return (shown) => shown.toLowerCase().includes(lower);
  }
  try {
    const pattern = new RegExp(text, "i");
    return (shown) => pattern.test(shown);
  } catch {
    return null;
  }
}

/** Cells searched before the browser may draw again. */
const CELLS_AT_ONCE = 50_000;
const MOST_FOUND = 10_000;

/**
 * Where a text stands, in the order of `shown`; gives way to the browser while it searches.
 * @param {Cell[][]} rows @param {number[]} shown @param {Column[]} columns
 * @param {(text: string) => boolean} matches @param {() => boolean} cancelled
 * @returns {Promise<Place[]>}
 */
export async function findAll(rows, shown, columns, matches, cancelled) {
  /** @type {Place[]} */
  const found = [];
  let cells = 0;
  for (const row of shown) {
    for (let column = 0; column < columns.length; column++) {
      const value = rows[row][column];
      if (isEmpty(value)) continue;
      const text = typeof value === "string" ? value : cell(value, columns[column].format);
      if (matches(text) && found.push({ row, column }) >= MOST_FOUND) return found;
    }
    cells += columns.length;
    if (cells < CELLS_AT_ONCE) continue;
    cells = 0;
    await new Promise((resolve) => setTimeout(resolve));
    if (cancelled()) return [];
  }
  return found;
}

/** @type {CanvasRenderingContext2D | null | undefined} */
let ruler;

/** Pixels that a text takes in the page's type. @param {string} text @param {number} weight */
function textWidth(text, weight) {
  ruler ??= document.createElement("canvas").getContext("2d");
  if (!ruler) return text.length * 8;
  const { fontSize, fontFamily } = getComputedStyle(document.body);
  ruler.font = `${weight} ${fontSize} ${fontFamily}`;
  return ruler.measureText(text.slice(0, 80)).width;
}

/** How wide digits make a text, counted in digits: signs and points are half as wide. @param {string} text */
const roughly = (text) => text.length - (text.match(/[-.,: ]/g)?.length ?? 0) / 2;

const SAMPLE = 60;
const NARROWEST = 56;
const WIDEST = 340;
const PADDING = 26;
const ARROW = 14;
const HEAD_WEIGHT = 600;
export const BAR_WIDTH = 120;

/**
 * Pixels that a column wants: as wide as its heading or the longest of some of its cells.
 * @param {Cell[][]} rows @param {Column} column @param {number} index @param {string} heading
 */
export function wantedWidth(rows, column, index, heading) {
  const step = Math.max(1, Math.floor(rows.length / SAMPLE));
  let [longest, most] = ["", 0];
  for (let row = 0; row < rows.length; row += step) {
    const value = rows[row][index];
    if (isEmpty(value)) continue;
    const text = typeof value === "string" ? value : cell(value, column.format);
    const size = roughly(text);
    if (size > most) [longest, most] = [text, size];
  }
  const head = textWidth(heading, HEAD_WEIGHT) + (column.sortable === false ? 0 : ARROW);
  const wanted = Math.ceil(Math.max(head, textWidth(longest, 400))) + PADDING;
  return Math.min(WIDEST, Math.max(NARROWEST, wanted)) + (column.format === "bar" ? BAR_WIDTH : 0);
}

/** Least and greatest number of a column, and zero. @param {Cell[][]} rows @param {number} column */
export function barDomain(rows, column) {
  let low = 0;
  let high = 0;
  for (const row of rows) {
    const value = row[column];
    if (typeof value !== "number") continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return { low, high };
}

/** @param {Flag[]} flags @returns {Map<string, Flag>} by "row:column"; a cell may have several */
export function flagsByCell(flags) {
  return new Map(flags.map((flag) => [`${flag.row}:${flag.column}:${flag.flag}`, flag]));
}

/** @type {Record<string, string>} */
const INFINITE = { infinite: "Infinity", minus_infinite: "-Infinity", nan: "NaN" };

const FORMULA = /^\s*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/;
// Where the rest would be a cell of its own to a spreadsheet that separates by ";".
const FORMULA_WITHIN = /([;\t\r\n])(?=\s*[=+\-@\uff1d\uff0b\uff0d\uff20])/g;

/**
 * A value as CSV has it: numbers in full, and nothing that a spreadsheet would run as a formula.
 * @param {Cell | undefined} value
 */
export function csvCell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value !== "string") return String(value);
  const plain = value === "-" || !Number.isNaN(Number(value));
  const head = plain ? null : FORMULA.exec(value);
  const rest = value.slice(head?.[0].length ?? 0);
  const text = plain ? value : `${head ? `'${head[0]}` : ""}${rest.replace(FORMULA_WITHIN, "$1'")}`;
  return /[",\r\n;]/.test(text) || text !== text.trim() ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * A CSV file that spreadsheets open as UTF-8.
 * @param {string[]} headings @param {Cell[][]} rows @param {Flag[]} [flags]
 */
export function csv(headings, rows, flags = []) {
  const said = new Map(
    flags
      .filter((flag) => flag.flag in INFINITE)
      .map((flag) => [`${flag.row}:${flag.column}`, INFINITE[flag.flag]]),
  );
  const lines = [headings.map(csvCell).join(",")];
  rows.forEach((row, index) => {
    const cells = row.map((value, column) => csvCell(value ?? said.get(`${index}:${column}`) ?? null));
    lines.push(cells.join(","));
  });
  return `\ufeff${lines.join("\r\n")}\r\n`;
}

/** What a cell's flag says on hovering. @param {Flag} flag */
export function flagText(flag) {
  switch (flag.flag) {
    case "nan":
      return t("blocks.flag.nan");
    case "infinite":
      return t("blocks.flag.infinite");
    case "minus_infinite":
      return t("blocks.flag.minus_infinite");
    case "other_party":
      return flag.party ? t("blocks.flag.other_party", { party: flag.party }) : t("blocks.flag.unknown");
    case "removed":
      return t("blocks.flag.removed");
    case "best":
      return t("blocks.flag.best");
    default:
      return t("blocks.flag.differs");
  }
}
