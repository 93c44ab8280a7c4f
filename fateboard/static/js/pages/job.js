/**
 * A job: `#/dashboard` shows how it goes, `#/details` what came out. One page, two layouts.
 *
 * @typedef {import("../types").JobDetail} JobDetail
 */

import { DagView } from "../dag.js";
import { Datasets } from "../datasets.js";
import { Drawer } from "../drawer.js";
import { Gantt } from "../gantt.js";
import { html, useState } from "../html.js";
import { say, t } from "../i18n.js";
import { JobHeader, keyQuery, mayAct, rerunJob } from "../jobheader.js";
import { useKeys } from "../keys.js";
import { ENDED, counts, jobPath, jobTopic, stoppedBy, useJob } from "../livejob.js";
import { LogView } from "../logview.js";
import { link, navigate, route, setQuery } from "../router.js";
import { Split } from "../split.js";
import { TaskTable } from "../tasktable.js";
import { Button, Empty, ErrorBox, IconButton, NoticeLine, Spinner } from "../ui.js";
import { DisclosureSummary } from "./disclosure.js";

const FORMS = ["graph", "timeline", "table"];

/** @param {{query: Record<string, string>}} props */
export function Page({ query }) {
  const { job_id, role, party_id } = query;
  if (!job_id || !role || !party_id) {
    return html`<${Empty} icon="link" title=${t("job.no_key")} hint=${t("job.no_key_hint")}
      action=${html`<${Button} href=${link("history")}>${t("job.to_jobs")}<//>`} />`;
  }
  return html`<${Job} key=${`${job_id} ${role} ${party_id}`} name=${{ job_id, role, party_id }} query=${query} />`;
}

