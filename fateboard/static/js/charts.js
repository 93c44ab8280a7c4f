// What all charts share: ECharts when it is first needed, a frame with exports and a table view,
// a tooltip made of text nodes. Nothing that a chart shows ever becomes HTML.

import { html, useEffect, useMemo, useRef, useState } from "./html.js";
import { say, t } from "./i18n.js";
import { dark, palette } from "./theme.js";
import { saveBlob, saveText } from "./blocks/files.js";
import { csv } from "./blocks/rows.js";
import { DataTable } from "./table.js";
import { IconButton, Menu } from "./ui.js";

/** @import {Column, Label} from "./types.js" */
/** @import {Cell} from "./blocks/rows.js" */
/** @import {Context} from "./blocks/index.js" */
/** @typedef {Record<string, any>} Option of ECharts */
/** @typedef {{columns: Column[], rows: Cell[][]}} ChartTable */
/** @typedef {{name: string, count: number, low: number | null, high: number | null, on?: boolean, last?: number | null}} Summary */

export const PICTURE_WIDTH = 1000;
export const PICTURE_HEIGHT = 560;

/** @type {Promise<any> | null} */
let loading = null;

/** The vendored library, fetched once, by the first chart. @returns {Promise<any>} */
export function echarts() {
  loading ??= import("../vendor/echarts.js");
  return loading;
}

/** Colours of now; the component draws again when the theme changes. */
export function usePalette() {
  const isDark = dark.value;
  return useMemo(palette, [isDark]);
}

/** @typedef {ReturnType<typeof palette>} Palette */

/** Axes as all charts draw them. @param {Palette} colours @param {string} name */
export function axisStyle(colours, name) {
  return {
    name,
    nameLocation: "middle",
    nameTextStyle: { color: colours.ink3, fontFamily: colours.font, fontSize: 12, fontWeight: 500 },
    axisLine: { lineStyle: { color: colours.line } },
    axisTick: { show: false },
    axisLabel: { color: colours.ink3, fontFamily: colours.font, fontSize: 11, hideOverlap: true },
    splitLine: { lineStyle: { color: colours.line, width: 1 } },
  };
}

/**
 * A picture of an option, drawn out of sight.
 * @param {Option} option @param {"png" | "svg"} type @returns {Promise<Blob>}
 */
export async function picture(option, type) {
  const library = await echarts();
  const size = { width: PICTURE_WIDTH, height: PICTURE_HEIGHT };
  const still = { ...option, animation: false };
  if (type === "svg") {
    const chart = library.init(null, null, { renderer: "svg", ssr: true, ...size });
    chart.setOption(still);
    const text = chart.renderToSVGString();
    chart.dispose();
    return new Blob([text], { type: "image/svg+xml" });
  }
  const chart = library.init(document.createElement("div"), null, { ...size, devicePixelRatio: 2 });
  chart.setOption(still);
  const canvas = chart.getRenderedCanvas({ pixelRatio: 2, backgroundColor: palette().surface });
  const blob = await canvasBlob(canvas);
  chart.dispose();
  return blob;
}

/** @param {HTMLCanvasElement} canvas @returns {Promise<Blob>} */
export function canvasBlob(canvas) {
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no picture"))), "image/png"),
  );
}

/**
 * A drawn chart that fills its box and follows its size. `onReady` gets the instance, and null
 * when it is gone.
 * @param {{option: Option, height: number, onReady?: (chart: any) => void}} props
 */
export function Drawing({ option, height, onReady }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const chart = useRef(/** @type {any} */ (null));
  const latest = useRef(option);
  latest.current = option;
  useEffect(() => {
    let gone = false;
    let frame = 0;
    const observer = new ResizeObserver(() => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(() => chart.current?.resize());
    });
    echarts().then((library) => {
      if (gone || !box.current) return;
      chart.current = library.init(box.current);
      chart.current.setOption({ ...latest.current, animation: false });
      observer.observe(box.current);
      onReady?.(chart.current);
    });
    return () => {
      gone = true;
      cancelAnimationFrame(frame);
      observer.disconnect();
      chart.current?.dispose();
      chart.current = null;
      onReady?.(null);
    };
  }, []);
  useEffect(() => chart.current?.setOption({ ...option, animation: false }, { notMerge: true }), [option]);
  return html`<div class="chart-drawing" ref=${box} style=${{ height: `${height}px` }}></div>`;
}

