// Search in a table: what is typed, the box for it, and where it was found.

import { html, useEffect, useMemo, useState } from "./html.js";
import { t } from "./i18n.js";
import { IconButton } from "./ui.js";
import { findAll, matcher } from "./blocks/rows.js";

/** @import {Column} from "./types.js" */
/** @import {Cell, Place} from "./blocks/rows.js" */

/**
 * Search in the table: what is typed, where it was found, which of these is looked at.
 * @param {Cell[][]} rows @param {number[]} shown @param {Column[]} columns
 */
export function useFind(rows, shown, columns) {
  const [text, setText] = useState("");
  const [regex, setRegex] = useState(false);
  const [found, setFound] = useState(/** @type {Place[]} */ ([]));
  const [at, setAt] = useState(0);
  const matches = useMemo(() => (text ? matcher(text, regex) : null), [text, regex]);
  useEffect(() => {
    let cancelled = false;
    if (!matches) {
      setFound([]);
      return undefined;
    }
    const timer = setTimeout(async () => {
      const places = await findAll(rows, shown, columns, matches, () => cancelled);
      if (cancelled) return;
      setFound(places);
      setAt(0);
    }, 120);
    return () => {
      cancelled = true;
      clearTimeout(timer);
    };
  }, [matches, rows, shown, columns]);
  const step = (/** @type {number} */ by) => {
    if (found.length) setAt((at + by + found.length) % found.length);
  };
  return { text, setText, regex, setRegex, found, at, step, malformed: text !== "" && matches === null };
}

/** @param {ReturnType<typeof useFind>} find */
export function FindBox(find) {
  const { text, found, at, malformed } = find;
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter") find.step(event.shiftKey ? -1 : 1);
    if (event.key === "Escape" && text) {
      event.stopPropagation();
      find.setText("");
    }
  };
  const count = malformed
    ? t("blocks.malformed")
    : found.length
      ? t("blocks.found", { at: at + 1, n: found.length })
      : t("blocks.not_found");
  return html`<span class=${`dt-find ${malformed ? "is-bad" : ""}`} >
    <input
      type="search"
      value=${text}
      placeholder=${t("blocks.find")}
      aria-label=${t("blocks.find")}
      onInput=${(/** @type {any} */ event) => find.setText(event.target.value)}
      onKeyDown=${onKeyDown}
    />
    ${text && html`<span class="dt-found" role="status">${count}</span>`}
    ${text &&
    html`<${IconButton} small icon="chevron_up" label=${t("blocks.previous")} onClick=${() => find.step(-1)} />
      <${IconButton} small icon="chevron_down" label=${t("blocks.next")} onClick=${() => find.step(1)} />`}
    <button
      type="button"
      class="icon-button icon-button-small dt-regex"
      aria-pressed=${find.regex}
      aria-label=${t("blocks.regex")}
      title=${t("blocks.regex")}
      onClick=${() => find.setRegex(!find.regex)}
    >.*</button>
  </span>`;
}
