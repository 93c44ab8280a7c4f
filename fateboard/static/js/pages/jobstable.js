/** The table of the list of jobs: its columns, rows and pages. */

import { html, useEffect, useMemo, useState } from "../html.js";
import { duration, integer, number, time, zone } from "../format.js";
import { t } from "../i18n.js";
import { Icon } from "../icons.js";
import { Modules, Party, cancelJobs, hasEnded, jobLink, jobName, mayCancel, mayRerun, ranFor, rerunJob } from "../jobs.js";
import { Notes } from "../notes.js";
import { setQuery } from "../router.js";
import { Button, IconButton, Menu, Progress, Select, Spinner, Status, classes } from "../ui.js";

/** @import {JobRow} from "../types.js" */

/**
 * What a row needs beside its job.
 * @typedef {object} Hands
 * @property {(job: JobRow, what: "cancel" | "rerun") => void} act
 * @property {(job: JobRow, notes: string) => void} noted
 * @property {(name: string) => void} pick
 */

/** @typedef {{id: string, label: string, sort?: string, look?: string, hidden?: boolean,
 *   cell: (job: JobRow, more: {hands: Hands, doing: string, now: number}) => any}} JobColumn */

/** @param {{job: JobRow, doing: string}} props */
function StatusCell({ job, doing }) {
  if (doing) {
    return html`<span class="row" data-doing=${doing}><${Spinner} small /><span>${doing}</span></span>`;
  }
  const running = job.status === "running";
  return html`<span class="status-cell">
    <span class="row"><${Status} status=${job.status} />${running && html`<span class="muted">${job.progress}%</span>`}</span>
    ${running && html`<${Progress} value=${job.progress} label=${t("jobs.progress")} />`}
  </span>`;
}

/** All columns but the first, which is always there. @param {string} metric @returns {JobColumn[]} */
export function jobColumns(metric) {
  return [
    {
      id: "status",
      label: t("jobs.status"),
      sort: "status",
      cell: (job, { doing }) => html`<${StatusCell} job=${job} doing=${doing} />`,
    },
    { id: "party", label: t("jobs.role"), cell: (job) => html`<${Party} role=${job.role} party=${job.party_id} />` },
    ...(metric
      ? [{ id: "metric", label: metric, sort: "metric", look: "number", cell: (/** @type {JobRow} */ job) => number(job.metric) }]
      : []),
    {
      id: "partners",
      label: t("jobs.partners"),
      cell: (job) => html`<span class="partners" title=${job.partners.join(", ")}>${job.partners.join(", ")}</span>`,
      look: "partners",
    },
    { id: "modules", label: t("jobs.modules"), cell: (job) => html`<${Modules} names=${job.modules} />` },
    { id: "created", label: t("jobs.created"), sort: "created", look: "time", hidden: true, cell: (job) => time(job.created_ms) },
    { id: "started", label: t("jobs.started"), sort: "started", look: "time", cell: (job) => time(job.started_ms) },
    { id: "ended", label: t("jobs.ended"), sort: "ended", look: "time", hidden: true, cell: (job) => time(job.ended_ms) },
    { id: "elapsed", label: t("jobs.duration"), sort: "elapsed", look: "number", cell: (job, { now }) => duration(ranFor(job, now)) },
    {
      id: "notes",
      label: t("jobs.notes"),
      cell: (job, { hands }) =>
        html`<${Notes} job=${job} onSaved=${(/** @type {string} */ notes) => hands.noted(job, notes)} />`,
    },
  ];
}