/**
 * Title, tools, table switch and exports around a chart.
 * @param {{title?: Label, help?: Label, name: string, kind: string, series: Summary[], label: string,
 *   table: ChartTable, draw: (type: "png" | "svg") => Promise<Blob>, context?: Context,
 *   tools?: unknown, legend?: unknown, children?: unknown, extra?: {label: string, save: () => void}[]}} props
 */
export function ChartFrame({ title, help, name, kind, series, label, table, draw, context, tools, legend, children, extra = [] }) {
  const [asTable, setAsTable] = useState(false);
  const latest = useRef(draw);
  latest.current = draw;
  useEffect(() => {
    const pictures = context?.pictures;
    if (!pictures) return undefined;
    let own = name;
    for (let n = 2; pictures.has(own); n++) own = `${name}_${n}`;
    pictures.set(own, () => latest.current("png"));
    return () => void pictures.delete(own);
  }, [name, context?.pictures]);
  const save = async (/** @type {"png" | "svg"} */ type) => saveBlob(`${name}.${type}`, await draw(type));
  const saveTable = () =>
    saveText(`${name}.csv`, csv(table.columns.map((column) => say(column.label)), table.rows), "text/csv");
  const items = [
    { label: t("blocks.save_png"), onSelect: () => save("png") },
    { label: t("blocks.save_svg"), onSelect: () => save("svg") },
    { label: t("blocks.save_csv"), onSelect: saveTable },
    ...extra.map((one) => ({ label: one.label, onSelect: one.save })),
  ];
  return html`<figure class="chart" data-kind=${kind} data-series=${JSON.stringify(series)}>
    <figcaption class="dt-tools">
      ${title ? html`<h3 class="b-title">${say(title)}</h3>` : !asTable && legend}
      <span class="b-grow"></span>
      ${!asTable && tools}
      <${IconButton} small icon=${asTable ? "chart" : "table"} pressed=${asTable} label=${t("blocks.as_table")} onClick=${() => setAsTable(!asTable)} />
      <${Menu} label=${t("blocks.save_chart")} icon="download" align="right" items=${items} />
    </figcaption>
    ${title && !asTable && legend}
    ${asTable
      ? html`<${DataTable} columns=${table.columns} rows=${table.rows} filename=${name} caption=${label} />`
      : children}
    ${help && html`<p class="b-help">${say(help)}</p>`}
  </figure>`;
}

/** @typedef {{x: number, y: number, title: string, rows: {colour?: string, label: string, value: string, note?: string}[],
 *   dots?: {x: number, y: number, colour: string}[], line?: number, spoken?: boolean}} Tip */

/** What the pointer is on. @param {{tip: {value: Tip | null}}} props tip: a signal */
export function Tooltip({ tip }) {
  const shown = tip.value;
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    const element = box.current;
    const room = element?.parentElement;
    if (!shown || !element || !room) return;
    const right = shown.x + 14 + element.offsetWidth <= room.clientWidth;
    const left = right ? shown.x + 14 : Math.max(0, shown.x - 14 - element.offsetWidth);
    const top = Math.max(0, Math.min(shown.y - 12, room.clientHeight - element.offsetHeight));
    element.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
    element.style.opacity = "1";
  });
  if (!shown) return null;
  return html`${shown.line !== undefined && html`<div class="chart-line" style=${{ left: `${shown.line}px` }}></div>`}
    ${shown.dots?.map((dot, index) => html`<i key=${index} class="chart-dot" style=${{ left: `${dot.x}px`, top: `${dot.y}px`, background: dot.colour }}></i>`)}
    <div class="chart-tip" ref=${box} role=${shown.spoken ? "status" : undefined} aria-hidden=${shown.spoken ? undefined : "true"}>
      ${shown.title && html`<div class="chart-tip-title">${shown.title}</div>`}
      ${shown.rows.map(
        (row, index) => html`<div key=${index} class="chart-tip-row">
          ${row.colour && html`<i style=${{ background: row.colour }}></i>`}
          <span class="chart-tip-label">${row.label}</span><b>${row.value}</b>${row.note && html`<small>${row.note}</small>`}
        </div>`,
      )}
    </div>`;
}

/** Least and greatest of numbers, of which some are missing. @param {(number | null)[]} values */
export function extremes(values) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value === null || !Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low > high ? { low: null, high: null } : { low, high };
}
