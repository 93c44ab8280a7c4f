/**
 * Sums of what was sent and received. Pure.
 *
 * @typedef {import("./types").Disclosed} Disclosed
 * @typedef {{count: number, size: number}} Sum
 * @typedef {Record<string, Sum>} ByKind
 */

/** From what anyone may read to what nobody can. Calls between servers have no kind. */
export const KINDS = ["plain", "masked", "share", "ciphertext", ""];
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

/** What others can read of what left: one entry for each statement, with who learns it.
 * @param {Disclosed[]} lines
 * @returns {{component: string, message: string, reveals: string, to: string[], count: number, size: number}[]} */
export function readable(lines) {
  const plain = going(lines, "out").filter((line) => !["masked", "share", "ciphertext"].includes(line.kind));
  return grouped(plain, (line) => JSON.stringify([line.component, line.message, line.reveals])).map(({ lines: some }) => ({
    component: some[0].component, message: some[0].message, reveals: some[0].reveals,
    to: [...new Set(some.map((line) => line.dst))], ...sum(some),
  }));
}

/** The share of bytes that who received them cannot read; null if nothing went.
 * @param {Disclosed[]} lines */
export function hidden(lines) {
  const all = sum(lines).size;
  const secret = sum(lines.filter((line) => ["masked", "share", "ciphertext"].includes(line.kind))).size;
  return all ? secret / all : null;
}

/** A share as percent that says neither "all" nor "nothing" unless it is. @param {number} share */
export function careful(share) {
  if (share <= 0 || share >= 1) return `${Math.round(share * 100)}%`;
  const text = (share * 100).toFixed(1);
  if (text === "100.0") return "> 99.9%";
  return text === "0.0" ? "< 0.1%" : `${text}%`;
}
