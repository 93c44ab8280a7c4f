// A table that draws only the rows and columns in sight, for everyone.

import { html, useEffect, useMemo, useRef, useState } from "./html.js";
import { cell, full } from "./format.js";
import { say, t } from "./i18n.js";
import { FindBox, useFind } from "./tablefind.js";
import { Button } from "./ui.js";
import { saveText } from "./blocks/files.js";
import { Picker, RangeFilter } from "./blocks/filters.js";
import {
  barDomain,
  csv,
  facetCounts,
  filtered,
  flagText,
  flagsByCell,
  ordered,
  wantedWidth,
} from "./blocks/rows.js";

/** @import {Column as DataColumn, Flag, Label, Range} from "./types.js" */
/** @import {Cell, Sort} from "./blocks/rows.js" */
/** @typedef {DataColumn & {render?: (value: Cell, row: number) => unknown}} Column */
/**
 * @typedef {object} Props
 * @property {Column[]} columns
 * @property {Cell[][]} rows
 * @property {Flag[]} [flags]
 * @property {Cell[][]} [footer] rows that stay last
 * @property {number} [pageSize] rows in sight at once; 0: all, up to most of the window's height
 * @property {number} [frozen] how many columns stay, beside those that say so themselves
 * @property {string[]} [facets] ids of columns to filter by value
 * @property {Range[]} [ranges] sliders
 * @property {string} [filename] of the export, without ".csv"; "" offers none
 * @property {unknown} [empty] shown when there is no row
 * @property {string} [caption] for who cannot see the table
 * @property {Label} [title] heading above
 * @property {unknown} [actions] beside the search box
 * @property {boolean} [search] whether to offer it however few rows there are
 * @property {(row: number) => string} [rowClass]
 * @property {(row: number) => void} [onRow] a row was pressed
 * @property {(csv: (() => string) | null) => void} [onFiltered] what makes a file of the rows that filters leave; null
 *   while all rows are shown
 */

const ROW_HEIGHT = 30;
const HEAD_HEIGHT = 34;
const SPARE_ROWS = 4;
const SPARE_PIXELS = 160;
/** What is drawn moves by so many pixels at once; in between, scrolling draws and lays out nothing. */
const STEP_DOWN = 2 * ROW_HEIGHT;
const STEP_ASIDE = 320;
const SEARCH_FROM = 8;
const MOST_STRETCHED = 1.5;
const SCROLL_BAR = 14;
const EMPTY_HEIGHT = 64;
/** Share of the box that frozen columns may take, so that others are in sight. */
const STAYING_MOST = 0.45;
/** The same each time, so that what depends on it stays. @type {never[]} */
const NONE = [];

/** @param {Column[]} columns @param {number} frozen @returns {number[]} indices, frozen ones first */
function columnOrder(columns, frozen) {
  const stays = columns.map((column, index) => column.frozen || index < frozen);
  const all = columns.map((_, index) => index);
  return [...all.filter((index) => stays[index]), ...all.filter((index) => !stays[index])];
}

/** Where each column starts, and where the last one ends. @param {number[]} widths */
function offsets(widths) {
  const starts = [0];
  for (const width of widths) starts.push(starts[starts.length - 1] + width);
  return starts;
}

/** First index whose start lies beyond `at`. @param {number[]} starts @param {number} at */
function firstBeyond(starts, at) {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (starts[middle] > at) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The size of the scrolled box and how far it is scrolled, in steps, following both. */
function useViewport() {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const [view, setView] = useState({ top: 0, left: 0, width: 0, height: 400, room: 0 });
  useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    let frame = 0;
    const read = () => {
      frame = 0;
      const { clientWidth: width, clientHeight: height } = element;
      const top = Math.floor(element.scrollTop / STEP_DOWN) * STEP_DOWN;
      const left = Math.floor(element.scrollLeft / STEP_ASIDE) * STEP_ASIDE;
      const room = element.parentElement?.clientWidth ?? width;
      const next = { top, left, width, height, room };
      setView((old) => (String(Object.values(old)) === String(Object.values(next)) ? old : next));
    };
    const soon = () => {
      if (!frame) frame = requestAnimationFrame(read);
    };
    read();
    element.addEventListener("scroll", soon, { passive: true });
    const observer = new ResizeObserver(soon);
    observer.observe(element);
    if (element.parentElement) observer.observe(element.parentElement);
    return () => {
      cancelAnimationFrame(frame);
      element.removeEventListener("scroll", soon);
      observer.disconnect();
    };
  }, []);
  return /** @type {const} */ ([box, view]);
}

