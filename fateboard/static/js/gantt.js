/**
 * When each component ran, how long, and at which attempt.
 *
 * @typedef {import("./types").Dag} Dag
 * @typedef {import("./types").Task} Task
 * @typedef {{name: string, module: string, status: string, start: number | null, length: number,
 *   version: number}} Bar
 * @typedef {{at: number, length: number}} Cut
 */

import { lasted, useNow } from "./clock.js";
import { look } from "./dag.js";
import { duration, time } from "./format.js";
import { html, useMemo } from "./html.js";
import { t } from "./i18n.js";
import { statusWord } from "./ui.js";

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400]
  .map((seconds) => seconds * 1000);
const LEAST_CUT_MS = 20_000;
/** How much of what is cut stays in sight, as a share of the time in which something ran. */
const SEEN_IDLE = 0.08;

/** One bar a component, in the graph's order; what has not begun has none.
 * @param {Dag} dag @param {Task[]} tasks @param {number} now
 * @returns {{bars: Bar[], begin: number, span: number}} */
export function bars(dag, tasks, now) {
  const state = new Map(tasks.map((task) => [task.component, task]));
  const begin = Math.min(...tasks.map((task) => task.started_ms || Infinity));
  const found = dag.nodes.map((node) => {
    const task = state.get(node.name);
    const began = node.need_run && task?.started_ms ? task.started_ms : null;
    return {
      name: node.name, module: node.module, status: look(task?.status, node.need_run),
      start: began == null ? null : began - begin, version: task?.version || 0,
      length: (began != null && task && lasted(task, now)) || 0,
    };
  });
  const end = Math.max(0, ...found.map((bar) => (bar.start == null ? 0 : bar.start + bar.length)));
  return { bars: found, begin: Number.isFinite(begin) ? begin : 0, span: Math.max(end, 1) };
}

/** Times in which nothing ran for long, as between a failure and the rerun: they are left out, or what ran
 * could not be told apart. @param {Bar[]} all @returns {Cut[]} */
export function cuts(all) {
  const runs = all.flatMap(({ start, length }) => (start == null ? [] : [[start, start + length]])).toSorted((a, b) => a[0] - b[0]);
  const idle = [];
  let [end, busy] = [0, 0];
  for (const [from, to] of runs) {
    if (from > end) idle.push({ at: end, length: from - end });
    busy += Math.max(0, to - Math.max(from, end));
    end = Math.max(end, to);
  }
  const kept = busy * SEEN_IDLE;
  return idle.filter(({ length }) => length > Math.max(LEAST_CUT_MS, 2 * busy))
    .map(({ at, length }) => ({ at: at + kept / 2, length: length - kept }));
}

/** Where a moment is once the cuts are left out. @param {number} ms @param {Cut[]} left */
export const placed = (ms, left) => left.reduce((at, cut) => at - Math.min(Math.max(0, ms - cut.at), cut.length), ms);

/** At most about eight round moments of a span, none within a cut. @param {number} span @param {Cut[]} left */
export function ticks(span, left = []) {
  const seen = placed(span, left);
  const step = STEPS.find((one) => seen / one <= 8) || Math.ceil(seen / 8 / 86_400_000) * 86_400_000;
  if (seen < 1000) return [0, 250, 500, 750].filter((at) => at <= span);
  const parts = [...left.map((cut) => cut.at), span].map((to, n) => [n ? left[n - 1].at + left[n - 1].length : 0, to]);
  return parts.flatMap(([from, to]) => {
    const first = Math.ceil(from / step);
    return Array.from({ length: Math.max(0, Math.floor(to / step) - first + 1) }, (_, n) => (first + n) * step);
  });
}

/** "0", "30 s", "5 min", "2 h". @param {number} ms */
function moment(ms) {
  if (!ms) return "0";
  if (ms < 1000) return `${ms} ms`;
  if (ms % 3_600_000 === 0) return `${ms / 3_600_000} h`;
  if (ms % 60_000 === 0) return `${ms / 60_000} min`;
  return ms > 60_000 ? duration(ms) : `${ms / 1000} s`;
}

/** @param {{dag: Dag, tasks: Task[], stopped?: string, selected: string, onSelect: (name: string) => void}} props */
export function Gantt({ dag, tasks, stopped = "", selected, onSelect }) {
  const now = useNow(tasks.some((task) => task.status === "running"));
  const shown = useMemo(() => bars(dag, tasks, now), [dag, tasks, now]);
  if (!shown.begin) return html`<p class="dag-empty">${t("job.gantt.none")}</p>`;
  const left = cuts(shown.bars);
  const span = placed(shown.span, left);
  const share = (/** @type {number} */ ms) => `${(100 * ms) / span}%`;
  const at = (/** @type {number} */ ms) => placed(ms, left);
  return html`<div class="gantt" role="group" aria-label=${t("job.gantt.label")}>
    <div class="gantt-axis" aria-hidden="true"><span></span>
      <div>${ticks(shown.span, left).map((ms) => html`<i key=${ms} style=${`left:${share(at(ms))}`}><b>${moment(ms)}</b></i>`)}
        ${left.map((cut) => html`<i key=${`cut ${cut.at}`} class="gantt-cut" style=${`left:${share(at(cut.at))}`}></i>`)}</div>
    </div>
    ${left.map((cut) => html`<p class="gantt-cuts">${t("job.gantt.cut", { length: duration(cut.length) })}</p>`)}
    <ol class="gantt-rows">
      ${shown.bars.map((bar) => html`<${Row} key=${bar.name} ...${{ bar, share, at, stopped, begin: shown.begin, span, onSelect }}
        selected=${bar.name === selected} />`)}
    </ol>
  </div>`;
}

/** @param {any} props */
function Row({ bar, share, at, stopped, begin, span, selected, onSelect }) {
  const [from, to] = [at(bar.start), at(bar.start + bar.length)];
  const late = to > 0.8 * span;
  const began = bar.start == null ? "" : t("job.gantt.began", { at: time(begin + bar.start) });
  const attempt = bar.version ? t("job.attempt", { n: bar.version + 1 }) : "";
  const words = [bar.name, statusWord(bar.status), bar.start == null ? "" : duration(bar.length), began, attempt,
    bar.status === "not_reached" ? stopped : ""];
  return html`<li>
    <button type="button" class=${selected ? "selected" : ""} aria-pressed=${selected} data-component=${bar.name}
        aria-label=${words.filter(Boolean).join(", ")} title=${words.filter(Boolean).join("\n")}
        onClick=${() => onSelect(bar.name)}>
      <span class="gantt-name">${bar.name}</span>
      <span class="gantt-lane">
        ${bar.start == null
          ? html`<em>${statusWord(bar.status)}</em>`
          : html`<i data-status=${bar.status} style=${`left:${share(from)};width:max(3px, ${share(to - from)})`}></i>
            <em class=${late ? "before" : ""} style=${late ? `right:${share(span - from)}` : `left:${share(to)}`}>
              ${duration(bar.length)}${attempt && ` · ${attempt}`}</em>`}
      </span>
    </button>
  </li>`;
}
