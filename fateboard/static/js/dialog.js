/** Dialogs over the page: native, so that focus stays inside and returns at the end. */

import { html, signal, useEffect, useId, useRef } from "./html.js";
import { t } from "./i18n.js";
import { Icon } from "./icons.js";

/** Shown while it is rendered; Escape, the cross and a click beside it call `onClose`.
 * @param {{title: string, onClose: () => void, children?: any, footer?: any, wide?: boolean}} props */
export function Dialog({ title, onClose, children, footer, wide = false }) {
  const id = useId();
  const element = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => {
    const before = document.activeElement;
    element.current?.showModal();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  /** @param {Event} event */
  const cancel = (event) => {
    event.preventDefault();
    onClose();
  };
  /** @param {MouseEvent} event */
  const beside = (event) => {
    if (event.target === element.current) onClose();
  };
  return html`<dialog
    ref=${element}
    class=${wide ? "dialog dialog-wide" : "dialog"}
    aria-labelledby=${id}
    onCancel=${cancel}
    onMouseDown=${beside}
  >
    <div class="dialog-inside">
      <header class="dialog-head">
        <h2 id=${id}>${title}</h2>
        <button type="button" class="icon-button" aria-label=${t("action.close")} onClick=${onClose}>
          <${Icon} name="close" />
        </button>
      </header>
      <div class="dialog-body">${children}</div>
      ${footer && html`<footer class="dialog-foot">${footer}</footer>`}
    </div>
  </dialog>`;
}

/** @typedef {{title: string, text: string, action: string, danger?: boolean}} Question */

const asked = signal(/** @type {(Question & {answer: (yes: boolean) => void}) | null} */ (null));

/** Asks before something that cannot be undone. `action` names what will be done.
 * @param {Question} question @returns {Promise<boolean>} */
export function confirm(question) {
  asked.peek()?.answer(false);
  return new Promise((resolve) => {
    asked.value = {
      ...question,
      answer: (yes) => {
        asked.value = null;
        resolve(yes);
      },
    };
  });
}

/** Where `confirm` appears: once, in the shell. */
export function ConfirmHost() {
  const question = asked.value;
  if (!question) return null;
  const { title, text, action, danger = true, answer } = question;
  return html`<${Dialog}
    title=${title}
    onClose=${() => answer(false)}
    footer=${html`<button type="button" class="button button-plain" onClick=${() => answer(false)}>
        ${t("action.keep")}
      </button>
      <button type="button" class=${`button button-${danger ? "danger" : "primary"}`} autofocus onClick=${() => answer(true)}>
        ${action}
      </button>`}
  >
    <p class="confirm-text">${text}</p>
  <//>`;
}