/** @param {{value: number, low: number, high: number}} props */
function Bar({ value, low, high }) {
  const span = high - low || 1;
  const from = ((Math.min(0, value) - low) / span) * 100;
  const width = (Math.abs(value) / span) * 100;
  return html`<span class="dt-bar" aria-hidden="true">
    <span class=${value < 0 ? "is-negative" : ""} style=${{ left: `${from}%`, width: `${width}%` }}></span>
  </span>`;
}

/** @param {DataColumn["format"]} format */
const isNumeric = (format) => format !== undefined && format !== "text" && format !== "yes_no";

/** @typedef {{columns: Column[], order: number[], widths: number[], starts: number[],
 *   frozen: number, first: number, last: number, flags: Map<string, Flag>,
 *   domains: Map<number, {low: number, high: number}>, marked: Set<string>, current: string}} Layout */

const FLAGS = /** @type {const} */ (["other_party", "nan", "infinite", "minus_infinite", "removed", "best", "differs"]);

/** What a flag makes of a cell, if it has any. @param {Layout} layout @param {number} row @param {number} index */
function flagsOf(layout, row, index) {
  if (!layout.flags.size) return NONE;
  return FLAGS.map((name) => layout.flags.get(`${row}:${index}:${name}`)).filter((flag) => flag !== undefined);
}

/** A cell; not a component, as there are many. @param {Layout} layout @param {Cell} value
 * @param {number} row @param {number} place */
function drawCell(layout, value, row, place) {
  const index = layout.order[place];
  const column = layout.columns[index];
  const flags = flagsOf(layout, row, index);
  const key = `${row}:${index}`;
  const frozen = place < layout.frozen;
  let look = isNumeric(column.format) || typeof value === "number" ? "is-number" : "";
  if (frozen) look += " is-frozen";
  if (layout.marked.has(key)) look += layout.current === key ? " is-found is-current" : " is-found";
  for (const flag of flags) look += ` is-${flag.flag}`;
  const text = cell(value, column.format ?? "text", flags[0]?.flag);
  const hint = flags.length ? flags.map(flagText).join(" · ") : typeof value === "number" ? full(value) : text;
  const domain = column.format === "bar" && typeof value === "number" ? layout.domains.get(index) : undefined;
  return html`<td
    key=${index}
    class=${look}
    style=${frozen ? { left: `${layout.starts[place]}px` } : undefined}
    title=${column.render ? undefined : hint}
    aria-colindex=${place + 1}
  >
    ${domain && html`<${Bar} value=${/** @type {number} */ (value)} low=${domain.low} high=${domain.high} />`}
    ${column.render ? column.render(value, row) : look.includes("is-") && look !== "is-number" ? html`<span class="dt-text">${text}</span>` : text}
    ${flags.length > 0 && html`<span class="hidden-label"> (${flags.map(flagText).join(", ")})</span>`}
  </td>`;
}

/** The cells of a row that are in sight, and two that stand for those beside them.
 * @param {Layout} layout @param {(place: number) => unknown} draw */
function inSight(layout, draw) {
  const { frozen, first, last, order } = layout;
  const cells = [];
  for (let place = 0; place < frozen; place++) cells.push(draw(place));
  if (first > frozen) cells.push(html`<td key="before" class="dt-gap" aria-hidden="true"></td>`);
  for (let place = first; place < last; place++) cells.push(draw(place));
  if (last < order.length) cells.push(html`<td key="after" class="dt-gap" aria-hidden="true"></td>`);
  return cells;
}

/** @param {{layout: Layout}} props */
function ColumnWidths({ layout }) {
  const { frozen, first, last, widths, starts, order } = layout;
  const wide = (/** @type {number} */ width) => html`<col style=${{ width: `${width}px` }} />`;
  const cols = widths.slice(0, frozen).map(wide);
  if (first > frozen) cols.push(wide(starts[first] - starts[frozen]));
  for (let place = first; place < last; place++) cols.push(wide(widths[place]));
  if (last < order.length) cols.push(wide(starts[order.length] - starts[last]));
  return html`<colgroup>${cols}</colgroup>`;
}

/** Whether a heading stands above numbers: where nothing is said of a column, as in a preview of data,
 * its first value tells. @param {DataColumn} column @param {Cell[][]} rows @param {number} index */
