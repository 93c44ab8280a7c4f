/**
 * Sums of what was sent and received. Pure.
 *
 * @typedef {import("./types").Disclosed} Disclosed
 * @typedef {{count: number, size: number}} Sum
 * @typedef {Record<string, Sum>} ByKind
 */

/** From what anyone may read to what nobody can. Calls between servers have no kind. */
export const KINDS = ["plain", "masked", "share", "ciphertext", ""];
const HIDDEN = ["masked", "share", "ciphertext"];
const ARRIVED = ["delivered", "sent", "received", "abandoned"];

/** Whether a line tells of something that left or came, not of what was refused or dropped.
 * @param {Disclosed} line */
export const happened = (line) => line.result === "" || ARRIVED.includes(line.result);

/** @param {Disclosed[]} lines @param {string} direction */
export function going(lines, direction) {
  return lines.filter((line) => line.direction === direction && happened(line));
}

/** @param {Disclosed[]} lines @returns {Sum} */
export function sum(lines) {
  return lines.reduce((total, line) => ({ count: total.count + line.count, size: total.size + line.size }), { count: 0, size: 0 });
}

/** @param {Disclosed[]} lines @returns {ByKind} */
export function byKind(lines) {
  /** @type {ByKind} */
  const found = {};
  for (const kind of KINDS) {
    const some = lines.filter((line) => (KINDS.includes(line.kind) ? line.kind : "") === kind);
    if (some.length) found[kind] = sum(some);
  }
  return found;
}

/** The other end of a message. @param {Disclosed} line */
export const peerOf = (line) => (line.direction === "out" ? line.dst : line.src);

/** Groups in the order in which they first appear. @param {Disclosed[]} lines @param {(line: Disclosed) => string} key
 * @returns {{name: string, lines: Disclosed[]}[]} */
export function grouped(lines, key) {
  const groups = new Map();
  for (const line of lines) groups.set(key(line), [...(groups.get(key(line)) || []), line]);
  return [...groups].map(([name, some]) => ({ name, lines: some }));
}

/** What others learn of what left: an entry for each statement that a message declares, with who
 * learns it and from what; what anyone can read first, and the largest. Messages that tell
 * nothing are not among them.
 * @param {Disclosed[]} lines
 * @returns {{reveals: import("./types").Label, kind: string, components: string[], messages: string[], to: string[], count: number, size: number}[]} */
export function learned(lines) {
  const telling = going(lines, "out").filter((line) => line.telling);
  const found = grouped(telling, (line) => `${line.kind} ${JSON.stringify(line.reveals)}`).map(({ lines: some }) => ({
    reveals: some[0].reveals, kind: some[0].kind, components: [...new Set(some.map((line) => line.component))],
    messages: [...new Set(some.map((line) => line.message))], to: [...new Set(some.map((line) => line.dst))], ...sum(some),
  }));
  const rank = (/** @type {string} */ kind) => KINDS.indexOf(kind);
  return found.sort((a, b) => rank(a.kind) - rank(b.kind) || b.size - a.size);
}

/** The share of bytes that who received them cannot read; null if nothing went.
 * @param {Disclosed[]} lines */
export function hidden(lines) {
  const all = sum(lines).size;
  const secret = sum(lines.filter((line) => HIDDEN.includes(line.kind))).size;
  return all ? secret / all : null;
}

/** A share as percent that says neither "all" nor "nothing" unless it is. @param {number} share */
export function careful(share) {
  if (share <= 0 || share >= 1) return `${Math.round(share * 100)}%`;
  const text = (share * 100).toFixed(1);
  if (text === "100.0") return "> 99.9%";
  return text === "0.0" ? "< 0.1%" : `${text}%`;
}
