// A heat map without the page: its numbers, which of them to show in which order, its picture.

/** @import {Entry, HeatMap} from "../types.js" */
/** @typedef {{entries: Entry[], columns: Entry[], at: (row: number, column: number) => number}} Matrix NaN is unknown */
/** @typedef {{fill: string, ink: string}} Shade */

export const PICKED_MOST = 80;
const SMALLEST = 13;
const LARGEST = 36;
/** Brightness above which dark letters are easier to read than white ones. */
const INK_TURNS = 118;

/** The values of a block. Raises RangeError if they do not fit its rows and columns. @param {HeatMap} block @returns {Matrix} */
export function matrixOf(block) {
  const text = atob(block.values);
  const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  const width = block.columns.length;
  if (bytes.length !== block.rows.length * width * 4) throw new RangeError("heat map of another size");
  const view = new DataView(bytes.buffer);
  return { entries: block.rows, columns: block.columns, at: (row, column) => view.getFloat32((row * width + column) * 4, true) };
}

/** Indices of entries of some parties (none: all), at most so many.
 * @param {Entry[]} entries @param {Set<string>} parties */
export function ofParties(entries, parties) {
  const all = entries.map((_, index) => index);
  return parties.size ? all.filter((index) => parties.has(entries[index].party ?? "")) : all;
}

/** Rows by their value in a column, unknown ones last. @param {Matrix} matrix @param {number[]} rows
 * @param {number} column @param {boolean} descending */
export function sortedBy(matrix, rows, column, descending) {
  const sign = descending ? -1 : 1;
  const value = (/** @type {number} */ row) => matrix.at(row, column);
  return [...rows].sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y)) || a - b;
    return sign * (x - y) || a - b;
  });
}

/** @param {string} colour "#rrggbb" */
function channels(colour) {
  const value = Number.parseInt(colour.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

/** From the low colour over the ground to the high one.
 * @param {number} low @param {number} high @param {{low: string, middle: string, high: string, dark: boolean}} colours
 * @returns {(value: number) => Shade} */
export function scale(low, high, colours) {
  const [from, middle, to] = [channels(colours.low), channels(colours.middle), channels(colours.high)];
  const centre = low < 0 && high > 0 ? 0 : low;
  return (value) => {
    const up = value >= centre;
    const reach = up ? high - centre : centre - low;
    const share = Math.min(1, Math.abs(value - centre) / (reach || 1));
    const end = up ? to : from;
    const mixed = middle.map((channel, index) => Math.round(channel + (end[index] - channel) * share));
    const bright = (mixed[0] * 299 + mixed[1] * 587 + mixed[2] * 114) / 1000;
    return { fill: `rgb(${mixed.join(",")})`, ink: bright > INK_TURNS ? "#10151c" : "#ffffff" };
  };
}

/** @typedef {{size: number, left: number, top: number, width: number, height: number}} Frame */

/** Where cells go. @param {number} rows @param {number} columns @param {number} room width to fill
 * @param {number} label pixels of the longest name */
export function frameOf(rows, columns, room, label) {
  const left = Math.min(200, label + 14);
  const top = Math.min(150, label * 0.77 + 22);
  const beyond = Math.min(110, label * 0.64 + 8);
  const size = Math.max(SMALLEST, Math.min(LARGEST, Math.floor((room - left - beyond) / Math.max(1, columns))));
  return { size, left, top, width: left + columns * size + beyond, height: top + rows * size + 8 };
}

/**
 * Everything that is drawn, told to one painter: the screen's canvas, a picture's, or SVG text.
 * @param {{matrix: Matrix, rows: number[], columns: number[], frame: Frame, shade: (value: number) => Shade,
 *   range: [number, number], numbers: boolean, ink: string, faint: string,
 *   active?: {row: number, column: number} | null}} of
 * @param {{cell: (x: number, y: number, size: number, fill: string | null) => void,
 *   text: (x: number, y: number, text: string, how: {colour: string, align: "left" | "right" | "center", turn?: number, size: number, most?: number}) => void}} paint
 */
export function drawMatrix({ matrix, rows, columns, frame, shade, range, numbers, ink, faint, active }, paint) {
  const { size, left, top } = frame;
  const font = Math.min(12, size - 2);
  rows.forEach((row, index) => {
    const colour = active?.row === index ? ink : faint;
    paint.text(left - 8, top + (index + 0.5) * size, matrix.entries[row].label, { colour, align: "right", size: font, most: left - 12 });
  });
  columns.forEach((column, index) => {
    const colour = active?.column === index ? ink : faint;
    paint.text(left + (index + 0.5) * size, top - 8, matrix.columns[column].label, { colour, align: "left", turn: -50, size: font, most: (top - 12) / 0.75 });
  });
  rows.forEach((row, y) => {
    columns.forEach((column, x) => {
      const value = matrix.at(row, column);
      const [px, py] = [left + x * size, top + y * size];
      if (Number.isNaN(value)) return paint.cell(px, py, size, null);
      const { fill, ink: over } = shade(value);
      const within = value >= range[0] && value <= range[1];
      if (!within) return;
      paint.cell(px, py, size, fill);
      if (numbers && size >= 26) {
        paint.text(px + size / 2, py + size / 2, value.toFixed(2), { colour: over, align: "center", size: size >= 34 ? 11 : 9 });
      }
    });
  });
}
