/** Jobs as pages name them, and what can be done to them. */

import { post, session } from "./api.js";
import { html } from "./html.js";
import { t } from "./i18n.js";
import { link } from "./router.js";
import { confirm, toast } from "./ui.js";

/** @import {JobKey, JobRow} from "./types.js" */

export const ENDED = ["success", "failed", "canceled", "timeout"];

/** How many jobs may stand side by side. */
export const COMPARE_LEAST = 2;
export const COMPARE_MOST = 10;

/** @param {string} status */
export function hasEnded(status) {
  return ENDED.includes(status);
}

/** What addresses and lists of jobs share. @param {JobKey} job */
export function jobKey({ job_id, role, party_id }) {
  return { job_id, role, party_id };
}

/** "job:role:party", as addresses name it. @param {JobKey} job */
export function jobName({ job_id, role, party_id }) {
  return `${job_id}:${role}:${party_id}`;
}

/** @param {string} name @returns {JobKey} */
export function jobNamed(name) {
  const [job_id = "", role = "", party_id = ""] = name.split(":");
  return { job_id, role, party_id };
}

/** Under /api/v1. @param {JobKey} job */
export function jobPath({ job_id, role, party_id }) {
  return `/jobs/${[job_id, role, party_id].map(encodeURIComponent).join("/")}`;
}

/** The page of a job: its dashboard while it runs, its details afterwards.
 * @param {JobKey & {status?: string}} job */
export function jobLink(job) {
  return link(job.status && hasEnded(job.status) ? "details" : "dashboard", jobKey(job));
}

/** Whether the reader may cancel, retry and write notes. */
export function mayOperate() {
  const who = session.value;
  return who != null && who.access !== "viewer";
}

/** @param {JobRow} job */
export function mayCancel(job) {
  return mayOperate() && !hasEnded(job.status);
}

/** @param {JobRow} job */
export function mayRerun(job) {
  return mayOperate() && ["failed", "canceled", "timeout"].includes(job.status);
}

/** Milliseconds a job has run until now. @param {JobRow} job @param {number} now */
export function ranFor(job, now) {
  if (hasEnded(job.status)) return job.elapsed_ms;
  return job.started_ms == null ? null : Math.max(0, now - job.started_ms);
}

/** "guest 9999". @param {{role: string, party: string}} props */
export function Party({ role, party }) {
  return html`<span class="party"><span class="party-role">${role}</span>${" "}<span class="party-id">${party}</span></span>`;
}

/** What most jobs have says least of one. */
const ORDINARY = ["Reader", "DataTransform", "Intersection", "Evaluation", "Upload"];

/** A few chips, the rest behind a count. @param {{names: string[], most?: number}} props */
export function Modules({ names, most = 2 }) {
  if (names.length === 0) return null;
  const telling = names.filter((name) => !ORDINARY.includes(name));
  const ordered = [...telling, ...names.filter((name) => ORDINARY.includes(name))];
  const rest = ordered.slice(most);
  return html`<span class="modules" title=${names.join(", ")}>
    ${ordered.slice(0, most).map((name) => html`<span class="chip" key=${name}>${name}</span>`)}
    ${rest.length > 0 && html`<span class="chip more">+${rest.length}</span>`}
  </span>`;
}

/** Asks, then cancels. The answer is whether it was asked of fateflow.
 * @param {JobKey[]} jobs rows of one or more jobs */
export async function cancelJobs(jobs) {
  const ids = [...new Set(jobs.map((job) => job.job_id))];
  const text =
    ids.length === 1 ? t("cancel.one", { job: ids[0] }) : t("cancel.many", { count: ids.length, jobs: ids.join("\n") });
  const title = ids.length === 1 ? t("cancel.title") : t("cancel.title_many", { count: ids.length });
  const action = ids.length === 1 ? t("action.cancel_job") : t("action.cancel_jobs");
  if (!(await confirm({ title, text, action }))) return false;
  const firsts = ids.map((id) => jobs.find((job) => job.job_id === id) ?? jobs[0]);
  const results = await Promise.allSettled(firsts.map((job) => post(`${jobPath(job)}/cancel`)));
  const failed = results.find((result) => result.status === "rejected");
  if (failed) toast("error", failed.reason.message);
  else toast("info", ids.length === 1 ? t("cancel.asked", { job: ids[0] }) : t("cancel.asked_many", { count: ids.length }));
  return !failed;
}

/** Asks, then runs again what has not succeeded, from one component or as a whole.
 * @param {JobKey} job @param {string} [component] */
export async function rerunJob(job, component) {
  const text = component
    ? t("rerun.component", { job: job.job_id, component })
    : t("rerun.whole", { job: job.job_id });
  const wanted = await confirm({ title: t("rerun.title"), text, action: t("action.rerun"), danger: false });
  if (!wanted) return false;
  try {
    await post(`${jobPath(job)}/rerun`, component ? { component } : {});
  } catch (error) {
    toast("error", /** @type {Error} */ (error).message);
    return false;
  }
  toast("info", t("rerun.asked", { job: job.job_id }));
  return true;
}
