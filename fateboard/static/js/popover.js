/** What opens below a button: menus and lists of check boxes. */

import { html, useEffect, useId, useLayoutEffect, useRef, useState } from "./html.js";
import { t } from "./i18n.js";
import { Icon } from "./icons.js";

const GAP = 4;
const EDGE = 8;

/** Keeps an open list beside its button, above everything: nothing clips it or lies over it.
 * @param {boolean} open @param {{current: HTMLElement | null}} root @param {"left" | "right"} align */
function usePlaced(open, root, align) {
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  useLayoutEffect(() => {
    const element = list.current;
    if (!open || !element) return;
    element.showPopover();
    const place = () => {
      const at = root.current?.getBoundingClientRect();
      if (!at) return;
      const { offsetWidth: width, offsetHeight: height } = element;
      const left = align === "right" ? at.right - width : at.left;
      const below = at.bottom + GAP + height <= innerHeight || at.top < height + GAP;
      element.style.left = `${Math.max(EDGE, Math.min(left, innerWidth - width - EDGE))}px`;
      element.style.top = `${below ? at.bottom + GAP : at.top - GAP - height}px`;
    };
    place();
    const size = new ResizeObserver(place);
    size.observe(element);
    addEventListener("scroll", place, { capture: true, passive: true });
    addEventListener("resize", place);
    return () => {
      size.disconnect();
      removeEventListener("scroll", place, { capture: true });
      removeEventListener("resize", place);
    };
  }, [open, align]);
  return list;
}

/** What opens below a button: `root` is around both, `list` is the element with `popover="manual"`.
 * It ends with Escape, a click elsewhere, or when focus leaves.
 * @param {"left" | "right"} [align] */
export function usePopover(align = "left") {
  const [open, setOpen] = useState(false);
  const root = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    if (!open) return;
    /** @param {Event} event */
    const elsewhere = (event) => {
      const target = /** @type {Node} */ (event.target);
      const around = event.type === "focusin" && target.contains(root.current); // a click on plain text
      if (!around && !root.current?.contains(target)) setOpen(false);
    };
    /** @param {KeyboardEvent} event */
    const escape = (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      event.preventDefault();
      setOpen(false);
      /** @type {HTMLElement | null | undefined} */ (root.current?.querySelector("button"))?.focus();
    };
    document.addEventListener("pointerdown", elsewhere);
    document.addEventListener("focusin", elsewhere);
    document.addEventListener("keydown", escape, true);
    return () => {
      document.removeEventListener("pointerdown", elsewhere);
      document.removeEventListener("focusin", elsewhere);
      document.removeEventListener("keydown", escape, true);
    };
  }, [open]);
  return { open, setOpen, root, list: usePlaced(open, root, align) };
}

/** Moves focus among the elements of a list by arrow keys.
 * @param {KeyboardEvent} event @param {HTMLElement | null | undefined} list @param {string} selector */
function arrows(event, list, selector) {
  if (!list) return;
  const all = /** @type {HTMLElement[]} */ ([...list.querySelectorAll(selector)]);
  const at = all.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  const steps = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 };
  const to = steps[/** @type {keyof typeof steps} */ (event.key)];
  if (to == null || all.length === 0) return;
  event.preventDefault();
  all[(to + all.length) % all.length].focus();
}

/**
 * A button that opens a list of actions. Items with `checked` are radio items; null is a line.
 * @param {{label: string, icon?: string, text?: any, caret?: boolean, align?: "left" | "right",
 *   kind?: string, disabled?: boolean, items: ({id?: string, label: string, icon?: string,
 *   hint?: string, checked?: boolean, disabled?: boolean, danger?: boolean, href?: string,
 *   download?: boolean | string, onSelect?: () => void} | null)[]}} props
 */
export function Menu({ label, icon, text, items, caret = true, align = "left", kind = "plain", disabled = false }) {
  const { open, setOpen, root, list } = usePopover(align);
  const id = useId();
  useEffect(() => {
    if (!open) return;
    const first = list.current?.querySelector('[aria-checked="true"], [role^="menuitem"]');
    /** @type {HTMLElement | null | undefined} */ (first)?.focus();
  }, [open]);
  /** @param {{onSelect?: () => void}} item */
  const choose = (item) => {
    setOpen(false);
    /** @type {HTMLElement | null | undefined} */ (root.current?.querySelector("button"))?.focus();
    item.onSelect?.();
  };
  return html`<div class="popover-root" ref=${root}>
    <button
      type="button"
      class=${text == null ? "icon-button" : `button button-${kind}`}
      aria-label=${label}
      title=${label}
      aria-haspopup="menu"
      aria-expanded=${String(open)}
      aria-controls=${open ? id : undefined}
      disabled=${disabled}
      onClick=${() => setOpen(!open)}
      onKeyDown=${(/** @type {KeyboardEvent} */ event) => {
        if (event.key === "ArrowDown") {
          event.preventDefault();
          setOpen(true);
        }
      }}
    >
      ${icon && html`<${Icon} name=${icon} />`} ${text != null && html`<span>${text}</span>`}
      ${caret && text != null && html`<${Icon} name="chevron_down" size=${14} />`}
    </button>
    ${open &&
    html`<div
      class="popover menu"
      popover="manual"
      id=${id}
      role="menu"
      aria-label=${label}
      ref=${list}
      onKeyDown=${(/** @type {KeyboardEvent} */ event) => arrows(event, list.current, '[role^="menuitem"]:not([aria-disabled="true"])')}
    >
      ${items.map((item, index) =>
        item ? html`<${MenuItem} key=${item.id ?? index} item=${item} choose=${choose} />` : html`<hr key=${index} />`,
      )}
    </div>`}
  </div>`;
}

