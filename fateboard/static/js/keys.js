/** Keyboard shortcuts: single keys ("j", "/", "Escape") and sequences ("g r"). */

import { useEffect, useRef } from "./html.js";

const PAUSE_MS = 900;

/** @param {EventTarget | null} target */
function typing(target) {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName))
  );
}

/** While the component is shown, calls a handler when its key is pressed outside of text fields
 * and dialogs. A handler that answers false leaves the key to the browser.
 * @param {Record<string, (event: KeyboardEvent) => unknown>} handlers */
export function useKeys(handlers) {
  const latest = useRef(handlers);
  latest.current = handlers;
  useEffect(() => {
    let before = { key: "", at: 0 };
    /** @param {KeyboardEvent} event */
    const press = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      if (typing(event.target) || document.querySelector("dialog[open]")) return;
      const recent = Date.now() - before.at < PAUSE_MS ? before.key : "";
      const sequence = `${recent} ${event.key}`;
      const handler = latest.current[sequence] ?? (recent === "g" ? undefined : latest.current[event.key]);
      before = { key: event.key, at: Date.now() };
      if (handler && handler(event) !== false) event.preventDefault();
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, []);
}