/** @param {{column: JobColumn, sort: string, order: string}} props */
function Head({ column, sort, order }) {
  const { id, label, look, sort: by } = column;
  const shown = by === sort ? order : "";
  const named = look === "time" ? `${label} (${zone()})` : undefined;
  if (!by) return html`<th scope="col" class=${classes(`col-${id}`, look)}>${label}</th>`;
  const next = () => setQuery({ sort: by, order: shown === "desc" ? "asc" : "desc", page: "" }, { replace: false });
  return html`<th
    scope="col"
    class=${classes(`col-${id}`, look)}
    title=${named}
    aria-sort=${shown ? (shown === "desc" ? "descending" : "ascending") : undefined}
  >
    <button type="button" class="sort-button" onClick=${next}>
      ${label}<${Icon} name=${shown === "asc" ? "arrow_up" : "arrow_down"} size=${12} />
    </button>
  </th>`;
}

/** @param {JobRow} job @param {Hands["act"]} act */
async function cancel(job, act) {
  if (await cancelJobs([job])) act(job, "cancel");
}

/** @param {JobRow} job @param {Hands["act"]} act */
async function rerun(job, act) {
  if (await rerunJob(job)) act(job, "rerun");
}

/** @param {{job: JobRow, hands: Hands, doing: string}} props */
function Actions({ job, hands, doing }) {
  const items = [
    mayCancel(job) && { label: t("action.cancel_job"), icon: "stop", danger: true, onSelect: () => cancel(job, hands.act) },
    mayRerun(job) && { label: t("action.rerun"), icon: "rerun", onSelect: () => rerun(job, hands.act) },
  ].filter((item) => item !== false);
  if (items.length === 0) return null;
  const label = t("jobs.actions_of", { job: job.job_id });
  return html`<${Menu} label=${label} icon="dots" align="right" disabled=${Boolean(doing)} items=${items} />`;
}

/** Drawn again only when one of these changes: there may be a thousand of them.
 * @param {{job: JobRow, columns: JobColumn[], hands: Hands, doing: string, now: number,
 *   picked: boolean, current: boolean}} props */
function Row({ job, columns, hands, doing, now, picked, current }) {
  const inputs = [job, columns, hands, doing, now, picked, current];
  return useMemo(() => drawn(job, columns, { hands, doing, now }, { picked, current }), inputs);
}

/** @param {JobRow} job @param {JobColumn[]} columns
 * @param {{hands: Hands, doing: string, now: number}} more
 * @param {{picked: boolean, current: boolean}} state */
function drawn(job, columns, more, { picked, current }) {
  const party = `${job.role} ${job.party_id}`;
  return html`<tr class=${classes(picked && "picked", current && "current")} data-job=${jobName(job)}>
    <td class="pick">
      <input
        type="checkbox"
        checked=${picked}
        aria-label=${t("jobs.pick", { job: job.job_id, party })}
        onChange=${() => more.hands.pick(jobName(job))}
      />
    </td>
    <td class="col-id">
      <a class="job-id" href=${jobLink(job)}>${job.job_id}</a>
      ${job.name && html`<span class="job-name" title=${job.name} dir="auto">${job.name}</span>`}
    </td>
    ${columns.map(
      (column) => html`<td key=${column.id} class=${classes(`col-${column.id}`, column.look)} data-label=${column.label}>
        ${column.cell(job, more)}
      </td>`,
    )}
    <td class="col-actions"><${Actions} job=${job} hands=${more.hands} doing=${more.doing} /></td>
  </tr>`;
}

const AT_FIRST = 60;
const MORE = 160;

/** How many rows to draw: a screenful at once, the rest while the page is already usable.
 * @param {number} count */
function useGrowing(count) {
  const [shown, setShown] = useState(AT_FIRST);
  useEffect(() => {
    if (shown >= count) return;
    const timer = setTimeout(() => setShown(shown + MORE), 16);
    return () => clearTimeout(timer);
  }, [shown, count]);
  return Math.min(shown, count);
}

/** @param {{jobs: JobRow[], columns: JobColumn[], hands: Hands, busy: Record<string, string>,
 *   now: number, picked: Set<string>, current: number, setPicked: (picked: Set<string>) => void,
 *   sort: string, order: string, stale: boolean}} props busy: what was asked of a job, by its name */