/** @param {{item: any, choose: (item: any) => void}} props */
function MenuItem({ item, choose }) {
  const inside = html`<span class="menu-icon">
      ${item.checked ? html`<${Icon} name="check" size=${14} />` : item.icon && html`<${Icon} name=${item.icon} size=${14} />`}
    </span>
    <span class="menu-label">${item.label}</span>${item.hint && html`<kbd>${item.hint}</kbd>`}`;
  const role = item.checked == null ? "menuitem" : "menuitemradio";
  const look = item.danger ? "menu-item menu-danger" : "menu-item";
  if (item.href) {
    return html`<a role="menuitem" tabindex="-1" class=${look} href=${item.href} download=${item.download} onClick=${() => choose(item)}>
      ${inside}
    </a>`;
  }
  return html`<button
    type="button"
    tabindex="-1"
    class=${look}
    role=${role}
    aria-checked=${item.checked == null ? undefined : String(item.checked)}
    aria-disabled=${item.disabled ? "true" : undefined}
    onClick=${() => !item.disabled && choose(item)}
  >
    ${inside}
  </button>`;
}

const FILTER_FROM = 9;

/**
 * Check boxes below a button; long lists have a filter.
 * @param {{label: string, values: string[], onChange: (values: string[]) => void, icon?: string,
 *   options: {id: string, label: any, count?: number, text?: string}[], align?: "left" | "right",
 *   quiet?: boolean}} props quiet: that something is chosen is nothing to notice
 */
export function MultiSelect({ label, values, onChange, options, icon, align = "left", quiet = false }) {
  const { open, setOpen, root, list } = usePopover(align);
  const [filter, setFilter] = useState("");
  const id = useId();
  const shown = options.filter((option) =>
    (option.text ?? option.id).toLowerCase().includes(filter.toLowerCase()),
  );
  /** @param {string} value */
  const flip = (value) =>
    onChange(values.includes(value) ? values.filter((other) => other !== value) : [...values, value]);
  return html`<div class="popover-root" ref=${root}>
    <button
      type="button"
      class=${quiet ? "button button-plain" : values.length ? "button button-filter active" : "button button-filter"}
      aria-haspopup="dialog"
      aria-expanded=${String(open)}
      aria-controls=${open ? id : undefined}
      onClick=${() => setOpen(!open)}
    >
      ${icon && html`<${Icon} name=${icon} size=${14} />`}<span>${label}</span>
      ${values.length > 0 && !quiet && html`<span class="badge badge-accent">${values.length}</span>`}
      <${Icon} name="chevron_down" size=${14} />
    </button>
    ${open &&
    html`<div
      class="popover check-list"
      popover="manual"
      id=${id}
      role="group"
      aria-label=${label}
      ref=${list}
      onKeyDown=${(/** @type {KeyboardEvent} */ event) => arrows(event, list.current, "input")}
    >
      ${options.length >= FILTER_FROM &&
      html`<input
        class="check-filter"
        type="search"
        aria-label=${t("action.filter")}
        placeholder=${t("action.filter")}
        value=${filter}
        onInput=${(/** @type {any} */ event) => setFilter(event.currentTarget.value)}
      />`}
      <div class="check-items">
        ${shown.map(
          (option) => html`<label class="check-item" key=${option.id}>
            <input type="checkbox" checked=${values.includes(option.id)} onChange=${() => flip(option.id)} />
            <span class="check-label">${option.label}</span>
            ${option.count != null && html`<span class="count">${option.count}</span>`}
          </label>`,
        )}
        ${shown.length === 0 && html`<p class="muted check-none">${t("word.nothing_found")}</p>`}
      </div>
      ${values.length > 0 &&
      !quiet &&
      html`<button type="button" class="button button-quiet button-small" onClick=${() => onChange([])}>
        ${t("action.clear")}
      </button>`}
    </div>`}
  </div>`;
}
