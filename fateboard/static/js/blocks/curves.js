// Curves without drawing them: groups, which are on, merging, smoothing, what ECharts is told.

import { axisStyle, extremes } from "../charts.js";
import { number } from "../format.js";

/** @import {Curve, Label, Series} from "../types.js" */
/** @typedef {[number, number | null]} Point */
/** @typedef {{id: string, label: string, points: Point[], thresholds?: (number | null)[], area?: boolean, dashed: boolean}} Member */
/** @typedef {{id: string, label: string, colour: number, members: Member[]}} Group */
/** @typedef {Member & {group: string, colour: string, raw?: Point[]}} Drawn */
/** @typedef {{x: [number, number], y: [number, number]}} View */

export const COLOURS = 12;
export const MOST_ON = 12;

/** Curves by their group: one colour and one switch each.
 * @param {Series[]} series @param {(label: Label) => string} say @param {string} unnamed @returns {Group[]} */
export function groupsOf(series, say, unnamed) {
  /** @type {Map<string, Group>} */
  const groups = new Map();
  for (const one of series) {
    const id = one.group || one.id;
    const own = say(one.label) || unnamed;
    const label = one.party ? `${own} (${one.party})` : own;
    const group = groups.get(id) ?? { id, label: one.group ? say(one.group_label ?? "") || one.group : label, colour: groups.size % COLOURS, members: [] };
    groups.set(id, group);
    group.members.push({ id: one.id, label, points: one.points, thresholds: one.thresholds, area: one.area, dashed: group.members.length > 0 });
  }
  return [...groups.values()];
}

/** Which groups are on after one is switched; the oldest go when too many curves are on.
 * @param {Group[]} groups @param {string[]} on in the order of switching on @param {string} id
 * @param {boolean} [keep] rather leave the new one off than switch an old one off */
export function switched(groups, on, id, keep = false) {
  if (on.includes(id)) return on.filter((one) => one !== id);
  const size = (/** @type {string} */ one) => groups.find((group) => group.id === one)?.members.length ?? 0;
  const next = [...on, id];
  const total = () => next.reduce((sum, one) => sum + size(one), 0);
  if (keep && total() > MOST_ON) return on;
  while (total() > MOST_ON && next.length > 1) next.shift();
  return next;
}

/** Points by x; of two at one x the newer stays. @param {Point[]} old @param {Point[]} fresh @returns {Point[]} */
export function merged(old, fresh) {
  if (!fresh.length) return old;
  if (!old.length || fresh[0][0] > old[old.length - 1][0]) return [...old, ...fresh];
  const replaced = new Set(fresh.map((point) => point[0]));
  return [...old.filter((point) => !replaced.has(point[0])), ...fresh].sort((a, b) => a[0] - b[0]);
}

/** Exponential moving average, as TensorBoard has it: early values count as much as they should.
 * @param {Point[]} points @param {number} weight of what came before, below 1 @returns {Point[]} */
export function smoothed(points, weight) {
  let last = 0;
  let seen = 0;
  return points.map(([x, y]) => {
    if (y === null) return [x, null];
    last = last * weight + (1 - weight) * y;
    seen += 1;
    return [x, last / (1 - weight ** seen)];
  });
}

/** Index of the point nearest to x; of several there, of the one nearest to y; -1 if there is none.
 * @param {Point[]} points in order of x @param {number} x @param {number} y */
export function nearest(points, x, y) {
  if (!points.length) return -1;
  let low = 0;
  let high = points.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle][0] < x) low = middle + 1;
    else high = middle;
  }
  const before = low > 0 && x - points[low - 1][0] < points[low][0] - x ? low - 1 : low;
  const at = points[before][0];
  let best = before;
  const off = (/** @type {number} */ index) => Math.abs((points[index][1] ?? Infinity) - y);
  for (let index = before; index >= 0 && points[index][0] === at; index--) if (off(index) < off(best)) best = index;
  for (let index = before; index < points.length && points[index][0] === at; index++) if (off(index) < off(best)) best = index;
  return best;
}

/** Both axes as they are when nothing is zoomed. @param {Curve} block @param {Drawn[]} drawn
 * @param {boolean} logarithmic @returns {View} */
export function viewOf(block, drawn, logarithmic) {
  const x = extremes(drawn.flatMap((curve) => curve.points.map((point) => point[0])));
  const y = extremes(drawn.flatMap((curve) => curve.points.map((point) => point[1])));
  const [left, right] = [x.low ?? 0, x.high ?? 1];
  const [low, high] = [y.low ?? 0, y.high ?? 1];
  const shares = !block.x.integer && left >= 0 && right <= 1;
  const across = /** @type {[number, number]} */ (shares ? [0, 1] : left === right ? [left - 1, right + 1] : [left, right]);
  if (shares && low >= 0 && high <= 1) return { x: across, y: [0, 1] };
  const pad = (high - low || Math.abs(high) || 1) * 0.06;
  if (logarithmic && low > 0) return { x: across, y: [low / 1.15, high * 1.15] };
  const floor = shares && low >= 0 ? 0 : low - pad;
  return { x: across, y: [floor, high + pad] };
}

