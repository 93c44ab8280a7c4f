/**
 * One component of a job: what came out, what it ran with, what it said, what it sent.
 *
 * @typedef {import("./types").JobDetail} JobDetail
 */

import { ComponentView } from "./blocks/index.js";
import { apiUrl, useData } from "./api.js";
import { lasted, useNow } from "./clock.js";
import { look } from "./dag.js";
import { DataView } from "./datapreview.js";
import { duration, time } from "./format.js";
import { html, useState } from "./html.js";
import { t } from "./i18n.js";
import { Icon } from "./icons.js";
import { JsonTree } from "./jsontree.js";
import { jobPath, jobTopic, stoppedBy } from "./livejob.js";
import { LogView } from "./logview.js";
import { ParametersView } from "./parameters.js";
import { DisclosureView } from "./pages/disclosure.js";
import { link, route, setQuery } from "./router.js";
import { Button, CopyButton, Empty, ErrorBox, IconButton, SearchBox, Spinner, Status, Tabs } from "./ui.js";

const TABS = ["summary", "parameters", "data", "model", "messages", "log"];

/** @param {{detail: JobDetail, component: string, full: boolean, onFull: () => void, onClose: () => void,
 *   onSelect: (name: string) => void, onRerun: ((name: string) => void) | null}} props */
