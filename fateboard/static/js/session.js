/** Who is signed in, in this tab and in the others. */

import { signal } from "./html.js";

/** @import {Session} from "./types.js" */

const OUT_KEY = "board.signed_out";
const IN_KEY = "board.signed_in";

/** Undefined before the board said so; null is nobody. */
export const session = signal(/** @type {Session | null | undefined} */ (undefined));

/** Why the last session is over. */
export const signedOut = signal(/** @type {"" | "expired"} */ (""));

/** Nobody is signed in any more. @param {"" | "expired"} why */
export function forgetSession(why) {
  signedOut.value = why;
  session.value = null;
}

/** The session in which something was asked is over, as the answer says. One that has begun since is
 * not: answers to what was asked before it may come late.
 * @param {Session | null | undefined} then `session` as it was when that was asked */
export function expireSession(then) {
  if (then && then === session.peek()) forgetSession("expired");
}

/** @param {Session} who */
export function beginSession(who) {
  localStorage.setItem(IN_KEY, String(Date.now()));
  signedOut.value = "";
  session.value = who;
}

/** Signed out by the reader: the other tabs have nothing to show any more, either. */
export function endSession() {
  localStorage.setItem(OUT_KEY, String(Date.now()));
  forgetSession("");
}

/** Follows what other tabs do. @param {() => Promise<Session>} ask who is signed in now */
export function followTabs(ask) {
  addEventListener("storage", (event) => {
    if (event.key === OUT_KEY && session.peek()) forgetSession("");
    if (event.key === IN_KEY && session.peek() === null) {
      ask().then((who) => (session.value = who), () => null);
    }
  });
}
