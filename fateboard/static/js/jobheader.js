/**
 * The head of a job's pages: what it is, how it goes, and what can be done with it.
 *
 * @typedef {import("./types").JobDetail} JobDetail
 */

import { apiUrl, post, put, session } from "./api.js";
import { lasted, useNow } from "./clock.js";
import { TaskError } from "./drawer.js";
import { ago, duration, time } from "./format.js";
import { html, useRef, useState } from "./html.js";
import { say, t } from "./i18n.js";
import { Icon } from "./icons.js";
import { ENDED, jobPath } from "./livejob.js";
import { link, route } from "./router.js";
import { Button, CopyButton, Dialog, IconButton, Menu, Progress, Select, Status, confirm, toast } from "./ui.js";

const ROLES = ["guest", "host", "arbiter", "local"];
const NOTES_MOST = 2000;

/** The query that leads to one party's view of a job. @param {import("./types").JobKey} key */
export const keyQuery = (key) => ({ job_id: key.job_id, role: key.role, party_id: key.party_id });

/** Whether this user may change jobs. */
export function mayAct() {
  const who = session.value;
  return !!who && who.access !== "viewer";
}

/** Asks, then cancels. @param {JobDetail} detail @param {() => void} reload */
export async function cancelJob({ job }, reload) {
  const sure = await confirm({ title: t("job.cancel.title", { job: job.job_id }), text: t("job.cancel.text"), action: t("job.cancel.action") });
  if (sure) await acted(() => post(`${jobPath(job)}/cancel`), t("job.cancel.done"), reload);
}

/** Asks, then runs again: all, or from a component. @param {JobDetail} detail @param {string} component @param {() => void} reload */
export async function rerunJob({ job }, component, reload) {
  const sure = await confirm({
    title: component ? t("job.rerun.title_from", { component }) : t("job.rerun.title", { job: job.job_id }),
    text: component ? t("job.rerun.text_from") : t("job.rerun.text"), action: t("job.rerun.action"), danger: false,
  });
  if (sure) await acted(() => post(`${jobPath(job)}/rerun`, component ? { component } : {}), t("job.rerun.done"), reload);
}

/** @param {() => Promise<unknown>} act @param {string} done @param {() => void} reload */
async function acted(act, done, reload) {
  try {
    await act();
    toast("success", done);
    reload();
  } catch (error) {
    toast("error", /** @type {Error} */ (error).message);
  }
}

/** @param {{detail: JobDetail, reload: () => void, current: string}} props */
export function JobHeader({ detail, reload, current }) {
  const { job } = detail;
  const title = job.name || job.job_id;
  return html`<header class="job-head">
    <div class="job-line">
      <h1 title=${title}>${title}</h1><${CopyButton} text=${job.job_id} label=${t("job.copy_id")} />
      <${Status} status=${job.status} />
      <${Elapsed} job=${job} />
      <${Parties} detail=${detail} />
      <span class="grow"></span>
      <${Actions} detail=${detail} reload=${reload} />
    </div>
    <${Facts} detail=${detail} reload=${reload} />
    ${!ENDED.includes(job.status) && html`<${Progress} value=${job.progress} status=${job.status} label=${t("job.progress", { n: job.progress })} />`}
    ${detail.failure && html`<${FailureBanner} detail=${detail} reload=${reload} />`}
    ${detail.waiting && !ENDED.includes(job.status) && html`<p class="job-waiting" role="status"><${Icon} name="clock" /><span><b>${job.status === "running" ? t("job.noted") : t("job.waiting")}</b> ${say(detail.waiting)}</span></p>`}
    <${PageTabs} job=${job} current=${current} />
  </header>`;
}

/** @param {{job: import("./types").JobRow}} props */
function Elapsed({ job }) {
  const now = useNow(job.status === "running");
  const ran = lasted(job, now);
  if (ran == null) return null;
  return html`<span class="job-elapsed tabular" title=${t("job.elapsed")}>${duration(ran)}</span>
    ${job.status === "running" && html`<span class="muted tabular">${t("job.progress", { n: job.progress })}</span>`}`;
}