export function Drawer({ detail, component, full, onFull, onClose, onSelect, onRerun }) {
  const { dag, tasks } = detail;
  const at = dag.nodes.findIndex((node) => node.name === component);
  const node = dag.nodes[at];
  const task = tasks.find((one) => one.component === component);
  const status = look(task?.status, node?.need_run ?? true);
  const { query } = route.value;
  const tab = TABS.includes(query.tab) ? query.tab : "summary";
  const choose = (/** @type {string} */ id) => setQuery({ tab: id === "summary" ? "" : id, line: "", log: "", attempt: "" });
  const items = [
    { id: "summary", label: t("job.tab.summary") }, { id: "parameters", label: t("job.tab.parameters") },
    { id: "data", label: t("job.tab.data") }, { id: "model", label: t("job.tab.model") },
    { id: "messages", label: t("job.tab.messages") }, { id: "log", label: t("job.tab.log") },
  ];
  if (!node) return html`<${Empty} icon="graph" title=${t("job.drawer.unknown", { component })} action=${html`<${Button} onClick=${onClose}>${t("job.drawer.close")}<//>`} />`;
  return html`<section class="drawer" aria-label=${t("job.drawer.label", { component })} data-component=${component} data-tab=${tab}>
    <header class="drawer-head">
      <div class="drawer-title">
        <h2 title=${component}>${component}</h2><span class="chip">${node.module}</span><${Status} status=${status} />
        ${status && html`<${Took} task=${task} />`}
      </div>
      <div class="drawer-tools">
        ${onRerun && ["failed", "canceled", "timeout"].includes(status) && html`<${Button} small icon="rerun" onClick=${() => onRerun(component)}>${t("job.rerun.here")}<//>`}
        <${IconButton} icon="chevron_left" label=${t("job.drawer.before")} disabled=${at === 0} onClick=${() => onSelect(dag.nodes[at - 1].name)} />
        <${IconButton} icon="chevron_right" label=${t("job.drawer.after")} disabled=${at === dag.nodes.length - 1} onClick=${() => onSelect(dag.nodes[at + 1].name)} />
        <${IconButton} icon="fit" label=${full ? t("job.drawer.beside") : t("job.drawer.full")} pressed=${full} onClick=${onFull} />
        <${IconButton} icon="close" label=${t("job.drawer.close")} onClick=${onClose} />
      </div>
    </header>
    ${task?.error && !(detail.failure?.mine && detail.failure.component === component) && html`<${TaskError} text=${task.error} />`}
    <${Tabs} items=${items} selected=${tab} onSelect=${choose} label=${t("job.drawer.tabs")}>
      <div class=${`drawer-body drawer-${tab}`} key=${`${component} ${tab}`}><${Panel} ...${{ tab, detail, component, status, node }} /></div>
    <//>
  </section>`;
}

/** @param {{task: import("./types").Task | undefined}} props */
function Took({ task }) {
  const now = useNow(task?.status === "running");
  const ran = task ? lasted(task, now) : null;
  if (!task || ran == null) return null;
  return html`<span class="muted tabular" title=${t("job.gantt.began", { at: time(task.started_ms) })}>${duration(ran)}</span>
    ${task.version > 0 && html`<span class="chip">${t("job.attempt", { n: task.version + 1 })}</span>`}`;
}

/** The first line of what went wrong; the rest folded. @param {{text: string}} props */
export function TaskError({ text }) {
  const [first, ...rest] = text.trim().split("\n");
  return html`<div class="task-error" role="note"><${Icon} name="circle_x" />
    ${rest.length ? html`<details><summary>${first}</summary><pre tabindex="0">${rest.join("\n")}</pre></details>` : html`<p>${first}</p>`}
    <${CopyButton} text=${text} label=${t("job.failure.copy")} /></div>`;
}

/** @param {any} props */
function Panel({ tab, detail, component, status, node }) {
  const { job, failure } = detail;
  const { query } = route.value;
  const key = { job_id: job.job_id, role: job.role, party_id: job.party_id };
  const path = `${jobPath(key)}/components/${encodeURIComponent(component)}`;
  if (status === "") return html`<${Empty} icon="minus" title=${t("job.drawer.idle", { party: `${job.role} ${job.party_id}` })} hint=${t("job.dag.not_run_why")} />`;
  if (status === "not_reached" && tab !== "parameters") {
    const cause = failure?.component && failure.component !== component ? failure.component : "";
    return html`<${Empty} icon="minus" title=${t("job.not_reached", { component })} hint=${stoppedBy(detail)}
      action=${cause && html`<${Button} href=${link(route.value.page, { ...query, component: cause, tab: "" })}>${t("job.not_reached.see", { component: cause })}<//>`} />`;
  }
  if (tab === "parameters") return html`<${ParametersView} path=${path} />`;
  if (tab === "data") return html`<${DataView} path=${path} component=${component} />`;
  if (tab === "model") return html`<${ModelView} path=${path} module=${node.module} />`;
  if (tab === "messages") return html`<${DisclosureView} job=${job} component=${component} />`;
  if (tab === "log") {
    return html`<${LogView} path=${jobPath(key)} topic=${jobTopic(key)} component=${component} line=${query.line} live=${status === "running" || status === "waiting"}
      type=${query.log || (status === "failed" ? "componentError" : "componentInfo")}
      onType=${(/** @type {string} */ type) => setQuery({ log: type, line: "" })}
      attempt=${query.attempt} onAttempt=${(/** @type {string} */ attempt) => setQuery({ attempt, line: "" })} onLine=${(/** @type {string} */ line) => setQuery({ line })}
      linkTo=${(/** @type {number} */ line) => link(route.value.page, { ...route.value.query, line })} />`;
  }
  return html`<${ComponentView} job=${key} component=${component} live=${status === "running"} />`;
}

/** The model as JSON, fetched when asked for where it is big. @param {{path: string, module: string}} props */
function ModelView({ path, module }) {
  const heavy = /NN$/i.test(module);
  const [wanted, setWanted] = useState(!heavy);
  const { data, error, loading, reload } = useData(wanted ? `${path}/model.json` : null);
  const [sought, setSought] = useState("");
  if (!wanted) {
    return html`<${Empty} icon="archive" title=${t("job.model.heavy")} hint=${t("job.model.heavy_hint")}
      action=${html`<${Button} onClick=${() => setWanted(true)}>${t("job.model.load")}<//> <${Button} icon="download" href=${apiUrl(`${path}/model.json`)} download="">${t("job.model.download")}<//>`} />`;
  }
  if (error?.status === 404) return html`<${Empty} icon="archive" title=${t("job.model.none")} hint=${error.hint || t("job.model.none_hint")} />`;
  if (error) return html`<${ErrorBox} error=${error} retry=${reload} />`;
  if (!data) return loading ? html`<${Spinner} />` : null;
  if (!Object.keys(data).length) return html`<${Empty} icon="archive" title=${t("job.model.none")} hint=${t("job.model.none_hint")} />`;
  return html`<div class="model">
    <div class="job-bar"><${SearchBox} value=${sought} onInput=${setSought} label=${t("job.model.filter")} />
      <span class="grow"></span><${Button} icon="download" href=${apiUrl(`${path}/model.json`)} download="">${t("job.model.download")}<//></div>
    <${JsonTree} value=${data} sought=${sought} open=${1} />
  </div>`;
}
