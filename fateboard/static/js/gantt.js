/**
 * When each component ran, how long, and at which attempt.
 *
 * @typedef {import("./types").Dag} Dag
 * @typedef {import("./types").Task} Task
 * @typedef {{name: string, module: string, status: string, start: number | null, length: number,
 *   version: number}} Bar
 */

import { lasted, useNow } from "./clock.js";
import { look } from "./dag.js";
import { duration, time } from "./format.js";
import { html, useMemo } from "./html.js";
import { t } from "./i18n.js";
import { statusWord } from "./ui.js";

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400]
  .map((seconds) => seconds * 1000);

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

/** At most eight round moments of a span. @param {number} span */
export function ticks(span) {
  const step = STEPS.find((one) => span / one <= 8) || Math.ceil(span / 8 / 86_400_000) * 86_400_000;
  if (span < 1000) return [0, 250, 500, 750].filter((at) => at <= span);
  return Array.from({ length: Math.floor(span / step) + 1 }, (_, n) => n * step);
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
  const share = (/** @type {number} */ ms) => `${(100 * ms) / shown.span}%`;
  return html`<div class="gantt" role="group" aria-label=${t("job.gantt.label")}>
    <div class="gantt-axis" aria-hidden="true"><span></span>
      <div>${ticks(shown.span).map((at) => html`<i key=${at} style=${`left:${share(at)}`}><b>${moment(at)}</b></i>`)}</div>
    </div>
    <ol class="gantt-rows">
      ${shown.bars.map((bar) => html`<${Row} key=${bar.name} ...${{ bar, share, stopped, begin: shown.begin, span: shown.span, onSelect }}
        selected=${bar.name === selected} />`)}
    </ol>
  </div>`;
}

/** @param {any} props */
function Row({ bar, share, stopped, begin, span, selected, onSelect }) {
  const late = bar.start + bar.length > 0.8 * span;
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
          : html`<i data-status=${bar.status} style=${`left:${share(bar.start)};width:max(3px, ${share(bar.length)})`}></i>
            <em class=${late ? "before" : ""} style=${late ? `right:${share(span - bar.start)}` : `left:${share(bar.start + bar.length)}`}>
              ${duration(bar.length)}${attempt && ` · ${attempt}`}</em>`}
      </span>
    </button>
  </li>`;
}
