/** A tree of any JSON value: folded, in parts, so that megabytes do not stop the page. */

import { html, useState } from "./html.js";
import { t } from "./i18n.js";
import { Icon } from "./icons.js";

const PART = 100;
const LONG = 400;

/** @param {any} value */
const isBranch = (value) => value !== null && typeof value === "object" && Object.keys(value).length > 0;

/** Lists of plain values stand on one line. @param {any} value */
const isLine = (value) => Array.isArray(value) && value.length <= 24 && value.every((one) => one === null || typeof one !== "object");

/** A value as JSON writes it. @param {any} value */
export function literal(value) {
  const text = JSON.stringify(value) ?? String(value);
  return Array.isArray(value) ? text.replaceAll(",", ", ") : text;
}

/** Whether a name or value within holds a text. @param {string} name @param {any} value @param {string} sought lower case @returns {boolean} */
export function holds(name, value, sought) {
  if (!sought || name.toLowerCase().includes(sought)) return true;
  if (isBranch(value)) return Object.entries(value).some(([key, one]) => holds(key, one, sought));
  return literal(value).toLowerCase().includes(sought);
}

/** Whether two values are the same JSON, whatever the order of members. @param {any} a @param {any} b @returns {boolean} */
export function same(a, b) {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || !a || !b || Array.isArray(a) !== Array.isArray(b)) return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => name in b && same(a[name], b[name]));
}

/**
 * @param {{value: any, sought?: string, open?: number, defaults?: any, changedOnly?: boolean, fold?: number}} props
 *   open: levels that start unfolded. defaults: of the same shape, what differs is marked.
 *   fold: changes when all are to fold or unfold as `open` says
 */
export function JsonTree({ value, sought = "", open = 1, defaults, changedOnly = false, fold = 0 }) {
  return html`<ul class="json" role="list">
    <${Members} ...${{ value, sought: sought.toLowerCase(), open, defaults, changedOnly }} key=${fold} path="" />
  </ul>`;
}

/** @param {any} props */
function Members({ value, sought, open, defaults, changedOnly, path }) {
  const [shown, setShown] = useState(PART);
  const known = defaults !== null && typeof defaults === "object";
  const all = Object.entries(value).filter(([name, one]) =>
    holds(name, one, sought) && !(changedOnly && known && name in defaults && same(one, defaults[name])));
  return html`${all.slice(0, shown).map(([name, one]) => html`<${Member} key=${name} ...${{ name, value: one, open, changedOnly }} path=${`${path}.${name}`}
      sought=${name.toLowerCase().includes(sought) ? "" : sought} found=${sought}
      standard=${known && name in defaults ? { value: defaults[name] } : null} />`)}
    ${all.length > shown && html`<li><button type="button" class="plain" onClick=${() => setShown(shown + 10 * PART)}>
      ${t("job.tree.more", { n: all.length - shown })}</button></li>`}
    ${!all.length && html`<li class="json-none">${changedOnly && !sought ? t("job.tree.unchanged") : t("job.tree.none")}</li>`}`;
}

/** @param {any} props */
function Member({ name, value, open, sought, found, standard, changedOnly, path }) {
  const [choice, setChoice] = useState(/** @type {boolean | null} */ (null));
  const changed = standard && !same(value, standard.value);
  const mark = changed && html`<span class="json-changed" title=${t("job.tree.default", { value: literal(standard.value) })}>${t("job.tree.changed")}</span>`;
  const label = html`<span class=${`json-name ${found && name.toLowerCase().includes(found) ? "found" : ""}`}>${name}</span>`;
  if (!isBranch(value) || isLine(value)) return html`<li data-path=${path.slice(1)} class=${changed ? "changed" : ""}>${label}<${Leaf} value=${value} />${mark}</li>`;
  const unfolded = choice ?? (open > 0 || !!found);
  const size = Object.keys(value).length;
  return html`<li data-path=${path.slice(1)} class=${changed ? "changed" : ""}>
    <button type="button" class="json-fold" aria-expanded=${unfolded} onClick=${() => setChoice(!unfolded)}>
      <${Icon} name=${unfolded ? "chevron_down" : "chevron_right"} size=${12} />${label}
      <span class="json-size">${Array.isArray(value) ? `[${size}]` : `{${size}}`}</span>
    </button>${mark}
    ${unfolded && html`<ul role="list"><${Members} ...${{ value, sought, changedOnly: changedOnly && !!standard, path }} open=${open - 1} defaults=${standard?.value} /></ul>`}
  </li>`;
}

/** @param {{value: any}} props */
function Leaf({ value }) {
  const [whole, setWhole] = useState(false);
  const text = literal(value);
  const kind = value === null ? "null" : Array.isArray(value) ? "list" : typeof value;
  if (text.length <= LONG || whole) return html`<code data-type=${kind}>${text}</code>`;
  return html`<code data-type=${kind}>${text.slice(0, LONG)}…</code>
    <button type="button" class="plain" onClick=${() => setWhole(true)}>${t("job.tree.whole", { n: text.length })}</button>`;
}
