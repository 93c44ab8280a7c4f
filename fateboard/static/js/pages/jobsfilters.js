/** The filters of the list of jobs. All their state is in the address. */

import { html, useEffect, useRef, useState } from "../html.js";
import { t } from "../i18n.js";
import { Icon } from "../icons.js";
import { usePopover } from "../popover.js";
import { setQuery } from "../router.js";
import { Button, IconButton, MultiSelect, SearchBox, Status, statusWord } from "../ui.js";

/** @typedef {Record<string, Record<string, number>>} Facets */

/** Filters of several values: the address's member, its name, and how a value reads.
 * @returns {{id: string, name: string, say: (value: string) => string}[]} */
function lists() {
  return [
    { id: "status", name: t("jobs.status"), say: statusWord },
    { id: "role", name: t("jobs.role"), say: String },
    { id: "party_id", name: t("jobs.party"), say: String },
    { id: "module", name: t("jobs.module"), say: String },
  ];
}

/** Filters by a text that is contained. @returns {{id: string, name: string, field: string}[]} */
function texts() {
  return [
    { id: "partner", name: t("jobs.partner"), field: t("jobs.partner_contains") },
    { id: "note", name: t("jobs.notes"), field: t("jobs.notes_contain") },
  ];
}

export const FILTERS = ["q", "status", "role", "party_id", "partner", "module", "note", "from", "to"];

/** @param {Record<string, string>} query @param {string} id */
export function valuesOf(query, id) {
  return (query[id] ?? "").split(",").filter(Boolean);
}

/** A change of filters begins at the first page.
 * @param {Record<string, string>} partial @param {boolean} [replace] */
function filter(partial, replace = false) {
  setQuery({ ...partial, page: "" }, { replace });
}

/** @param {Record<string, number>} counts @param {string[]} chosen */
function ordered(counts, chosen) {
  const ids = new Set([...chosen, ...Object.keys(counts)]);
  return [...ids].sort((a, b) => (counts[b] ?? 0) - (counts[a] ?? 0) || a.localeCompare(b));
}

/** @param {{query: Record<string, string>, facets: Facets, inputRef: any,
 *   onEnter: () => void}} props */
export function Filters({ query, facets, inputRef, onEnter }) {
  return html`<div class="filters" role="search" aria-label=${t("jobs.filters")}>
    <${SearchBox}
      value=${query.q ?? ""}
      label=${t("jobs.search")}
      inputRef=${inputRef}
      onEnter=${onEnter}
      onInput=${(/** @type {string} */ q) => filter({ q }, true)}
    />
    ${lists().map(({ id, name, say }) => {
      const chosen = valuesOf(query, id);
      const counts = facets[id] ?? {};
      return html`<${MultiSelect}
        key=${id}
        label=${name}
        values=${chosen}
        onChange=${(/** @type {string[]} */ values) => filter({ [id]: values.join(",") })}
        options=${ordered(counts, chosen).map((value) => ({
          id: value,
          label: id === "status" ? html`<${Status} status=${value} />` : value,
          text: say(value),
          count: counts[value] ?? 0,
        }))}
      />`;
    })}
    ${texts().map(
      ({ id, name, field }) => html`<${FormPopover} key=${id} label=${name} active=${Boolean(query[id])}>
        ${(/** @type {() => void} */ close) => html`<${TextForm} id=${id} field=${field} value=${query[id] ?? ""} close=${close} />`}
      <//>`,
    )}
    <${DateFilter} from=${query.from ?? ""} to=${query.to ?? ""} />
  </div>`;
}

/** A button with a small form below it.
 * @param {{label: string, active: boolean, children: (close: () => void) => any}} props */
function FormPopover({ label, active, children }) {
  const { open, setOpen, root, list } = usePopover();
  const close = () => {
    setOpen(false);
    /** @type {HTMLElement | null | undefined} */ (root.current?.querySelector("button"))?.focus();
  };
  return html`<div class="popover-root" ref=${root}>
    <button
      type="button"
      class=${active ? "button button-filter active" : "button button-filter"}
      aria-haspopup="dialog"
      aria-expanded=${String(open)}
      onClick=${() => setOpen(!open)}
    >
      <span>${label}</span><${Icon} name="chevron_down" size=${14} />
    </button>
    ${open && html`<div class="popover" popover="manual" role="group" aria-label=${label} ref=${list}>${children(close)}</div>`}
  </div>`;
}

/** @param {{id: string, field: string, value: string, close: () => void}} props */
function TextForm({ id, field, value, close }) {
  const [text, setText] = useState(value);
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  useEffect(() => input.current?.select(), []);
  /** @param {Event} event */
  const submit = (event) => {
    event.preventDefault();
    filter({ [id]: text });
    close();
  };
  return html`<form class="form-popover" onSubmit=${submit}>
    <label class="field">
      <span class="field-label">${field}</span>
      <input
        type="text"
        ref=${input}
        value=${text}
        onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)}
      />
    </label>
    <div class="row"><${Button} small type="submit" kind="primary">${t("action.apply")}<//></div>
  </form>`;
}

const DAY_MS = 86_400_000;

/** A day of the browser's zone as the input field names it. @param {string} ms */
function dayOf(ms) {
  if (!ms) return "";
  const at = new Date(Number(ms));
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

/** The day's first and last millisecond here. @param {string} day */
function bounds(day) {
  const [year, month, date] = day.split("-").map(Number);
  return [new Date(year, month - 1, date).getTime(), new Date(year, month - 1, date + 1).getTime() - 1];
}

/** @param {string} from @param {string} to */
function rangeText(from, to) {
  if (from && to) return `${dayOf(from)} – ${dayOf(to)}`;
  return from ? t("jobs.since", { day: dayOf(from) }) : t("jobs.until", { day: dayOf(to) });
}

/** @param {{from: string, to: string}} props */
function DateFilter({ from, to }) {
  return html`<${FormPopover} label=${t("jobs.date")} active=${Boolean(from || to)}>
    ${(/** @type {() => void} */ close) => html`<${DateForm} from=${from} to=${to} close=${close} />`}
  <//>`;
}

