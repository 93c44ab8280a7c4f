// Heat maps of features by features, drawn on a canvas of their own.

import { html, useEffect, useMemo, useRef, useSignal, useState } from "../html.js";
import { full, number } from "../format.js";
import { say, t } from "../i18n.js";
import { dark } from "../theme.js";
import { ChartFrame, Tooltip, canvasBlob, extremes, usePalette } from "../charts.js";
import { Select, Toggle } from "../ui.js";
import { Picker, RangeFilter } from "./filters.js";
import { PICKED_MOST, drawMatrix, frameOf, matrixOf, ofParties, scale, sortedBy } from "./matrix.js";

/** @import {HeatMap} from "../types.js" */
/** @import {Context} from "./index.js" */
/** @import {Palette} from "../charts.js" */
/** @import {Frame, Matrix} from "./matrix.js" */

const LIGHT = { low: "#b23a2e", middle: "#f7f7f5", high: "#2b54b8", dark: false };
const DARK = { low: "#e8705f", middle: "#232b35", high: "#6f97ff", dark: true };

/** A painter on a canvas. @param {CanvasRenderingContext2D} pen @param {Palette} colours */
function canvasPainter(pen, colours) {
  return {
    cell(/** @type {number} */ x, /** @type {number} */ y, /** @type {number} */ size, /** @type {string | null} */ fill) {
      pen.fillStyle = fill ?? colours.surface;
      pen.fillRect(x, y, size - 1, size - 1);
      if (fill) return;
      pen.save();
      pen.beginPath();
      pen.rect(x, y, size - 1, size - 1);
      pen.clip();
      pen.strokeStyle = colours.lineStrong;
      pen.beginPath();
      for (let at = -size; at < size; at += 5) {
        pen.moveTo(x + at, y + size);
        pen.lineTo(x + at + size, y);
      }
      pen.stroke();
      pen.restore();
    },
    text(/** @type {number} */ x, /** @type {number} */ y, /** @type {string} */ text, /** @type {any} */ how) {
      pen.save();
      pen.translate(x, y);
      if (how.turn) pen.rotate((how.turn * Math.PI) / 180);
      pen.fillStyle = how.colour;
      pen.font = `${how.size}px ${colours.font}`;
      pen.textAlign = how.align;
      pen.textBaseline = "middle";
      pen.fillText(fitted(text, how.most, (part) => pen.measureText(part).width), 0, 0);
      pen.restore();
    },
  };
}

/** A text cut to so many pixels. @param {string} text @param {number | undefined} most
 * @param {(text: string) => number} width */
function fitted(text, most, width) {
  if (!most || width(text) <= most) return text;
  let end = Math.min(text.length, 60);
  while (end > 1 && width(`${text.slice(0, end)}…`) > most) end -= 1;
  return `${text.slice(0, end)}…`;
}