const SAMPLE_FROM = 2000;
const SYMBOLS_MOST = 30;
const MARKS_APART = 8;

/** @param {Drawn} curve @param {Point[]} points @param {boolean} faint */
function lineSeries(curve, points, faint) {
  return {
    type: "line",
    id: faint ? `${curve.id} raw` : curve.id,
    name: faint ? "" : curve.label,
    data: points,
    color: curve.colour,
    silent: true,
    showSymbol: !faint && points.length <= SYMBOLS_MOST,
    symbol: "circle",
    symbolSize: 5,
    sampling: points.length > SAMPLE_FROM ? "lttb" : undefined,
    lineStyle: { width: faint ? 1 : 2, opacity: faint ? 0.28 : 1, type: curve.dashed ? [5, 4] : "solid" },
    areaStyle: curve.area && !faint ? { opacity: 0.08 } : undefined,
    emphasis: { disabled: true },
  };
}

/** Dashed vertical lines of curves that are on. @param {Curve} block @param {Drawn[]} drawn @param {View} view
 * @param {import("../charts.js").Palette} colours @param {(label: Label) => string} say */
function markSeries(block, drawn, view, colours, say) {
  const marks = (block.marks ?? []).filter((mark) => !mark.series || drawn.some((curve) => curve.id === mark.series || curve.group === mark.series));
  if (!marks.length) return [];
  const colourOf = (/** @type {string | undefined} */ series) =>
    drawn.find((curve) => curve.id === series || curve.group === series)?.colour ?? colours.ink2;
  const beyond = (/** @type {number} */ x) => x > view.x[0] + (view.x[1] - view.x[0]) * 0.6;
  const data = marks.map((mark, index) => ({
    xAxis: mark.x,
    lineStyle: { color: colourOf(mark.series), type: "dashed", width: 1.5 },
    label: {
      formatter: () => say(mark.label),
      color: colours.ink2,
      fontFamily: colours.font,
      fontSize: 11,
      position: "start",
      rotate: 0,
      align: beyond(mark.x) ? "right" : "left",
      verticalAlign: "bottom",
      offset: [beyond(mark.x) ? -4 : 4, -6 - (index % MARKS_APART) * 17],
      padding: [1, 4],
      borderRadius: 3,
      backgroundColor: colours.surface,
    },
  }));
  return [{ type: "line", id: "marks", data: [], silent: true, markLine: { silent: true, symbol: "none", data } }];
}

/**
 * @param {{block: Curve, drawn: Drawn[], view: View, logarithmic: boolean, say: (label: Label) => string,
 *   colours: import("../charts.js").Palette, alone?: boolean}} of alone: the picture has no page around
 *   it, so it carries title and legend itself
 * @returns {import("../charts.js").Option}
 */
export function curveOption({ block, drawn, view, logarithmic, say, colours, alone = false }) {
  const diagonal = block.diagonal
    ? [{ type: "line", id: "diagonal", silent: true, data: [[0, 0], [1, 1]], showSymbol: false, lineStyle: { color: colours.lineStrong, width: 1.5, type: "dashed" }, color: colours.lineStrong }]
    : [];
  const faint = drawn.filter((curve) => curve.raw).map((curve) => lineSeries(curve, curve.raw ?? [], true));
  const solid = drawn.map((curve) => lineSeries(curve, curve.points, false));
  const text = { color: colours.ink, fontFamily: colours.font };
  const label = (/** @type {boolean | undefined} */ percent) => (/** @type {number} */ value) => (percent ? `${number(value * 100)}%` : number(value));
  const x = axisStyle(colours, say(block.x.label));
  const y = axisStyle(colours, say(block.y.label));
  const ends = (/** @type {[number, number]} */ [low, high]) => ({
    showMinLabel: pretty(low) ? undefined : false,
    showMaxLabel: pretty(high) ? undefined : false,
  });
  return {
    textStyle: text,
    title: alone && block.title ? { text: say(block.title), left: 12, top: 8, textStyle: { ...text, fontSize: 15 } } : undefined,
    legend: alone ? { type: "scroll", top: 34, left: 12, data: drawn.map((curve) => curve.label), textStyle: { ...text, fontSize: 11 } } : undefined,
    grid: { left: 56, right: 18, top: alone ? 70 : 12, bottom: 44 },
    xAxis: { ...x, type: "value", min: view.x[0], max: view.x[1], minInterval: block.x.integer ? 1 : undefined, nameGap: 26, axisLabel: { ...x.axisLabel, formatter: label(block.x.percent), ...ends(view.x) } },
    yAxis: { ...y, type: logarithmic ? "log" : "value", min: view.y[0], max: view.y[1], nameGap: 42, axisLabel: { ...y.axisLabel, formatter: label(block.y.percent), ...ends(view.y) } },
    series: [...diagonal, ...faint, ...solid, ...markSeries(block, drawn, view, colours, say)],
  };
}

/** Whether a number is round enough to stand at the end of an axis. @param {number} value */
const pretty = (value) => Number.isInteger(value * 4);