/** @param {{from: string, to: string, close: () => void}} props */
function DateForm({ from, to, close }) {
  const [first, setFirst] = useState(dayOf(from));
  const [last, setLast] = useState(dayOf(to));
  const turned = Boolean(first && last && first > last);
  /** @param {string} start @param {string} end */
  const apply = (start, end) => {
    filter({ from: start && String(bounds(start)[0]), to: end && String(bounds(end)[1]) });
    close();
  };
  /** @param {number} days */
  const recent = (days) => apply(dayOf(String(Date.now() - (days - 1) * DAY_MS)), "");
  return html`<form
    class="form-popover"
    onSubmit=${(/** @type {Event} */ event) => {
      event.preventDefault();
      if (!turned) apply(first, last);
    }}
  >
    <div class="row row-wrap recent-days">
      <${Button} small onClick=${() => recent(1)}>${t("jobs.today")}<//>
      <${Button} small onClick=${() => recent(7)}>${t("jobs.days", { days: 7 })}<//>
      <${Button} small onClick=${() => recent(30)}>${t("jobs.days", { days: 30 })}<//>
    </div>
    <label class="field">
      <span class="field-label">${t("jobs.from")}</span>
      <input type="date" value=${first} max=${last} onInput=${(/** @type {any} */ event) => setFirst(event.currentTarget.value)} />
    </label>
    <label class="field">
      <span class="field-label">${t("jobs.to")}</span>
      <input type="date" value=${last} min=${first} onInput=${(/** @type {any} */ event) => setLast(event.currentTarget.value)} />
    </label>
    ${turned && html`<p class="field-problem" role="alert">${t("jobs.dates_turned")}</p>`}
    <div class="row"><${Button} small type="submit" kind="primary" disabled=${turned}>${t("action.apply")}<//></div>
  </form>`;
}

/** What is filtered by, each with a cross. @param {{query: Record<string, string>}} props */
export function FilterChips({ query }) {
  const chips = lists().flatMap(({ id, name, say }) =>
    valuesOf(query, id).map((value) => ({
      key: `${id}:${value}`,
      name,
      text: say(value),
      without: { [id]: valuesOf(query, id).filter((other) => other !== value).join(",") },
    })),
  );
  for (const { id, name } of texts()) {
    if (query[id]) chips.push({ key: id, name, text: query[id], without: { [id]: "" } });
  }
  if (query.from || query.to) {
    const text = rangeText(query.from, query.to);
    chips.push({ key: "date", name: t("jobs.date"), text, without: { from: "", to: "" } });
  }
  if (chips.length === 0) return null;
  return html`<div class="chips">
    ${chips.map(
      ({ key, name, text, without }) => html`<span class="chip filter-chip" key=${key}>
        <span class="filter-name">${name}</span><span class="filter-value">${text}</span>
        <${IconButton} icon="close" small label=${t("jobs.without", { filter: `${name} ${text}` })} onClick=${() => filter(without)} />
      </span>`,
    )}
    <${Button} small kind="quiet" onClick=${clearFilters}>${t("action.clear_all")}<//>
  </div>`;
}

export function clearFilters() {
  filter(Object.fromEntries(FILTERS.map((name) => [name, ""])));
}