function holdsNumbers(column, rows, index) {
  if (isNumeric(column.format)) return true;
  if (column.format === "yes_no") return false;
  const first = rows.find((row) => row[index] !== null && row[index] !== undefined && row[index] !== "");
  return first !== undefined && typeof first[index] === "number";
}

/** @param {{layout: Layout, rows: Cell[][], sort: Sort | null, onSort: (column: number) => void}} props */
function Head({ layout, rows, sort, onSort }) {
  const draw = (/** @type {number} */ place) => {
    const index = layout.order[place];
    const column = layout.columns[index];
    const label = say(column.label);
    const help = column.help ? say(column.help) : "";
    const sorted = sort?.column === index ? (sort.descending ? "descending" : "ascending") : undefined;
    const name = html`<span class="dt-text">${label}</span>`;
    return html`<th
      key=${index}
      scope="col"
      class=${`${holdsNumbers(column, rows, index) ? "is-number" : ""} ${place < layout.frozen ? "is-frozen" : ""}`}
      style=${place < layout.frozen ? { left: `${layout.starts[place]}px` } : undefined}
      aria-sort=${sorted}
      aria-colindex=${place + 1}
      title=${help ? `${label}: ${help}` : label}
    >
      ${column.sortable === false
        ? name
        : html`<button type="button" onClick=${() => onSort(index)}>
            ${name}<span class=${`dt-arrow ${sorted ?? ""}`} aria-hidden="true"></span>
          </button>`}
    </th>`;
  };
  return html`<thead><tr aria-rowindex="1">${inSight(layout, draw)}</tr></thead>`;
}

/** Which columns are in sight; how wide each is once the table fills its box.
 * @param {Props} props @param {{left: number, width: number, room: number}} view */
function useColumns({ columns, rows, frozen = 0 }, view) {
  const order = useMemo(() => columnOrder(columns, frozen), [columns, frozen]);
  const stay = useMemo(
    () => columns.filter((column, index) => column.frozen || index < frozen).length,
    [columns, frozen],
  );
  const wanted = useMemo(
    () => order.map((index) => wantedWidth(rows, columns[index], index, say(columns[index].label))),
    [order, columns, rows],
  );
  const total = wanted.reduce((sum, width) => sum + width, 0);
  const stretch = Math.max(1, Math.min(MOST_STRETCHED, (view.room - 2) / (total || 1)));
  const widths = useMemo(() => {
    const staying = wanted.slice(0, stay).reduce((sum, width) => sum + width, 0);
    const shrink = Math.min(1, (view.room * STAYING_MOST) / (staying || 1));
    const scale = (/** @type {number} */ place) => (total > view.room && place < stay ? shrink : stretch);
    return wanted.map((width, place) => Math.floor(width * scale(place)));
  }, [wanted, stretch, stay, total, view.room]);
  const starts = useMemo(() => offsets(widths), [widths]);
  const seen = view.left + starts[stay];
  const first = Math.max(stay, firstBeyond(starts, seen - SPARE_PIXELS) - 1);
  const last = Math.min(order.length, firstBeyond(starts, view.left + STEP_ASIDE + view.width + SPARE_PIXELS));
  return { order, frozen: stay, widths, starts, first, last: Math.max(first, last) };
}

/** @param {Props} props @param {number[]} shown */
function csvOf({ columns, rows, footer = NONE, flags }, shown) {
  const headings = columns.map((column) => say(column.label));
  const kept = shown.map((row) => rows[row]);
  const place = new Map(shown.map((row, index) => [row, index]));
  const moved = (flags ?? [])
    .filter((flag) => place.has(flag.row))
    .map((flag) => ({ ...flag, row: /** @type {number} */ (place.get(flag.row)) }));
  return csv(headings, [...kept, ...footer], moved);
}

/** Tells what filters leave, for a file that others make. Sums of all rows do not belong there.
 * @param {Props} props @param {number[]} shown */
function useFiltered(props, shown) {
  const { rows, onFiltered } = props;
  useEffect(() => {
    if (!onFiltered || shown.length === rows.length) return undefined;
    onFiltered(() => csvOf({ ...props, footer: NONE }, shown));
    return () => onFiltered(null);
  }, [shown, rows, onFiltered]);
}

