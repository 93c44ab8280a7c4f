/** Where a page was scrolled to, kept with its entry in the browser's history. */

import { useLayoutEffect } from "./html.js";

const PAUSE_MS = 120;

history.scrollRestoration = "manual";
let timer = 0;

addEventListener("scroll", () => {
  const at = location.href;
  clearTimeout(timer);
  timer = setTimeout(() => {
    if (location.href === at) history.replaceState({ ...history.state, scroll: scrollY }, "");
  }, PAUSE_MS);
}, { passive: true });

/** Scrolls to where this entry was, once its content is there; a new entry begins at the top.
 * @param {unknown} entry changes with the address @param {boolean} ready */
export function useScrollMemory(entry, ready) {
  useLayoutEffect(() => {
    if (ready) scrollTo(0, history.state?.scroll ?? 0);
  }, [entry, ready]);
}
