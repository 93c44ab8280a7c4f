/** What waits or runs now, and what has ended lately. */

import { useData } from "../api.js";
import { useNow } from "../clock.js";
import { ago, duration, time } from "../format.js";
import { html, useEffect, useState } from "../html.js";
import { t } from "../i18n.js";
import { ENDED, Modules, Party, cancelJobs, jobLink, jobName, mayCancel, ranFor } from "../jobs.js";
import { subscribe } from "../live.js";
import { link } from "../router.js";
import { useScrollMemory } from "../scroll.js";
import { Button, Empty, ErrorBox, Progress, Spinner, Status } from "../ui.js";

/** @import {JobRow} from "../types.js" */

const NOW_PATH = "/jobs?status=waiting,running&size=200";
const RECENT_PATH = `/jobs?status=${ENDED.join(",")}&sort=ended&order=desc&size=10`;

/** The jobs that wait or run, as events tell; at first as the list does. */
function useRunning() {
  const first = useData(NOW_PATH);
  const recent = useData(RECENT_PATH);
  const [told, setTold] = useState(/** @type {JobRow[] | null} */ (null));
  useEffect(
    () =>
      subscribe("jobs", ({ kind, body }) => {
        if (kind === "jobs") setTold(body);
        if (kind === "ended") recent.reload();
      }),
    [recent.reload],
  );
  /** @type {JobRow[] | undefined} */
  const jobs = told ?? first.data?.jobs;
  return { jobs: jobs && sorted(jobs), recent, error: first.error, reload: first.reload };
}

/** Running before waiting, the newest first; rows of one job stay together.
 * @param {JobRow[]} jobs */
function sorted(jobs) {
  const rank = (/** @type {JobRow} */ job) => (job.status === "running" ? 0 : 1);
  return [...jobs].sort(
    (a, b) =>
      rank(a) - rank(b) ||
      b.job_id.localeCompare(a.job_id) ||
      ROLES.indexOf(a.role) - ROLES.indexOf(b.role) ||
      a.party_id.localeCompare(b.party_id, undefined, { numeric: true }),
  );
}

const ROLES = ["guest", "host", "arbiter", "local"];

/** @param {{job: JobRow, now: number, asked: boolean, onAsked: () => void}} props */
function Card({ job, now, asked, onAsked }) {
  const running = job.status === "running";
  const since = running ? ranFor(job, now) : null;
  const cancel = async () => {
    if (await cancelJobs([job])) onAsked();
  };
  return html`<li class="panel job-card" data-job=${jobName(job)}>
    <div class="job-card-head">
      <a class="job-id" href=${jobLink(job)} aria-label=${t("running.open", { job: job.job_id, party: `${job.role} ${job.party_id}` })}>
        ${job.job_id}
      </a>
      <${Status} status=${job.status} />
    </div>
    <div class="row row-wrap">
      <${Party} role=${job.role} party=${job.party_id} />
      ${job.partners.length > 0 &&
      html`<span class="muted truncate" title=${job.partners.join(", ")}>${t("running.with", { partners: job.partners.join(", ") })}</span>`}
    </div>
    <${Modules} names=${job.modules} />
    ${job.notes && html`<p class="truncate muted" title=${job.notes} dir="auto">${job.notes}</p>`}
    <div class="job-card-line">
      <${Progress} value=${job.progress} status=${job.status} label=${t("running.progress", { job: job.job_id })} />
      <span class="percent">${job.progress}%</span>
    </div>
    <div class="job-card-foot">
      <span title=${time(job.started_ms ?? job.created_ms)}>
        ${running ? t("running.for", { time: duration(seconds(since)) }) : t("running.waits_since", { ago: ago(job.created_ms, now) })}
      </span>
      ${mayCancel(job) &&
      html`<${Button} small kind="quiet" icon="stop" busy=${asked} onClick=${cancel}>
        ${asked ? t("jobs.cancelling") : t("action.cancel_job")}
      <//>`}
    </div>
  </li>`;
}

/** Whole seconds: tenths would flicker. @param {number | null} ms */
function seconds(ms) {
  return ms == null ? null : Math.floor(ms / 1000) * 1000;
}

/** @param {{jobs: JobRow[], now: number}} props */
function Recent({ jobs, now }) {
  return html`<div class="panel recent">
    ${jobs.map(
      (job) => html`<a class="recent-row" key=${jobName(job)} href=${jobLink(job)}>
        <${Status} status=${job.status} />
        <span class="job-id">${job.job_id}</span>
        <${Party} role=${job.role} party=${job.party_id} />
        <${Modules} names=${job.modules} />
        <span title=${time(job.ended_ms)}>${ago(job.ended_ms, now)}</span>
        <span class="number">${duration(job.elapsed_ms)}</span>
      </a>`,
    )}
  </div>`;
}

export function Page() {
  const { jobs, recent, error, reload } = useRunning();
  const [asked, setAsked] = useState(/** @type {string[]} */ ([]));
  const now = useNow(true);
  useScrollMemory("", jobs != null);
  const ids = new Set(jobs?.map((job) => job.job_id));
  /** @type {JobRow[]} */
  const ended = recent.data?.jobs ?? [];
  const none = html`<${Empty}
    icon="play"
    title=${t("running.none")}
    hint=${t("running.none_hint")}
    action=${html`<${Button} href=${link("history")}>${t("running.all_jobs")}<//>`}
  />`;
  return html`<div class="page-head">
      <h1>${t("nav.running")}</h1>
      <span class="muted" role="status" aria-live="polite">${jobs && jobs.length > 0 && t("running.count", { jobs: ids.size, views: jobs.length })}</span>
    </div>
    <${ErrorBox} error=${error} retry=${reload} />
    ${!jobs && !error && html`<${Spinner} />`}
    ${jobs?.length === 0 && html`<div class="panel">${none}</div>`}
    ${jobs &&
    jobs.length > 0 &&
    html`<ul class="cards">
      ${jobs.map(
        (job) => html`<${Card}
          key=${jobName(job)}
          job=${job}
          now=${now}
          asked=${asked.includes(job.job_id)}
          onAsked=${() => setAsked([...asked, job.job_id])}
        />`,
      )}
    </ul>`}
    ${ended.length > 0 &&
    html`<div class="section-head">
        <h2>${t("running.recent")}</h2>
        <a href=${link("history", { status: ENDED.join(","), sort: "ended", order: "desc" })}>${t("running.all_jobs")}</a>
      </div>
      <${Recent} jobs=${ended} now=${now} />`}`;
}
