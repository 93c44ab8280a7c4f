/**
 * One job as it goes on: what the API says, and what has happened since.
 *
 * @typedef {import("./types").JobKey} JobKey
 * @typedef {import("./types").JobDetail} JobDetail
 */

import { useData } from "./api.js";
import { useEffect, useMemo, useRef, useState } from "./html.js";
import { t } from "./i18n.js";
import { subscribe } from "./live.js";

export const ENDED = ["success", "failed", "canceled", "timeout"];

/** Address of a job in the API. @param {JobKey} key */
export function jobPath(key) {
  return `/jobs/${[key.job_id, key.role, key.party_id].map(encodeURIComponent).join("/")}`;
}

/** @param {JobKey} key */
export function jobTopic(key) {
  return `job:${key.job_id}/${key.role}/${key.party_id}`;
}

/** What an event changes of a job. @param {Partial<JobDetail>} news @param {import("./types").Event} event
 * @returns {Partial<JobDetail>} */
export function told(news, event) {
  if (event.kind === "job" || event.kind === "ended") return { ...news, job: event.body };
  if (event.kind === "tasks") return { ...news, tasks: event.body };
  if (event.kind === "waiting") return { ...news, waiting: event.body };
  return news;
}

/** A component without a task here is not run by this party, whatever the graph says.
 * @param {JobDetail} job @returns {JobDetail} */
export function here(job) {
  const mine = new Set(job.tasks.map((task) => task.component));
  if (!mine.size) return job;
  const nodes = job.dag.nodes.map((node) => (node.need_run && !mine.has(node.name) ? { ...node, need_run: false } : node));
  return { ...job, dag: { ...job.dag, nodes } };
}

/** Why a component of a job that has ended was not reached. @param {JobDetail} detail */
export function stoppedBy({ job, failure }) {
  if (failure?.component) return t("job.not_reached.failed", { component: failure.component, party: failure.party });
  return job.status === "canceled" ? t("job.not_reached.canceled") : t("job.not_reached.ended");
}

/** How many components of a job there are of each status; those that this party does not run are "".
 * @param {JobDetail} detail @returns {Record<string, number>} */
export function counts({ dag, tasks }) {
  const state = new Map(tasks.map((task) => [task.component, task.status]));
  /** @type {Record<string, number>} */
  const found = {};
  for (const node of dag.nodes) {
    const status = node.need_run ? state.get(node.name) || "waiting" : "";
    found[status] = (found[status] || 0) + 1;
  }
  return found;
}

/** A job row does not say its elapsed time to the end, nor its failure: once it ends, or begins
 * anew, the whole job is read again. @param {JobKey} key */
export function useJob(key) {
  const path = jobPath(key);
  const { data, error, loading, stale, reload } = useData(path);
  const [news, setNews] = useState(/** @type {{of: any, what: Partial<JobDetail>}} */ ({ of: null, what: {} }));
  const latest = useRef({ data, reload });
  latest.current = { data, reload };
  useEffect(() => subscribe(jobTopic(key), (event) => {
    const { data: read, reload: again } = latest.current;
    if (event.kind === "log" || event.kind === "metric") return;
    setNews((before) => ({ of: read, what: told(before.of === read ? before.what : {}, event) }));
    const row = event.kind === "job" || event.kind === "ended" ? event.body : null;
    const ended = row && ENDED.includes(row.status);
    if (row && read && ended !== ENDED.includes(read.job.status)) again();
  }), [path]);
  const job = useMemo(() => (data && !stale ? here({ ...data, ...(news.of === data ? news.what : {}) }) : undefined), [data, stale, news]);
  return { job, error, loading, reload };
}
