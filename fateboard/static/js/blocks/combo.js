// Bars and lines over categories: bins, quantiles, counts.

import { html, useMemo, useRef, useSignal } from "../html.js";
import { integer, number, percent } from "../format.js";
import { say, t } from "../i18n.js";
import { ChartFrame, Drawing, Tooltip, axisStyle, extremes, picture, usePalette } from "../charts.js";

/** @import {Axis, Combo, Label} from "../types.js" */
/** @import {Context} from "./index.js" */
/** @import {Option, Palette} from "../charts.js" */

const HEIGHT = 320;
const ROTATE_FROM = 9;
const ZOOM_FROM = 60;
const LABEL_WIDEST = 116;
const LETTER_WIDTH = 6.4;

/** @param {Axis | undefined} axis @param {number | null} value */
function shownBy(axis, value) {
  if (value === null) return "-";
  return axis?.percent ? percent(value) : axis?.integer ? integer(value) : number(value);
}

/** @param {{block: Combo, colours: Palette, say: (label: Label) => string, alone?: boolean}} of @returns {Option} */
function comboOption({ block, colours, say, alone = false }) {
  const text = { color: colours.ink, fontFamily: colours.font };
  const stacked = new Set(block.series.map((one) => one.stack).filter(Boolean));
  const base = axisStyle(colours, block.x ? say(block.x) : "");
  const tilted = block.categories.length >= ROTATE_FROM || block.categories.some((name) => name.length > 14);
  const longest = Math.max(0, ...block.categories.map((name) => name.length));
  const label = Math.min(LABEL_WIDEST, longest * LETTER_WIDTH);
  const below = tilted ? label / 2 + 14 : 18;
  const value = (/** @type {Axis} */ axis, /** @type {number} */ at) => {
    const style = axisStyle(colours, say(axis.label));
    return {
      ...style,
      type: "value",
      position: at ? "right" : "left",
      nameGap: 46,
      splitLine: at ? { show: false } : style.splitLine,
      minInterval: axis.integer ? 1 : undefined,
      axisLabel: { ...style.axisLabel, formatter: (/** @type {number} */ v) => shownBy(axis, v) },
    };
  };
  const series = block.series.map((one, index) => ({
    type: one.type,
    name: say(one.label),
    data: one.values,
    yAxisIndex: one.axis ?? 0,
    stack: one.stack || undefined,
    color: colours.series[index % colours.series.length],
    silent: true,
    barMaxWidth: 42,
    barGap: "12%",
    itemStyle: one.type === "bar" ? { borderRadius: stacked.has(one.stack) ? 0 : [3, 3, 0, 0], opacity: 0.86 } : undefined,
    lineStyle: { width: 2 },
    symbol: "circle",
    symbolSize: 6,
    z: one.type === "line" ? 3 : 2,
  }));
  const many = block.categories.length > ZOOM_FROM;
  return {
    textStyle: text,
    title: alone && block.title ? { text: say(block.title), left: 12, top: 8, textStyle: { ...text, fontSize: 15 } } : undefined,
    legend: { show: block.series.length > 1, type: "scroll", top: alone ? 34 : 0, left: alone ? 12 : 0, itemWidth: 14, itemHeight: 9, icon: "roundRect", textStyle: { color: colours.ink2, fontFamily: colours.font, fontSize: 12 }, pageTextStyle: text },
    grid: { left: 64, right: block.axes.length > 1 ? 64 : 18, top: alone ? 72 : block.series.length > 1 ? 36 : 12, bottom: below + (block.x ? 26 : 4) + (many ? 24 : 0) },
    xAxis: { ...base, type: "category", data: block.categories, nameGap: below + 8, splitLine: { show: false }, axisLabel: { ...base.axisLabel, rotate: tilted ? 30 : 0, width: LABEL_WIDEST, overflow: "truncate" } },
    yAxis: block.axes.map(value),
    dataZoom: many && !alone ? [{ type: "slider", height: 16, bottom: 6, textStyle: { color: colours.ink3 } }] : undefined,
    series,
  };
}

