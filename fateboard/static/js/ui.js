/** The controls that all pages are made of. Labels are text that is already in the reader's
 * language, or data. */

import { html, useEffect, useId, useRef, useState } from "./html.js";
import { t } from "./i18n.js";
import { Icon } from "./icons.js";

export { Dialog, ConfirmHost, confirm } from "./dialog.js";
export { Toasts, toast } from "./toast.js";
export { Menu, MultiSelect } from "./popover.js";

/** @param {...(string | false | null | undefined)} names */
export function classes(...names) {
  return names.filter(Boolean).join(" ");
}

/** kind: primary, plain (default), quiet, danger. A link when it has `href`.
 * @param {{children?: any, onClick?: (event: Event) => void, kind?: string, icon?: string,
 *   disabled?: boolean, busy?: boolean, type?: string, href?: string, title?: string,
 *   small?: boolean, download?: string | boolean, target?: string, [other: string]: any}} props */
export function Button(props) {
  const { children, kind = "plain", icon, busy = false, disabled = false, small, href, ...rest } = props;
  const inside = html`${busy ? html`<${Spinner} small />` : icon && html`<${Icon} name=${icon} />`}
  ${children != null && html`<span>${children}</span>`}`;
  const look = classes("button", `button-${kind}`, small && "button-small");
  if (href) return html`<a ...${rest} class=${look} href=${href}>${inside}</a>`;
  return html`<button
    type="button"
    ...${rest}
    class=${look}
    disabled=${disabled || busy}
    aria-busy=${busy ? "true" : undefined}
  >
    ${inside}
  </button>`;
}

/** A button that is only an icon; `label` is what screen readers and the tooltip say.
 * @param {{icon: string, label: string, onClick?: (event: Event) => void, pressed?: boolean,
 *   disabled?: boolean, href?: string, small?: boolean, [other: string]: any}} props */
export function IconButton({ icon, label, pressed, href, small, ...rest }) {
  const look = classes("icon-button", small && "icon-button-small", pressed && "pressed");
  if (href) {
    return html`<a ...${rest} class=${look} href=${href} aria-label=${label} title=${label}>
      <${Icon} name=${icon} />
    </a>`;
  }
  return html`<button
    type="button"
    ...${rest}
    class=${look}
    aria-label=${label}
    title=${label}
    aria-pressed=${pressed == null ? undefined : String(pressed)}
  >
    <${Icon} name=${icon} />
  </button>`;
}

/** @type {Record<string, {icon: string, tone: string, word: () => string}>} */
const STATUSES = {
  success: { icon: "circle_check", tone: "good", word: () => t("status.success") },
  running: { icon: "play", tone: "accent", word: () => t("status.running") },
  waiting: { icon: "clock", tone: "warn", word: () => t("status.waiting") },
  ready: { icon: "clock", tone: "warn", word: () => t("status.ready") },
  failed: { icon: "circle_x", tone: "bad", word: () => t("status.failed") },
  timeout: { icon: "circle_x", tone: "bad", word: () => t("status.timeout") },
  canceled: { icon: "ban", tone: "idle", word: () => t("status.canceled") },
  pass: { icon: "arrow_right", tone: "idle", word: () => t("status.pass") },
  not_reached: { icon: "minus", tone: "idle", word: () => t("status.not_reached") },
  "": { icon: "minus", tone: "idle", word: () => t("status.not_run") },
};

/** The word of a status; a status that is unknown is its own word. @param {string} status */
export function statusWord(status) {
  return STATUSES[status]?.word() ?? status;
}

/** good, bad, warn, accent or idle: the colour of a status. @param {string} status */
export function statusTone(status) {
  return STATUSES[status]?.tone ?? "idle";
}

/** Colour, icon and word. @param {{status: string}} props */
export function Status({ status }) {
  const { icon, tone } = STATUSES[status] ?? STATUSES[""];
  return html`<span class=${`status tone-${tone}`} data-status=${status}>
    <${Icon} name=${icon} size=${14} /><span>${statusWord(status)}</span>
  </span>`;
}