const ESCAPES = /** @type {Record<string, string>} */ ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" });
/** @param {string} text */
const escaped = (text) => text.replace(/[&<>"]/g, (letter) => ESCAPES[letter]).replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, "");

/** The picture as SVG text. @param {Parameters<typeof drawMatrix>[0]} of @param {Palette} colours */
function svgText(of, colours) {
  /** @type {string[]} */
  const parts = [];
  drawMatrix(of, {
    cell(x, y, size, fill) {
      parts.push(`<rect x="${x}" y="${y}" width="${size - 1}" height="${size - 1}" fill="${fill ?? "url(#unknown)"}"/>`);
    },
    text(x, y, text, how) {
      const anchor = { left: "start", right: "end", center: "middle" }[how.align];
      const turn = how.turn ? ` transform="rotate(${how.turn} ${x} ${y})"` : "";
      const short = how.most ? fitted(text, how.most, (part) => part.length * how.size * 0.55) : text;
      parts.push(`<text x="${x}" y="${y}" dominant-baseline="middle" text-anchor="${anchor}" font-size="${how.size}" fill="${how.colour}"${turn}>${escaped(short)}</text>`);
    },
  });
  const { width, height } = of.frame;
  const hatch = `<pattern id="unknown" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="5" height="5" fill="${colours.surface}"/><path d="M0 0V5" stroke="${colours.lineStrong}"/></pattern>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif"><defs>${hatch}</defs><rect width="100%" height="100%" fill="${colours.surface}"/>${parts.join("")}</svg>`;
}

/** A canvas with sharp lines. @param {HTMLCanvasElement} canvas @param {Frame} frame @param {number} ratio */
function sized(canvas, frame, ratio) {
  canvas.width = Math.round(frame.width * ratio);
  canvas.height = Math.round(frame.height * ratio);
  const pen = canvas.getContext("2d");
  pen?.scale(ratio, ratio);
  return pen;
}

/** Width of the box, following it. */
function useRoom() {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const [room, setRoom] = useState(800);
  useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const observer = new ResizeObserver(() => setRoom(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return /** @type {const} */ ([box, room]);
}

/** The cells in sight, walked by pointer and keys.
 * @param {{matrix: Matrix, rows: number[], columns: number[], numbers: boolean, range: [number, number],
 *   shade: (value: number) => {fill: string, ink: string}, label: string, colours: Palette}} props */
function Cells({ matrix, rows, columns, numbers, range, shade, label, colours }) {
  const [box, room] = useRoom();
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const [active, setActive] = useState(/** @type {{row: number, column: number} | null} */ (null));
  const tip = useSignal(/** @type {import("../charts.js").Tip | null} */ (null));
  const longest = labelWidth(matrix, rows, columns);
  const frame = useMemo(() => frameOf(rows.length, columns.length, room, longest), [rows.length, columns.length, room, longest]);
  useEffect(() => {
    if (!canvas.current) return;
    const pen = sized(canvas.current, frame, window.devicePixelRatio || 1);
    if (!pen) return;
    pen.clearRect(0, 0, frame.width, frame.height);
    drawMatrix({ matrix, rows, columns, frame, shade, range, numbers, ink: colours.ink, faint: colours.ink3, active }, canvasPainter(pen, colours));
    if (!active) return;
    pen.strokeStyle = colours.ink;
    pen.lineWidth = 1.5;
    pen.strokeRect(frame.left + active.column * frame.size - 0.5, frame.top + active.row * frame.size - 0.5, frame.size, frame.size);
  }, [matrix, rows, columns, frame, shade, range, numbers, colours, active]);
  const show = (/** @type {{row: number, column: number} | null} */ at, /** @type {boolean} */ spoken) => {
    if (at?.row !== active?.row || at?.column !== active?.column) setActive(at);
    if (!at) return void (tip.value = null);
    const [one, two] = [matrix.entries[rows[at.row]], matrix.columns[columns[at.column]]];
    const value = matrix.at(rows[at.row], columns[at.column]);
    const owner = (/** @type {import("../types.js").Entry} */ entry) => ({ label: entry.label, value: "", note: entry.party });
    tip.value = {
      x: frame.left + (at.column + 1) * frame.size - (box.current?.scrollLeft ?? 0),
      y: frame.top + at.row * frame.size - (box.current?.scrollTop ?? 0),
      spoken,
      title: Number.isNaN(value) ? t("blocks.unknown_cell") : number(value),
      rows: [owner(one), owner(two)],
    };
  };
  const move = (/** @type {PointerEvent} */ event) => {
    const rect = canvas.current?.getBoundingClientRect();
    if (!rect) return;
    const column = Math.floor((event.clientX - rect.left - frame.left) / frame.size);
    const row = Math.floor((event.clientY - rect.top - frame.top) / frame.size);
    const inside = row >= 0 && column >= 0 && row < rows.length && column < columns.length;
    show(inside ? { row, column } : null, false);
  };
  const keys = (/** @type {KeyboardEvent} */ event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    const from = active ?? { row: -step[0], column: -step[1] };
    const to = (/** @type {number} */ at, /** @type {number} */ by, /** @type {number} */ count) => Math.max(0, Math.min(count - 1, at + by));
    show({ row: to(from.row, step[0], rows.length), column: to(from.column, step[1], columns.length) }, true);
  };
  return html`<div class="chart-box">
    <div class="chart-scroll" ref=${box} tabindex="0" role="group" aria-label=${label} onPointerMove=${move} onPointerLeave=${() => show(null, false)} onBlur=${() => show(null, false)} onKeyDown=${keys}>
      <canvas ref=${canvas} style=${{ width: `${frame.width}px`, height: `${frame.height}px` }} aria-hidden="true"></canvas>
    </div>
    <${Tooltip} tip=${tip} />
  </div>`;
}

/** Pixels of the longest name, about. @param {Matrix} matrix @param {number[]} rows @param {number[]} columns */
function labelWidth(matrix, rows, columns) {
  const lengths = [...rows.map((row) => matrix.entries[row].label.length), ...columns.map((column) => matrix.columns[column].label.length)];
  return Math.min(24, Math.max(4, ...lengths)) * 7;
}

/** Which rows and columns the reader wants, in which order. @param {Matrix} matrix @param {boolean} square */
function useSelection(matrix, square) {
  const [parties, setParties] = useState(/** @type {Set<string>} */ (new Set()));
  const [picked, setPicked] = useState(/** @type {Set<string>} */ (new Set()));
  const [by, setBy] = useState("");
  const rows = useMemo(() => {
    const wanted = ofParties(matrix.entries, parties).filter((row) => !picked.size || picked.has(String(row)));
    const [column, way] = by.split(" ");
    const sorted = by ? sortedBy(matrix, wanted, Number(column), way === "desc") : wanted;
    return sorted.slice(0, PICKED_MOST);
  }, [matrix, parties, picked, by]);
  const columns = useMemo(() => {
    if (square) return rows;
    return ofParties(matrix.columns, parties).slice(0, PICKED_MOST);
  }, [matrix, rows, parties, square]);
  return { parties, setParties, picked, setPicked, by, setBy, rows, columns };
}

/** @param {Matrix} matrix @param {number[]} rows @param {number[]} columns */
function summaryOf(matrix, rows, columns) {
  const values = rows.flatMap((row) => columns.map((column) => matrix.at(row, column)));
  const known = values.filter((value) => !Number.isNaN(value));
  return [{ name: "cells", count: values.length, unknown: values.length - known.length, rows: rows.length, columns: columns.length, ...extremes(known) }];
}

/** @param {Matrix} matrix @param {number[]} rows @param {number[]} columns @returns {import("../charts.js").ChartTable} */
function tableOf(matrix, rows, columns) {
  const value = (/** @type {number} */ row, /** @type {number} */ column) => {
    const known = matrix.at(row, column);
    return Number.isNaN(known) ? null : known;
  };
  return {
    columns: [
      { id: "feature", label: t("blocks.feature"), frozen: true },
      { id: "party", label: t("blocks.party") },
      ...columns.map((column) => ({ id: `c${column}`, label: matrix.columns[column].label, format: /** @type {const} */ ("number") })),
    ],
    rows: rows.map((row) => [matrix.entries[row].label, matrix.entries[row].party ?? "", ...columns.map((column) => value(row, column))]),
  };
}

/** @param {{low: number, high: number, shade: (value: number) => {fill: string}}} props */
function Scale({ low, high, shade }) {
  const stops = Array.from({ length: 21 }, (_, index) => shade(low + ((high - low) * index) / 20).fill);
  return html`<span class="heat-scale" aria-hidden="true">
    <span>${full(low)}</span><i style=${{ background: `linear-gradient(90deg, ${stops.join(", ")})` }}></i><span>${full(high)}</span>
  </span>`;
}

/** @param {{block: HeatMap, context: Context}} props */
export function HeatMapBlock({ block, context }) {
  const colours = usePalette();
  const isDark = dark.value;
  const { low = -1, high = 1 } = block;
  const matrix = useMemo(() => matrixOf(block), [block]);
  const square = block.rows.length === block.columns.length && block.rows.every((entry, index) => entry.label === block.columns[index].label && entry.party === block.columns[index].party);
  const choice = useSelection(matrix, square);
  const [numbers, setNumbers] = useState(false);
  const [range, setRange] = useState(/** @type {[number, number]} */ ([low, high]));
  const shade = useMemo(() => scale(low, high, isDark ? DARK : LIGHT), [low, high, isDark]);
  const { rows, columns } = choice;
  const parties = useMemo(() => [...new Set([...block.rows, ...block.columns].map((entry) => entry.party ?? ""))].filter(Boolean), [block]);
  const title = block.title ? say(block.title) : t("blocks.heat_map");
  const label = t("blocks.heat_description", { title, rows: rows.length, columns: columns.length });
  const draw = async (/** @type {"png" | "svg"} */ type) => {
    const frame = frameOf(rows.length, columns.length, 1100, labelWidth(matrix, rows, columns));
    const of = { matrix, rows, columns, frame, shade, range, numbers, ink: colours.ink, faint: colours.ink2 };
    if (type === "svg") return new Blob([svgText(of, colours)], { type: "image/svg+xml" });
    const canvas = document.createElement("canvas");
    const pen = sized(canvas, frame, 2);
    if (!pen) throw new Error("no canvas");
    pen.fillStyle = colours.surface;
    pen.fillRect(0, 0, frame.width, frame.height);
    drawMatrix(of, canvasPainter(pen, colours));
    return canvasBlob(canvas);
  };
  const available = ofParties(block.rows, choice.parties);
  const tools = html`
    ${parties.length > 1 &&
    html`<${Picker} label=${t("blocks.party")} options=${parties.map((party) => ({ id: party, label: party }))} selected=${choice.parties} onSelect=${choice.setParties} />`}
    <${Picker} label=${t("blocks.features")} most=${PICKED_MOST} options=${available.map((row) => ({ id: String(row), label: block.rows[row].label }))} selected=${choice.picked} onSelect=${choice.setPicked} />
    <${Select}
      label=${t("blocks.sort_by")}
      value=${choice.by}
      onChange=${choice.setBy}
      options=${[
        { id: "", label: t("blocks.as_given") },
        ...columns.flatMap((column) => [
          { id: `${column} desc`, label: `${block.columns[column].label} ↓` },
          { id: `${column} asc`, label: `${block.columns[column].label} ↑` },
        ]),
      ]}
    />
    <${Toggle} label=${t("blocks.coefficients")} on=${numbers} onChange=${setNumbers} />`;
  const cut = available.length > rows.length && !choice.picked.size;
  return html`<${ChartFrame}
    title=${block.title}
    help=${block.help}
    name=${block.export_name || block.id}
    kind="heatmap"
    series=${summaryOf(matrix, rows, columns)}
    label=${label}
    table=${tableOf(matrix, rows, columns)}
    draw=${draw}
    context=${context}
    tools=${tools}
    legend=${html`<div class="heat-bar">
      <${RangeFilter} label=${t("blocks.values")} min=${low} max=${high} step=${(high - low) / 200} value=${range} onChange=${setRange} />
      <span class="b-grow"></span>
      <${Scale} low=${low} high=${high} shade=${shade} />
      ${summaryOf(matrix, rows, columns)[0].unknown > 0 && html`<span class="heat-unknown"><i></i>${t("blocks.unknown_cell")}</span>`}
    </div>`}
  >
    ${cut && html`<p class="b-help">${t("blocks.first_of", { n: rows.length, total: available.length })}</p>`}
    <${Cells} matrix=${matrix} rows=${rows} columns=${columns} numbers=${numbers} range=${range} shade=${shade} label=${label} colours=${colours} />
  <//>`;
}