/** @param {Combo} block @returns {import("../charts.js").ChartTable} */
function tableOf(block) {
  const format = (/** @type {number | undefined} */ axis) => (block.axes[axis ?? 0]?.percent ? "percent" : "number");
  return {
    columns: [
      { id: "category", label: block.x || t("blocks.category") },
      ...block.series.map((one, index) => ({ id: `s${index}`, label: one.label, format: /** @type {"percent" | "number"} */ (format(one.axis)) })),
    ],
    rows: block.categories.map((category, row) => [category, ...block.series.map((one) => one.values[row] ?? null)]),
  };
}

/** Follows the pointer or the arrow keys over the categories.
 * @param {{current: any}} chart @param {Combo} block @param {Palette} colours */
function useCategoryTip(chart, block, colours) {
  const tip = useSignal(/** @type {import("../charts.js").Tip | null} */ (null));
  const walked = useRef(-1);
  const show = (/** @type {number} */ at, /** @type {number} */ y, /** @type {boolean} */ spoken) => {
    if (at < 0 || at >= block.categories.length) return void (tip.value = null);
    const x = chart.current.convertToPixel({ xAxisIndex: 0 }, at);
    tip.value = {
      x, y, spoken, line: x, title: block.categories[at],
      rows: block.series.map((one, index) => ({
        colour: colours.series[index % colours.series.length],
        label: say(one.label),
        value: shownBy(block.axes[one.axis ?? 0], one.values[at] ?? null),
      })),
    }; // prettier-ignore
  };
  const move = (/** @type {PointerEvent} */ event) => {
    const box = /** @type {HTMLElement} */ (event.currentTarget).getBoundingClientRect();
    const at = [event.clientX - box.left, event.clientY - box.top];
    if (!chart.current?.containPixel({ gridIndex: 0 }, at)) return void (tip.value = null);
    show(Math.round(chart.current.convertFromPixel({ gridIndex: 0 }, at)[0]), at[1], false);
  };
  const keys = (/** @type {KeyboardEvent} */ event) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (!step || !chart.current) return;
    event.preventDefault();
    walked.current = Math.max(0, Math.min(block.categories.length - 1, walked.current + step));
    show(walked.current, 60, true);
  };
  const leave = () => (tip.value = null);
  return { tip, on: { onPointerMove: move, onPointerLeave: leave, onBlur: leave, onKeyDown: keys } };
}

/** @param {{block: Combo, context: Context}} props */
export function ComboBlock({ block, context }) {
  const colours = usePalette();
  const chart = useRef(/** @type {any} */ (null));
  const option = useMemo(() => comboOption({ block, colours, say }), [block, colours]);
  const { tip, on } = useCategoryTip(chart, block, colours);
  const title = block.title ? say(block.title) : block.series.map((one) => say(one.label)).join(", ");
  const label = t("blocks.combo_description", { title, n: block.categories.length });
  const series = block.series.map((one) => ({ name: say(one.label), type: one.type, count: one.values.length, ...extremes(one.values) }));
  return html`<${ChartFrame}
    title=${block.title}
    help=${block.help}
    name=${block.export_name || block.id}
    kind="combo"
    series=${series}
    label=${label}
    table=${tableOf(block)}
    draw=${(/** @type {"png" | "svg"} */ type) => picture(comboOption({ block, colours, say, alone: true }), type)}
    context=${context}
  >
    ${block.categories.length === 0
      ? html`<p class="chart-empty">${t("blocks.no_points")}</p>`
      : html`<div class="chart-box" tabindex="0" role="group" aria-label=${label} ...${on}>
          <${Drawing} option=${option} height=${HEIGHT} onReady=${(/** @type {any} */ instance) => (chart.current = instance)} />
          <${Tooltip} tip=${tip} />
        </div>`}
  <//>`;
}