/** A bar of 0 to 100. @param {{value: number, label: string, status?: string}} props */
export function Progress({ value, label, status = "running" }) {
  const shown = Math.min(100, Math.max(0, value || 0));
  return html`<div
    class=${`progress tone-${statusTone(status)}`}
    role="progressbar"
    aria-label=${label}
    aria-valuemin="0"
    aria-valuemax="100"
    aria-valuenow=${shown}
  >
    <span style=${{ width: `${shown}%` }}></span>
  </div>`;
}

/** Why there is nothing to see, and what to do. @param {{title: string, hint?: string, action?: any, icon?: string}} props */
export function Empty({ title, hint, action, icon = "archive" }) {
  return html`<div class="empty">
    <${Icon} name=${icon} size=${28} />
    <p class="empty-title">${title}</p>
    ${hint && html`<p class="empty-hint">${hint}</p>`} ${action && html`<div>${action}</div>`}
  </div>`;
}

/** @param {{error: {message?: string, hint?: string} | null, retry?: () => void}} props */
export function ErrorBox({ error, retry }) {
  if (!error) return null;
  return html`<div class="error-box" role="alert">
    <${Icon} name="alert" />
    <div>
      <p>${error.message || t("error.unexpected")}</p>
      ${error.hint && html`<p class="muted">${error.hint}</p>`}
    </div>
    ${retry && html`<${Button} small icon="refresh" onClick=${retry}>${t("action.try_again")}<//>`}
  </div>`;
}

/** info, warn or error, as a line above what it is about.
 * @param {{level: "info" | "warn" | "error", children?: any}} props */
export function NoticeLine({ level, children }) {
  return html`<div class=${`notice notice-${level}`} role=${level === "error" ? "alert" : "note"}>
    <${Icon} name=${level === "info" ? "info" : "alert"} />
    <div>${children}</div>
  </div>`;
}

/** @param {{small?: boolean, label?: string}} props */
export function Spinner({ small = false, label }) {
  const look = classes("spinner", small && "spinner-small");
  if (small) return html`<span class=${look} aria-hidden="true"></span>`;
  return html`<div class="loading" role="status">
    <span class=${look} aria-hidden="true"></span><span>${label ?? t("word.loading")}</span>
  </div>`;
}

/** ARIA tabs; arrow keys move. With children, they are the panel of the selected tab.
 * @param {{items: {id: string, label: string, badge?: string | number, icon?: string}[],
 *   selected: string, onSelect: (id: string) => void, label?: string, children?: any}} props */
export function Tabs({ items, selected, onSelect, label, children }) {
  const id = useId();
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  /** @param {KeyboardEvent} event */
  const move = (event) => {
    const at = items.findIndex((item) => item.id === selected);
    const steps = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: items.length - 1 };
    const to = steps[/** @type {keyof typeof steps} */ (event.key)];
    if (to == null) return;
    event.preventDefault();
    const next = items[(to + items.length) % items.length];
    onSelect(next.id);
    /** @type {HTMLElement | null | undefined} */ (
      list.current?.querySelector(`[data-tab="${CSS.escape(next.id)}"]`)
    )?.focus();
  };
  return html`<div class="tabs">
    <div class="tab-list" role="tablist" aria-label=${label} ref=${list} onKeyDown=${move}>
      ${items.map(
        (item) => html`<button
          type="button"
          role="tab"
          key=${item.id}
          id=${`${id}-${item.id}`}
          data-tab=${item.id}
          class="tab"
          aria-selected=${String(item.id === selected)}
          aria-controls=${children != null ? `${id}-panel` : undefined}
          tabindex=${item.id === selected ? 0 : -1}
          onClick=${() => onSelect(item.id)}
        >
          ${item.icon && html`<${Icon} name=${item.icon} size=${14} />`}<span>${item.label}</span>
          ${item.badge != null && html`<span class="badge">${item.badge}</span>`}
        </button>`,
      )}
    </div>
    ${children != null &&
    html`<div class="tab-panel" role="tabpanel" id=${`${id}-panel`} aria-labelledby=${`${id}-${selected}`}>
      ${children}
    </div>`}
  </div>`;
}

/** Tells of what was typed after a short pause, or at once with Enter; Escape empties it.
 * @param {{value: string, onInput: (text: string) => void, label: string, placeholder?: string,
 *   onEnter?: (event: KeyboardEvent) => void, pause?: number, inputRef?: {current: any}}} props */
export function SearchBox({ value, onInput, label, placeholder, onEnter, pause = 250, inputRef }) {
  const [text, setText] = useState(value);
  const timer = useRef(0);
  useEffect(() => setText(value), [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  /** @param {string} next @param {number} wait */
  const tell = (next, wait) => {
    setText(next);
    clearTimeout(timer.current);
    if (wait) timer.current = setTimeout(() => onInput(next), wait);
    else onInput(next);
  };
  /** @param {KeyboardEvent & {currentTarget: HTMLInputElement}} event */
  const press = (event) => {
    if (event.key === "Enter") {
      tell(event.currentTarget.value, 0);
      onEnter?.(event);
    } else if (event.key === "Escape") {
      if (!text) return event.currentTarget.blur();
      event.stopPropagation();
      tell("", 0);
    }
  };
  return html`<div class="search-box">
    <${Icon} name="search" size=${14} />
    <input
      type="search"
      ref=${inputRef}
      value=${text}
      aria-label=${label}
      placeholder=${placeholder ?? label}
      onInput=${(/** @type {any} */ event) => tell(event.currentTarget.value, pause)}
      onKeyDown=${press}
    />
  </div>`;
}

/** @param {{label: string, value: string, onChange: (id: string) => void, hideLabel?: boolean,
 *   options: {id: string, label: string, group?: string}[], disabled?: boolean}} props */
export function Select({ label, value, onChange, options, hideLabel = false, disabled = false }) {
  const groups = [...new Set(options.map((option) => option.group ?? ""))];
  /** @param {{id: string, label: string}} option */
  const choice = (option) => html`<option key=${option.id} value=${option.id}>${option.label}</option>`;
  return html`<label class="field field-inline">
    <span class=${hideLabel ? "hidden-label" : "field-label"}>${label}</span>
    <span class="select">
      <select
        value=${value}
        disabled=${disabled}
        onChange=${(/** @type {any} */ event) => onChange(event.currentTarget.value)}
      >
        ${groups.map((group) => {
          const inside = options.filter((option) => (option.group ?? "") === group).map(choice);
          return group ? html`<optgroup key=${group} label=${group}>${inside}</optgroup>` : inside;
        })}
      </select>
      <${Icon} name="chevron_down" size=${14} />
    </span>
  </label>`;
}

/** @param {{label: string, min: number, max: number, step: number, value: number,
 *   onInput: (value: number) => void, shown?: string}} props */
export function Slider({ label, min, max, step, value, onInput, shown }) {
  return html`<label class="field field-inline slider">
    <span class="field-label">${label}</span>
    <input
      type="range"
      min=${min}
      max=${max}
      step=${step}
      value=${value}
      aria-valuetext=${shown}
      onInput=${(/** @type {any} */ event) => onInput(Number(event.currentTarget.value))}
    />
    <output>${shown ?? value}</output>
  </label>`;
}

/** On or off. @param {{label: string, on: boolean, onChange: (on: boolean) => void, disabled?: boolean}} props */
export function Toggle({ label, on, onChange, disabled = false }) {
  return html`<label class="toggle">
    <input
      type="checkbox"
      role="switch"
      checked=${on}
      disabled=${disabled}
      onChange=${(/** @type {any} */ event) => onChange(event.currentTarget.checked)}
    />
    <span class="toggle-track" aria-hidden="true"></span><span>${label}</span>
  </label>`;
}

/** Copies text and says so. Where the browser has no clipboard (plain http), by a selection.
 * @param {string} text */
export async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("copy");
}

/** @param {{text: string, label?: string, small?: boolean}} props */
export function CopyButton({ text, label, small = true }) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return;
    const timer = setTimeout(() => setDone(false), 1500);
    return () => clearTimeout(timer);
  }, [done]);
  const name = done ? t("word.copied") : (label ?? t("action.copy"));
  return html`<${IconButton}
    icon=${done ? "check" : "copy"}
    label=${name}
    small=${small}
    onClick=${(/** @type {Event} */ event) => {
      event.stopPropagation();
      copyText(text).then(() => setDone(true), () => setDone(false));
    }}
  />`;
}