/** @param {Props} props */
export function DataTable(props) {
  const { columns, rows, flags = NONE, footer = NONE, pageSize = 20 } = props;
  const [sort, setSort] = useState(/** @type {Sort | null} */ (null));
  const [chosen, setChosen] = useState(/** @type {Record<string, Set<string>>} */ ({}));
  const [limits, setLimits] = useState(/** @type {Record<string, [number, number]>} */ ({}));
  const kept = useMemo(() => filtered(rows, columns, chosen, limits), [rows, columns, chosen, limits]);
  const shown = useMemo(() => ordered(rows, kept, sort), [rows, kept, sort]);
  useFiltered(props, shown);
  const find = useFind(rows, shown, columns);
  const [box, view] = useViewport();
  const place = useColumns(props, view);
  const byCell = useMemo(() => flagsByCell(flags), [flags]);
  const domains = useMemo(
    () => new Map(columns.flatMap((column, index) => (column.format === "bar" ? [[index, barDomain(rows, index)]] : []))),
    [columns, rows],
  );
  const marked = useMemo(() => new Set(find.found.map(({ row, column }) => `${row}:${column}`)), [find.found]);
  const current = find.found[find.at];
  useEffect(() => {
    const element = box.current;
    if (!element || !current) return;
    scrollTo(element, shown.indexOf(current.row), place.order.indexOf(current.column), place);
  }, [current]);

  /** @type {Layout} */
  const layout = { ...place, columns, flags: byCell, domains, marked, current: current ? `${current.row}:${current.column}` : "" };
  const onSort = (/** @type {number} */ column) =>
    setSort(sort?.column !== column ? { column, descending: false } : sort.descending ? null : { column, descending: true });
  const sight = pageSize > 0 ? Math.min(shown.length, pageSize) : shown.length;
  const from = Math.max(0, Math.floor(view.top / ROW_HEIGHT) - SPARE_ROWS);
  const to = Math.min(shown.length, Math.ceil((view.top + STEP_DOWN + view.height) / ROW_HEIGHT) + SPARE_ROWS);
  const gap = (/** @type {number} */ count, /** @type {string} */ key) =>
    count > 0 &&
    html`<tr key=${key} aria-hidden="true" class="dt-gap" style=${{ height: `${count * ROW_HEIGHT}px` }}><td></td></tr>`;
  const cells = (/** @type {Cell[]} */ row, /** @type {number} */ index) =>
    inSight(layout, (at) => drawCell(layout, row[layout.order[at]] ?? null, index, at));
  const wide = layout.starts[layout.order.length] > view.room - 2;
  const height = HEAD_HEIGHT + (sight + footer.length) * ROW_HEIGHT + (shown.length ? 0 : EMPTY_HEIGHT) + (wide ? SCROLL_BAR : 2);
  const scrolls = shown.length > sight || wide;

  return html`<div class="dt" data-rows=${rows.length} data-shown=${shown.length}>
    <${Toolbar} ...${props} find=${find} shown=${shown} chosen=${chosen} setChosen=${setChosen} limits=${limits} setLimits=${setLimits} />
    <div
      class="dt-scroll"
      ref=${box}
      tabindex=${scrolls ? 0 : undefined}
      role="group"
      aria-label=${props.caption ?? (props.title ? say(props.title) : t("blocks.table"))}
      style=${{ maxHeight: `min(${height}px, 78vh)` }}
    >
      <table style=${{ width: `${layout.starts[layout.order.length]}px` }} aria-rowcount=${shown.length + 1 + footer.length} aria-colcount=${columns.length}>
        <${ColumnWidths} layout=${layout} />
        <${Head} layout=${layout} rows=${rows} sort=${sort} onSort=${onSort} />
        <tbody>
          ${gap(from, "above")}
          ${shown.slice(from, to).map(
            (row, index) => html`<tr
              key=${row}
              aria-rowindex=${from + index + 2}
              class=${`${(from + index) % 2 ? "is-odd" : ""} ${props.onRow ? "is-link" : ""} ${props.rowClass?.(row) ?? ""}`}
              onClick=${props.onRow && (() => props.onRow?.(row))}
            >${cells(rows[row], row)}</tr>`,
          )}
          ${gap(shown.length - to, "below")}
        </tbody>
        ${footer.length > 0 &&
        html`<tfoot>${footer.map((row, index) => html`<tr key=${index} aria-rowindex=${shown.length + index + 2}>${cells(row, rows.length + index)}</tr>`)}</tfoot>`}
      </table>
      ${shown.length === 0 && html`<div class="dt-empty">${rows.length ? t("blocks.no_row_left") : (props.empty ?? t("blocks.no_rows"))}</div>`}
    </div>
  </div>`;
}

