// Controls above tables and charts that need more than the page's own: pick values, keep a range.

import { html, useEffect, useState } from "../html.js";
import { full, number } from "../format.js";
import { t } from "../i18n.js";
import { Icon } from "../icons.js";
import { usePopover } from "../popover.js";
import { IconButton, Select } from "../ui.js";

/**
 * A button that opens a panel below itself.
 * @param {{label: unknown, title?: string, active?: boolean, right?: boolean, children?: unknown}} props
 */
export function Popover({ label, title, active, right, children }) {
  const { open, setOpen, root, list } = usePopover(right ? "right" : "left");
  useEffect(() => {
    if (open) /** @type {HTMLElement | null | undefined} */ (list.current?.querySelector("input"))?.focus();
  }, [open]);
  return html`<span class="popover-root" ref=${root}>
    <button
      type="button"
      class=${`button button-small button-plain ${active ? "pressed" : ""}`}
      title=${title}
      aria-expanded=${String(open)}
      onClick=${() => setOpen(!open)}
    >
      <span class="b-chosen">${label}</span><${Icon} name="chevron_down" size=${12} />
    </button>
    ${open && html`<div class="popover b-panel" popover="manual" ref=${list}>${children}</div>`}
  </span>`;
}

const SEARCH_FROM = 8;
const MOST_SHOWN = 200;

/**
 * Check boxes in a panel, with a search when they are many. An empty selection keeps everything.
 * @param {{label: string, options: {id: string, label: string, count?: number}[],
 *   selected: Set<string>, onSelect: (ids: Set<string>) => void, most?: number, quiet?: boolean}} props
 *   quiet: the button does not tell how many are selected
 */
export function Picker({ label, options, selected, onSelect, most, quiet = false }) {
  const [text, setText] = useState("");
  const lower = text.toLowerCase();
  const found = lower ? options.filter((option) => option.label.toLowerCase().includes(lower)) : options;
  const full = most !== undefined && selected.size >= most;
  const toggle = (/** @type {string} */ id) => {
    const next = new Set(selected);
    if (!next.delete(id)) next.add(id);
    onSelect(next);
  };
  const caption = html`${label}${selected.size && !quiet ? html` <b class="b-count">${selected.size}</b>` : ""}`;
  return html`<${Popover} label=${caption} active=${selected.size > 0 && !quiet}>
    ${options.length > SEARCH_FROM &&
    html`<input
      type="search"
      class="b-input"
      value=${text}
      placeholder=${t("blocks.search")}
      aria-label=${t("blocks.search_in", { what: label })}
      onInput=${(/** @type {any} */ event) => setText(event.target.value)}
    />`}
    <div class="b-picks" role="group" aria-label=${label} tabindex="-1">
      ${found.slice(0, MOST_SHOWN).map(
        (option) => html`<label key=${option.id} class="b-pick">
          <input
            type="checkbox"
            checked=${selected.has(option.id)}
            disabled=${full && !selected.has(option.id)}
            onChange=${() => toggle(option.id)}
          />
          <span class="b-pick-label" title=${option.label}>${option.label || t("blocks.nothing")}</span>
          ${option.count !== undefined && html`<span class="b-muted">${option.count}</span>`}
        </label>`,
      )}
      ${found.length > MOST_SHOWN &&
      html`<p class="b-muted">${t("blocks.more_by_search", { n: found.length - MOST_SHOWN })}</p>`}
      ${found.length === 0 && html`<p class="b-muted">${t("blocks.no_match")}</p>`}
    </div>
    <div class="b-panel-foot">
      <span class="b-muted">
        ${most === undefined
          ? t("blocks.selected", { n: selected.size, total: options.length })
          : t("blocks.selected_most", { n: selected.size, total: options.length, most })}
      </span>
      <button type="button" class="b-link" onClick=${() => onSelect(new Set())}>${t("blocks.clear")}</button>
    </div>
  <//>`;
}

/**
 * Two thumbs on one track, and the same two numbers to type.
 * @param {{label: string, min: number, max: number, step: number, value: [number, number],
 *   onChange: (value: [number, number]) => void}} props
 */
export function RangeFilter({ label, min, max, step, value, onChange }) {
  const span = max - min || 1;
  const place = (/** @type {number} */ at) => ((at - min) / span) * 100;
  const set = (/** @type {0 | 1} */ thumb, /** @type {string} */ text) => {
    const wanted = Number(text);
    if (text === "" || Number.isNaN(wanted)) return;
    const next = /** @type {[number, number]} */ ([...value]);
    next[thumb] = thumb === 0 ? Math.min(wanted, value[1]) : Math.max(wanted, value[0]);
    onChange(next);
  };
  const thumb = (/** @type {0 | 1} */ which, /** @type {string} */ name) => html`<input
    type="range"
    min=${min}
    max=${max}
    step=${step}
    value=${value[which]}
    aria-label=${name}
    onInput=${(/** @type {any} */ event) => set(which, event.target.value)}
  />`;
  const typed = (/** @type {0 | 1} */ which, /** @type {string} */ name) =>
    html`<${NumberField} label=${name} value=${value[which]} onChange=${(/** @type {string} */ text) => set(which, text)} />`;
  const least = t("blocks.least", { what: label });
  const most = t("blocks.most", { what: label });
  return html`<div class="b-range" role="group" aria-label=${label}>
    <span class="b-range-label">${label}</span>
    ${typed(0, least)}
    <span class="b-thumbs" style=${{ "--from": `${place(value[0])}%`, "--to": `${place(value[1])}%` }}>
      ${thumb(0, least)}${thumb(1, most)}
    </span>
    ${typed(1, most)}
  </div>`;
}