export function JobsTable({ jobs, columns, hands, busy, now, picked, setPicked, current, sort, order, stale }) {
  const all = jobs.length > 0 && jobs.every((job) => picked.has(jobName(job)));
  const some = !all && jobs.some((job) => picked.has(jobName(job)));
  const drawnRows = useGrowing(jobs.length);
  const pickAll = () => {
    const next = new Set(picked);
    for (const name of jobs.map(jobName)) {
      if (all) next.delete(name);
      else next.add(name);
    }
    setPicked(next);
  };
  return html`<div class="jobs-scroll">
    <table class=${classes("jobs", stale && "stale")} aria-busy=${String(stale)}>
      <caption class="hidden-label">${t("nav.jobs")}</caption>
      <thead>
        <tr>
          <th class="pick">
            <input type="checkbox" checked=${all} indeterminate=${some} aria-label=${t("jobs.pick_all")} onChange=${pickAll} />
          </th>
          <th scope="col" class="col-id">${t("jobs.id")}</th>
          ${columns.map((column) => html`<${Head} key=${column.id} column=${column} sort=${sort} order=${order} />`)}
          <th class="col-actions"><span class="hidden-label">${t("jobs.actions")}</span></th>
        </tr>
      </thead>
      <tbody>
        ${jobs.slice(0, drawnRows).map(
          (job, index) => html`<${Row}
            key=${jobName(job)}
            job=${job}
            columns=${columns}
            hands=${hands}
            doing=${busy[jobName(job)] ?? ""}
            now=${hasEnded(job.status) ? 0 : now}
            picked=${picked.has(jobName(job))}
            current=${index === current}
          />`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** Numbers around the current page: 1 … 4 5 6 … 50 (0 is a gap). @param {number} page @param {number} pages */
export function pageNumbers(page, pages) {
  const near = [1, page - 1, page, page + 1, pages].filter((n) => n >= 1 && n <= pages);
  const kept = [...new Set(near)].sort((a, b) => a - b);
  return kept.flatMap((n, i) => {
    const gap = i > 0 ? n - kept[i - 1] : 1;
    return gap === 1 ? [n] : gap === 2 ? [n - 1, n] : [0, n];
  });
}

const SIZES = [20, 50, 100, 200, 1000];

/** @param {{page: number, size: number, total: number}} props */
export function Pager({ page, size, total }) {
  const pages = Math.max(1, Math.ceil(total / size));
  /** @param {number} to */
  const go = (to) => setQuery({ page: to === 1 ? "" : to }, { replace: false });
  const first = total === 0 ? 0 : (page - 1) * size + 1;
  return html`<nav class="pager" aria-label=${t("pager.pages")}>
    <span class="tabular">${t("pager.range", { first: integer(first), last: integer(Math.min(total, page * size)), total: integer(total) })}</span>
    <div class="spread"></div>
    <${Select}
      label=${t("pager.size")}
      value=${String(size)}
      options=${SIZES.map((n) => ({ id: String(n), label: String(n) }))}
      onChange=${(/** @type {string} */ n) => setQuery({ size: n === "20" ? "" : n, page: "" }, { replace: false })}
    />
    ${pages > 1 &&
    html`<div class="pages">
      <${IconButton} icon="chevron_left" label=${t("pager.previous")} disabled=${page <= 1} onClick=${() => go(page - 1)} />
      ${pageNumbers(page, pages).map((n, i) =>
        n === 0
          ? html`<span key=${`gap${i}`} class="icon-button" aria-hidden="true">…</span>`
          : html`<${Button} key=${n} kind="quiet" onClick=${() => go(n)} aria-current=${n === page ? "page" : undefined}>${n}<//>`,
      )}
      <${IconButton} icon="chevron_right" label=${t("pager.next")} disabled=${page >= pages} onClick=${() => go(page + 1)} />
    </div>`}
  </nav>`;
}