/** Whose view this is, and the other views that this site has. @param {{detail: JobDetail}} props */
function Parties({ detail }) {
  const { job, siblings } = detail;
  const rank = (/** @type {{role: string}} */ key) => ROLES.indexOf(key.role) + 1 || ROLES.length + 1;
  const all = [keyQuery(job), ...siblings.map(keyQuery)].sort((a, b) => rank(a) - rank(b) || a.party_id.localeCompare(b.party_id));
  const { page, query } = route.value;
  return html`<nav class="parties" aria-label=${t("job.parties")}>
    ${all.map((key) => {
      const mine = key.role === job.role && key.party_id === job.party_id;
      return html`<a key=${key.role + key.party_id} href=${link(page, { ...query, ...key, view: "", line: "", attempt: "" })} aria-current=${mine ? "true" : undefined}
        data-role=${key.role} title=${mine ? t("job.parties.this") : t("job.parties.see", { party: `${key.role} ${key.party_id}` })}>
        <i aria-hidden="true"></i>${key.role} ${key.party_id}</a>`;
    })}
  </nav>`;
}

/** @param {{detail: JobDetail, reload: () => void}} props */
function Facts({ detail, reload }) {
  const { job } = detail;
  return html`<dl class="job-facts">
    ${job.name && html`<div><dt>${t("job.fact.id")}</dt><dd class="mono">${job.job_id}</dd></div>`}
    <div><dt>${t("job.fact.partners")}</dt><dd>${job.partners.length ? job.partners.join(", ") : t("job.fact.alone")}</dd></div>
    <div><dt>${t("job.fact.initiator")}</dt><dd>${job.initiator ? t("job.fact.this_party") : t("job.fact.other_party")}</dd></div>
    <div><dt>${t("job.fact.submitted")}</dt><dd title=${time(job.created_ms)}>${ago(job.created_ms)}</dd></div>
    <div><dt>${t("job.fact.started")}</dt><dd class="tabular">${time(job.started_ms)}</dd></div>
    ${job.ended_ms && html`<div><dt>${t("job.fact.ended")}</dt><dd class="tabular">${time(job.ended_ms)}</dd></div>`}
    <${Notes} job=${job} reload=${reload} />
  </dl>`;
}

/** @param {{job: import("./types").JobRow, reload: () => void}} props */
function Notes({ job, reload }) {
  const [draft, setDraft] = useState(/** @type {string | null} */ (null));
  const [busy, setBusy] = useState(false);
  const opener = useRef(/** @type {HTMLSpanElement | null} */ (null));
  const close = () => {
    setDraft(null);
    setTimeout(() => opener.current?.querySelector("button")?.focus(), 0);
  };
  const save = async () => {
    if (draft == null || busy) return;
    setBusy(true);
    try {
      await put(`${jobPath(job)}/notes`, { notes: draft });
      reload();
      close();
    } catch (error) {
      toast("error", /** @type {Error} */ (error).message);
    } finally {
      setBusy(false);
    }
  };
  const keys = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter" && !event.isComposing) save();
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  if (draft == null) {
    return html`<div class="job-notes"><dt>${t("job.fact.notes")}</dt><dd><span class="job-notes-text" title=${job.notes}>${job.notes || t("job.notes.none")}</span>
      ${mayAct() && html`<span ref=${opener}><${IconButton} small icon="edit" label=${t("job.notes.edit")} onClick=${() => setDraft(job.notes)} /></span>`}</dd></div>`;
  }
  return html`<div class="job-notes editing"><dt>${t("job.fact.notes")}</dt><dd>
    <input type="text" value=${draft} maxlength=${NOTES_MOST} aria-label=${t("job.fact.notes")} ref=${(/** @type {any} */ input) => input && document.activeElement !== input && !busy && input.focus()}
      onInput=${(/** @type {any} */ event) => setDraft(event.target.value)} onKeyDown=${keys} />
    <${IconButton} small icon="check" label=${t("job.notes.save")} onClick=${save} disabled=${busy} />
    <${IconButton} small icon="close" label=${t("job.notes.cancel")} onClick=${close} /></dd></div>`;
}

