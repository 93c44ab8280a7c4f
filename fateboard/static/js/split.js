/** Two panes with a bar between them that can be dragged, or moved by keys. */

import { html, useRef, useState } from "./html.js";

const [LEAST, MOST] = [22, 78];

/** @param {number} share */
const within = (share) => Math.min(MOST, Math.max(LEAST, share));

/** @param {{left: any, right: any, label: string, name: string, initial?: number, full?: boolean}} props
 *   name: under which the share of the left pane is remembered. full: only the right pane. */
export function Split({ left, right, label, name, initial = 46, full = false }) {
  const key = `board.split.${name}`;
  const root = useRef(/** @type {HTMLDivElement | null} */ (null));
  const [share, setShare] = useState(() => within(Number(localStorage.getItem(key)) || initial));
  const set = (/** @type {number} */ next) => {
    setShare(within(next));
    localStorage.setItem(key, String(within(next)));
  };
  const drag = (/** @type {PointerEvent} */ down) => {
    down.preventDefault();
    const at = /** @type {HTMLDivElement} */ (root.current).getBoundingClientRect();
    const move = (/** @type {PointerEvent} */ event) => set((100 * (event.clientX - at.left)) / at.width);
    const end = () => {
      removeEventListener("pointermove", move);
      removeEventListener("pointerup", end);
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", end);
  };
  const keys = (/** @type {KeyboardEvent} */ event) => {
    const step = { ArrowLeft: share - 2, ArrowRight: share + 2, Home: LEAST, End: MOST }[event.key];
    if (step == null) return;
    event.preventDefault();
    set(step);
  };
  return html`<div class=${`split ${full ? "split-full" : ""}`} ref=${root} style=${`--left:${share}%`}>
    <div class="split-left">${left}</div>
    <div class="split-bar" role="separator" tabindex="0" aria-orientation="vertical" aria-label=${label} aria-valuenow=${Math.round(share)}
      aria-valuemin=${LEAST} aria-valuemax=${MOST} onPointerDown=${drag} onKeyDown=${keys} onDblClick=${() => set(initial)}></div>
    <div class="split-right">${right}</div>
  </div>`;
}