/**
 * A number to type, which counts when it is all there. Till then it stays, whatever is drawn anew.
 * @param {{label: string, value: number, onChange: (text: string) => void}} props
 */
function NumberField({ label, value, onChange }) {
  const [draft, setDraft] = useState(/** @type {string | null} */ (null));
  return html`<input
    type="number"
    class="b-input is-number"
    step="any"
    value=${draft ?? number(value)}
    title=${full(value)}
    aria-label=${label}
    onInput=${(/** @type {any} */ event) => setDraft(event.target.value)}
    onChange=${(/** @type {any} */ event) => {
      setDraft(null);
      onChange(event.target.value);
    }}
  />`;
}

const NATIVE_MOST = 24;

/**
 * One of several options: the browser's own select, or a list with a search when they are many.
 * @param {{label: string, options: {id: string, label: string, group?: string}[], selected: string,
 *   onSelect: (id: string) => void, steps?: boolean}} props steps: buttons to the next and the one before
 */
export function Chooser({ label, options, selected, onSelect, steps }) {
  const at = options.findIndex((option) => option.id === selected);
  const to = (/** @type {number} */ index) => options[index] && onSelect(options[index].id);
  const step = (/** @type {number} */ by, /** @type {string} */ name, /** @type {string} */ icon) =>
    html`<${IconButton} small icon=${icon} label=${name} disabled=${!options[at + by]} onClick=${() => to(at + by)} />`;
  return html`<span class="b-chooser">
    <span class="b-range-label">${label}</span>
    ${steps && step(-1, t("blocks.previous"), "chevron_left")}
    ${options.length <= NATIVE_MOST
      ? html`<${Select} hideLabel label=${label} value=${selected} onChange=${onSelect} options=${options} />`
      : html`<${ManyOptions} label=${label} options=${options} selected=${selected} onSelect=${onSelect} />`}
    ${steps && step(1, t("blocks.next"), "chevron_right")}
  </span>`;
}

/** @template {{group?: string}} T @param {T[]} options @returns {[string, T[]][]} */
function grouped(options) {
  /** @type {Map<string, T[]>} */
  const groups = new Map();
  for (const option of options) {
    const members = groups.get(option.group ?? "") ?? [];
    groups.set(option.group ?? "", members);
    members.push(option);
  }
  return [...groups];
}

/** @param {{label: string, options: {id: string, label: string, group?: string}[], selected: string,
 *   onSelect: (id: string) => void}} props */
function ManyOptions({ label, options, selected, onSelect }) {
  const [text, setText] = useState("");
  const [round, setRound] = useState(0);
  const lower = text.toLowerCase();
  const found = options.filter((option) => `${option.label} ${option.group ?? ""}`.toLowerCase().includes(lower));
  const shown = options.find((option) => option.id === selected);
  const choose = (/** @type {string} */ id) => {
    setText("");
    setRound(round + 1); // a new key closes the panel
    onSelect(id);
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter" && found.length) choose(found[0].id);
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    event.preventDefault();
    const panel = /** @type {HTMLElement} */ (event.currentTarget);
    const buttons = [...panel.querySelectorAll("button")];
    const at = buttons.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    buttons[at + (event.key === "ArrowDown" ? 1 : -1)]?.focus();
  };
  return html`<${Popover} key=${round} label=${shown?.label ?? ""} title=${shown?.label}>
    <div class="b-many" onKeyDown=${onKeyDown}>
      <input
        type="search"
        class="b-input"
        value=${text}
        placeholder=${t("blocks.search")}
        aria-label=${t("blocks.search_in", { what: label })}
        onInput=${(/** @type {any} */ event) => setText(event.target.value)}
      />
      <div class="b-picks">
        ${grouped(found.slice(0, MOST_SHOWN)).map(
          ([group, members]) => html`${group && html`<div class="b-group">${group}</div>`}
            ${members.map(
              (option) => html`<button
                type="button"
                key=${option.id}
                class=${`b-option ${option.id === selected ? "is-on" : ""}`}
                aria-current=${option.id === selected}
                title=${option.label}
                onClick=${() => choose(option.id)}
              >${option.label}</button>`,
            )}`,
        )}
        ${found.length > MOST_SHOWN &&
        html`<p class="b-muted">${t("blocks.more_by_search", { n: found.length - MOST_SHOWN })}</p>`}
        ${found.length === 0 && html`<p class="b-muted">${t("blocks.no_match")}</p>`}
      </div>
    </div>
  <//>`;
}