/** @param {HTMLElement} element @param {number} row @param {number} place
 * @param {{starts: number[], frozen: number}} columns */
function scrollTo(element, row, place, { starts, frozen }) {
  const top = row * ROW_HEIGHT;
  const room = element.clientHeight - HEAD_HEIGHT - ROW_HEIGHT;
  if (top < element.scrollTop || top > element.scrollTop + room) element.scrollTop = Math.max(0, top - room / 2);
  if (place < frozen) return;
  const left = starts[place] - starts[frozen];
  const right = starts[place + 1] - element.clientWidth;
  if (left < element.scrollLeft) element.scrollLeft = left;
  else if (right > element.scrollLeft) element.scrollLeft = right;
}

/**
 * @param {Props & {find: ReturnType<typeof useFind>, shown: number[],
 *   chosen: Record<string, Set<string>>, setChosen: (chosen: Record<string, Set<string>>) => void,
 *   limits: Record<string, [number, number]>, setLimits: (limits: Record<string, [number, number]>) => void}} props
 */
function Toolbar(props) {
  const { columns, rows, facets = NONE, ranges = NONE, filename, title, find, shown, chosen, limits } = props;
  const at = (/** @type {string} */ id) => columns.findIndex((column) => column.id === id);
  const counts = useMemo(() => new Map(facets.map((id) => [id, facetCounts(rows, at(id))])), [rows, columns, facets.join()]);
  const searched = props.search ?? rows.length > SEARCH_FROM;
  const offered = filename !== "" && rows.length > 0;
  if (!title && !searched && !facets.length && !ranges.length && !offered && !props.actions) return null;
  return html`<div class="dt-tools">
    ${title && html`<h3 class="b-title">${say(title)}</h3>`}
    ${rows.length > SEARCH_FROM && html`<span class="dt-count" role="status">${shown.length < rows.length ? t("blocks.rows_of", { n: shown.length, total: rows.length }) : t("blocks.rows", { n: rows.length })}</span>`}
    <span class="b-grow"></span>
    ${ranges.filter((range) => at(range.column) >= 0).map(
      (range) => html`<${RangeFilter}
        key=${range.column}
        label=${say(columns[at(range.column)].label)}
        min=${range.min}
        max=${range.max}
        step=${range.step}
        value=${thumbs(limits[range.column], range)}
        onChange=${(/** @type {[number, number]} */ value) => props.setLimits(withLimit(limits, range, value))}
      />`,
    )}
    ${facets.filter((id) => at(id) >= 0).map(
      (id) => html`<${Picker}
        key=${id}
        label=${say(columns[at(id)].label)}
        options=${(counts.get(id) ?? []).map(([value, count]) => ({ id: value, label: valueWord(value, columns[at(id)].format), count }))}
        selected=${chosen[id] ?? new Set()}
        onSelect=${(/** @type {Set<string>} */ ids) => props.setChosen({ ...chosen, [id]: ids })}
      />`,
    )}
    ${searched && html`<${FindBox} ...${find} />`}
    ${props.actions}
    ${offered && html`<${Button} small icon="download" title=${t("blocks.export_csv")} onClick=${() => saveText(`${filename || "table"}.csv`, csvOf(props, shown), "text/csv")}>CSV<//>`}
  </div>`;
}

/** A value to filter by as its cells show it. @param {string} value @param {DataColumn["format"]} format */
function valueWord(value, format) {
  if (value === "" || format === undefined || format === "text") return value;
  return cell(format === "yes_no" ? value === "true" : Number(value), format);
}

/** An end that was not moved is no limit: it would drop the rows that have no number, and those of
 * other rows that reach further.
 * @param {Record<string, [number, number]>} limits @param {Range} range @param {[number, number]} value */
function withLimit(limits, range, value) {
  const low = value[0] <= range.min ? -Infinity : value[0];
  const high = value[1] >= range.max ? Infinity : value[1];
  const next = { ...limits, [range.column]: /** @type {[number, number]} */ ([low, high]) };
  if (low === -Infinity && high === Infinity) delete next[range.column];
  return next;
}

/** Where the thumbs are. @param {[number, number] | undefined} limit @param {Range} range @returns {[number, number]} */
function thumbs(limit, { min, max }) {
  return limit ? [Math.min(max, Math.max(min, limit[0])), Math.max(min, Math.min(max, limit[1]))] : [min, max];
}