/** What failed first, where, and how to go on. @param {{detail: JobDetail, reload: () => void}} props */
function FailureBanner({ detail, reload }) {
  const { job, failure, siblings } = detail;
  if (!failure) return null;
  const { component, party, mine, message } = failure;
  const there = mine ? keyQuery(job) : siblings.map(keyQuery).find((key) => `${key.role} ${key.party_id}` === party);
  const target = there && component && link("details", {
    ...there, component, tab: "log", log: failure.log_line ? "componentInfo" : "componentError", line: failure.log_line || "",
  });
  return html`<div class="failure" role="alert" data-component=${component} data-party=${party}>
    <${Icon} name="circle_x" size=${18} />
    <div>
      <p class="failure-title">${!component ? t("job.failure.job") : mine ? t("job.failure.mine", { component }) : t("job.failure.other", { component, party })}</p>
      <${TaskError} text=${failure.detail || message || t("job.failure.silent")} />
      ${!mine && component && html`<p class="failure-hint">${there ? t("job.failure.sibling", { party }) : t("job.failure.elsewhere", { party })}</p>`}
    </div>
    <div class="failure-actions">
      ${target && html`<${Button} small icon="log" href=${target}>${t("job.failure.log")}<//>`}
      ${mayAct() && component && html`<${Button} small icon="rerun" onClick=${() => rerunJob(detail, component, reload)}>${t("job.rerun.here")}<//>`}
    </div>
  </div>`;
}

/** @param {{detail: JobDetail, reload: () => void}} props */
function Actions({ detail, reload }) {
  const { job, failure } = detail;
  const [sharing, setSharing] = useState(false);
  const path = jobPath(job);
  const ended = ENDED.includes(job.status);
  const again = [
    { label: t("job.rerun.whole"), icon: "rerun", onSelect: () => rerunJob(detail, "", reload) },
    ...(failure?.component ? [{ label: t("job.rerun.from", { component: failure.component }), icon: "play", onSelect: () => rerunJob(detail, failure.component, reload) }] : []),
  ];
  return html`<div class="job-actions">
    ${mayAct() && !ended && html`<${Button} icon="stop" kind="danger" onClick=${() => cancelJob(detail, reload)}>${t("job.cancel")}<//>`}
    ${mayAct() && ended && html`<${Menu} label=${t("job.rerun")} text=${t("job.rerun")} icon="rerun" items=${again} align="right" />`}
    ${mayAct() && html`<${IconButton} icon="share" label=${t("job.share")} onClick=${() => setSharing(true)} />`}
    <${Menu} label=${t("job.download")} icon="download" align="right" items=${[
      { label: t("job.download.dsl"), icon: "graph", href: apiUrl(`${path}/dsl`), download: "" },
      { label: t("job.download.conf"), icon: "list", href: apiUrl(`${path}/conf`), download: "" },
      { label: t("job.download.logs"), icon: "log", href: apiUrl(`${path}/logs.tar.gz`), download: "" },
    ]} />
    ${sharing && html`<${ShareDialog} job=${job} onClose=${() => setSharing(false)} />`}
  </div>`;
}

/** @param {{job: import("./types").JobRow, onClose: () => void}} props */
function ShareDialog({ job, onClose }) {
  const [days, setDays] = useState("7");
  const [share, setShare] = useState(/** @type {import("./types").Share | null} */ (null));
  const make = async () => {
    try {
      setShare(await post("/share", { ...keyQuery(job), days: Number(days) }));
    } catch (error) {
      toast("error", /** @type {Error} */ (error).message);
    }
  };
  const url = share && new URL(share.url, document.baseURI).href;
  return html`<${Dialog} title=${t("job.share.title")} onClose=${onClose}
      footer=${share ? html`<${Button} onClick=${onClose}>${t("job.share.close")}<//>` : html`<${Button} kind="primary" icon="link" onClick=${make}>${t("job.share.make")}<//>`}>
    <p class="muted">${t("job.share.text")}</p>
    ${share
      ? html`<div class="share-url"><input type="text" readonly value=${url} aria-label=${t("job.share.url")} onFocus=${(/** @type {any} */ event) => event.target.select()} /><${CopyButton} text=${url} small=${false} /></div>
        <p class="muted">${t("job.share.until", { at: time(share.expires_ms) })}</p>`
      : html`<${Select} label=${t("job.share.days")} value=${days} onChange=${setDays} options=${["1", "7", "30", "90"].map((id) => ({ id, label: t("job.share.n_days", { n: id }) }))} />`}
  <//>`;
}

/** The pages of a job; they are addresses, so they are links. @param {{job: import("./types").JobRow, current: string}} props */
function PageTabs({ job, current }) {
  const key = keyQuery(job);
  const component = route.value.query.component || "";
  const tabs = [
    ["dashboard", "chart", t("job.page.dashboard"), link("dashboard", key)],
    ["details", "graph", t("job.page.details"), link("details", { ...key, component })],
    ["log", "log", t("job.page.log"), link("dashboard", { ...key, show: "log" })],
    ["disclosure", "shield", t("job.page.disclosure"), link("disclosure", key)],
  ];
  return html`<nav class="job-pages" aria-label=${t("job.pages")}>
    ${tabs.map(([id, icon, word, href]) => html`<a key=${id} href=${href} aria-current=${id === current ? "page" : undefined}><${Icon} name=${icon} size=${14} />${word}</a>`)}
  </nav>`;
}

