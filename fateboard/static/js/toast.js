/** Short messages at the edge of the page, read out by screen readers. */

import { html, signal } from "./html.js";
import { say, t } from "./i18n.js";
import { Icon } from "./icons.js";

/** @import {Label} from "./types.js" */
/** @typedef {{id: number, level: "info" | "success" | "warn" | "error", text: Label, href?: string,
 *   action?: string}} Message */

const STAY_MS = 6000;

const toasts = signal(/** @type {Message[]} */ ([]));
let count = 0;

/** @param {number} id */
function close(id) {
  toasts.value = toasts.peek().filter((toast) => toast.id !== id);
}

/** Errors stay until they are closed; what has a link stays twice as long.
 * @param {Message["level"]} level @param {Label} text
 * @param {{href?: string, action?: string}} [more] a link, and what it is called */
export function toast(level, text, more = {}) {
  const id = ++count;
  toasts.value = [...toasts.peek().slice(-4), { id, level, text, ...more }];
  if (level !== "error") setTimeout(() => close(id), more.href ? 2 * STAY_MS : STAY_MS);
}

const ICONS = { info: "info", success: "circle_check", warn: "alert", error: "circle_x" };

/** Where toasts appear: once, in the shell. */
export function Toasts() {
  return html`<div class="toasts" role="status" aria-live="polite">
    ${toasts.value.map(
      ({ id, level, text, href, action }) => html`<div class=${`toast toast-${level}`} key=${id}>
        <${Icon} name=${ICONS[level]} />
        <div class="toast-text">
          <span>${say(text)}</span>
          ${href && html`<a href=${href} onClick=${() => close(id)}>${action ?? t("action.open")}</a>`}
        </div>
        <button type="button" class="icon-button icon-button-small" aria-label=${t("action.close")} onClick=${() => close(id)}>
          <${Icon} name="close" size=${14} />
        </button>
      </div>`,
    )}
  </div>`;
}