/** @param {{name: import("../types").JobKey, query: Record<string, string>}} props */
function Job({ name, query }) {
  const { job: detail, error, loading, reload } = useJob(name);
  useKeys({
    l: () => navigate("dashboard", { ...name, show: query.show === "log" ? "" : "log" }),
    Escape: () => query.component && setQuery({ component: "", tab: "", view: "", line: "", log: "", attempt: "" }),
  });
  if (error && !detail) return html`<div class="job"><${ErrorBox} error=${error} retry=${reload} /></div>`;
  if (!detail) return loading ? html`<${Spinner} />` : null;
  const page = route.value.page;
  const onlyLog = page === "dashboard" && query.show === "log";
  return html`<div class=${`job job-${page}`} data-status=${detail.job.status}>
    <${JobHeader} detail=${detail} reload=${reload} current=${onlyLog ? "log" : page} />
    ${(detail.notices || []).map((notice) => html`<${NoticeLine} level=${notice.level}>${say(notice.text)}<//>`)}
    <div class="job-main">
      ${onlyLog ? html`<div class="card job-log"><${JobLog} detail=${detail} query=${query} /></div>` : html`<${Panes} detail=${detail} query=${query} reload=${reload} />`}
    </div>
  </div>`;
}

/** The component that a page without one shows: what failed, else what runs, else the last.
 * @param {JobDetail} detail */
export function interesting({ failure, tasks, dag }) {
  if (failure?.component && dag.nodes.some((node) => node.name === failure.component)) return failure.component;
  const running = tasks.find((task) => task.status === "running");
  const ran = dag.nodes.filter((node) => tasks.some((task) => task.component === node.name && task.status === "success"));
  return running?.component || ran.at(-1)?.name || dag.nodes[0]?.name || "";
}

/** @param {{detail: JobDetail, query: Record<string, string>, reload: () => void}} props */
function Panes({ detail, query, reload }) {
  const [full, setFull] = useState(false);
  const details = route.value.page === "details";
  const selected = query.component || (details ? interesting(detail) : "");
  const form = FORMS.includes(query.show) ? query.show : "graph";
  const select = (/** @type {string} */ component) => setQuery({ component, view: "", line: "", log: "", attempt: "", tree: "" }, { replace: false });
  const close = () => {
    setFull(false);
    if (details && !query.component) navigate("dashboard", keyQuery(detail.job));
    else if (details) navigate("dashboard", { ...keyQuery(detail.job), show: query.show });
    else setQuery({ component: "", tab: "", view: "", line: "", log: "", attempt: "", tree: "" });
  };
  const rerun = mayAct() ? (/** @type {string} */ name) => rerunJob(detail, name, reload) : null;
  const left = html`<${Components} ...${{ detail, form, selected }} onSelect=${select} onRerun=${rerun} />`;
  const right = selected
    ? html`<div class="card"><${Drawer} detail=${detail} component=${selected} full=${full} onFull=${() => setFull(!full)} onClose=${close} onSelect=${select} onRerun=${rerun} /></div>`
    : html`<${Overview} detail=${detail} query=${query} onSelect=${select} />`;
  return html`<${Split} name=${selected ? "details" : "dashboard"} initial=${selected ? 40 : 44} full=${full && !!selected} label=${t("job.split")} left=${left} right=${right} />`;
}

/** Graph, timeline or table. @param {any} props */
function Components({ detail, form, selected, onSelect, onRerun }) {
  const { dag, tasks } = detail;
  const words = { graph: t("job.show.graph"), timeline: t("job.show.timeline"), table: t("job.show.table") };
  const of = counts(detail);
  const told = [
    t("job.components.done", { n: of.success || 0, of: dag.nodes.length - (of[""] || 0) }),
    (of.failed || of.timeout) && t("job.components.failed", { n: (of.failed || 0) + (of.timeout || 0) }),
    of.not_reached && t("job.components.not_reached", { n: of.not_reached }),
  ];
  const stopped = stoppedBy(detail);
  return html`<section class="card components" aria-label=${t("job.components")}>
    <header class="card-head"><h2>${t("job.components")}</h2><span class="muted tabular">${told.filter(Boolean).join(" · ")}</span>
      <span class="grow"></span>
      <div class="segments" role="group" aria-label=${t("job.show")}>
        ${FORMS.map((id) => html`<button key=${id} type="button" data-form=${id} aria-pressed=${id === form} onClick=${() => setQuery({ show: id === "graph" ? "" : id })}>${/** @type {any} */ (words)[id]}</button>`)}
      </div>
    </header>
    ${form === "graph" && html`<${DagView} ...${{ dag, tasks, stopped, selected, onSelect, onRerun }} />`}
    ${form === "timeline" && html`<${Gantt} ...${{ dag, tasks, stopped, selected, onSelect }} />`}
    ${form === "table" && html`<${TaskTable} ...${{ dag, tasks, stopped, selected, onSelect }} />`}
  </section>`;
}

/** @param {{detail: JobDetail, query: Record<string, string>, onSelect: (name: string) => void}} props */
function Overview({ detail, query, onSelect }) {
  const { job, datasets } = detail;
  return html`<div class="overview">
    <div class="overview-cards">
      <section class="card card-padded" aria-label=${t("job.datasets")}>
        <h2>${t("job.datasets")}</h2>
        <${Datasets} datasets=${datasets} mine=${`${job.role} ${job.party_id}`} onSelect=${onSelect} />
      </section>
      <${DisclosureSummary} job=${job} />
    </div>
    <div class="card overview-log">
      <${JobLog} detail=${detail} query=${query} extra=${html`<span class="grow"></span><${IconButton} small icon="fit" label=${t("job.log.enlarge")}
        href=${link("dashboard", { ...keyQuery(job), show: "log", log: query.log, attempt: query.attempt, line: query.line })} />`} />
    </div>
  </div>`;
}

/** @param {{detail: JobDetail, query: Record<string, string>, extra?: any}} props */
function JobLog({ detail, query, extra = null }) {
  const { job } = detail;
  const first = detail.failure?.mine ? "partyError" : "partyInfo";
  return html`<${LogView} path=${jobPath(job)} topic=${jobTopic(job)} type=${query.log || first} line=${query.line} extra=${extra} live=${!ENDED.includes(job.status)}
    onType=${(/** @type {string} */ log) => setQuery({ log, line: "" })}
    attempt=${query.attempt} onAttempt=${(/** @type {string} */ attempt) => setQuery({ attempt, line: "" })} onLine=${(/** @type {string} */ line) => setQuery({ log: query.log || first, line })}
    linkTo=${(/** @type {number} */ line) => link("dashboard", { ...keyQuery(job), show: "log", log: query.log || first, attempt: query.attempt, line })} />`;
}
