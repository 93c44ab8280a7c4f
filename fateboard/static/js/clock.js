/** Seconds that pass on a page: one timer for all that tick. */

import { signal, useEffect } from "./html.js";

const now = signal(Date.now());
let watchers = 0;
let timer = 0;

/** The time, which moves on every second while anyone looks and something runs.
 * @param {boolean} ticking @returns {number} */
export function useNow(ticking) {
  useEffect(() => {
    if (!ticking) return undefined;
    now.value = Date.now();
    watchers += 1;
    if (watchers === 1) timer = setInterval(() => (now.value = Date.now()), 1000);
    return () => {
      watchers -= 1;
      if (watchers === 0) clearInterval(timer);
    };
  }, [ticking]);
  return ticking ? now.value : now.peek();
}

/** How long something took, or takes so far; null if it has not begun.
 * @param {{status: string, started_ms: number | null, ended_ms: number | null,
 *   elapsed_ms: number | null}} of @param {number} at */
export function lasted(of, at) {
  if (of.status === "running" && of.started_ms) return Math.max(0, at - of.started_ms);
  if (of.elapsed_ms != null && of.elapsed_ms > 0) return of.elapsed_ms;
  return of.started_ms && of.ended_ms ? of.ended_ms - of.started_ms : null;
}
