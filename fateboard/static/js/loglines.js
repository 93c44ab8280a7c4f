/**
 * Which lines of a log are held, which must be asked for, and what a line says. Pure.
 *
 * @typedef {import("./types").LogLine} LogLine
 * @typedef {{level: string, at: string, where: string, text: string}} Parts
 */

export const CHUNK = 250;
const HELD = 40;
const TALLEST = 6_000_000;
const HEAD = /^\[([A-Z]+)\] \[([^\]]+)\](?: \[[^\]]*\]){0,2} - (?:\[([^\]]+)\] \[line:(\d+)\]: )?/;

/** Lines by number, in chunks; those used longest ago go, so that memory stays flat. */
export class Lines {
  constructor() {
    /** @type {Map<number, Map<number, LogLine>>} */
    this.chunks = new Map();
    this.total = 0;
  }

  /** @param {LogLine[]} lines @param {number} total */
  add(lines, total) {
    this.total = Math.max(this.total, total, lines.at(-1)?.number || 0);
    for (const line of lines) {
      const index = chunkOf(line.number);
      const chunk = this.chunks.get(index) || new Map();
      chunk.set(line.number, line);
      this.chunks.delete(index);
      this.chunks.set(index, chunk);
    }
    for (const index of this.chunks.keys()) {
      if (this.chunks.size <= HELD) break;
      this.chunks.delete(index);
    }
  }

  /** @param {number} number */
  at(number) {
    return this.chunks.get(chunkOf(number))?.get(number);
  }

  /** The first and last line to ask for, so that all from begin to end are here; null if they are.
   * @param {number} begin @param {number} end @returns {[number, number] | null} */
  missing(begin, end) {
    const [low, high] = [Math.max(1, begin), Math.min(this.total, end)];
    let first = 0;
    let last = 0;
    for (let number = low; number <= high; number += 1) {
      if (this.at(number)) continue;
      first = first || number;
      last = number;
    }
    if (!first) return null;
    // Whole chunks, but never again what came before a hole at the end of a growing log.
    const start = this.at(first - 1) ? first : Math.max(1, chunkOf(first) * CHUNK + 1);
    return [start, Math.min(this.total, (chunkOf(last) + 1) * CHUNK)];
  }
}

/** @param {number} number */
const chunkOf = (number) => Math.floor((number - 1) / CHUNK);

/** What a line of FATE's form says; a line that goes on from the one above is all text.
 * @param {LogLine} line @returns {Parts} */
export function parts(line) {
  const head = HEAD.exec(line.text);
  if (!head) return { level: line.level, at: "", where: "", text: line.text };
  return {
    level: head[1], at: head[2], where: head[3] ? `${head[3]}:${head[4]}` : "",
    text: line.text.slice(head[0].length),
  };
}

/**
 * How a scroll bar of a height that browsers can hold stands for lines beyond it. Where all lines
 * fit, pixels are lines; else the bar is coarse and small moves are exact.
 * @param {number} total @param {number} row @param {number} room height of what is seen
 */
export function bar(total, row, room) {
  const whole = Math.max(room, total * row);
  const height = Math.min(whole, TALLEST);
  const last = Math.max(0, total - room / row);
  return { height, last, exact: whole === height };
}

/** The first line seen (from 0, with its fraction) after the bar moved.
 * @param {ReturnType<typeof bar>} scale @param {number} row @param {number} room
 * @param {number} top line before @param {number} from place before @param {number} to place now */
export function scrolled(scale, row, room, top, from, to) {
  if (scale.exact) return Math.min(scale.last, to / row);
  const far = scale.height - room;
  if (to <= 0) return 0;
  if (to >= far - 1) return scale.last;
  if (Math.abs(to - from) <= 2 * room) return Math.max(0, Math.min(scale.last, top + (to - from) / row));
  return (scale.last * to) / far;
}

/** Where the bar stands for a line. @param {ReturnType<typeof bar>} scale @param {number} row @param {number} room @param {number} top */
export function place(scale, row, room, top) {
  if (scale.exact) return top * row;
  return scale.last ? ((scale.height - room) * top) / scale.last : 0;
}

/** "120" or "120-140" of a link, as [first, last]; null if it is none. @param {string | undefined} text @returns {[number, number] | null} */
export function range(text) {
  const found = /^(\d{1,12})(?:-(\d{1,12}))?$/.exec(text || "");
  if (!found || !Number(found[1])) return null;
  const [a, b] = [Number(found[1]), Number(found[2] || found[1])];
  return a <= b ? [a, b] : [b, a];
}

/** A text cut at what was sought: odd members are hits. @param {string} text @param {string} sought @param {boolean} regex */
export function hits(text, sought, regex) {
  if (!sought) return [text];
  try {
    const pattern = regex ? sought : sought.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    const [found, cut] = [[...text.matchAll(new RegExp(pattern, regex ? "g" : "gi"))], /** @type {string[]} */ ([])];
    let from = 0;
    for (const hit of found) {
      if (!hit[0]) continue;
      cut.push(text.slice(from, hit.index), hit[0]);
      from = hit.index + hit[0].length;
    }
    return [...cut, text.slice(from)];
  } catch {
    return [text]; // The server's expressions are Python's: what this browser cannot read is not marked.
  }
}
