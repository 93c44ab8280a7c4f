/**
 * What left this party and what came, for who must answer for it: sums, statements, the full record.
 *
 * @typedef {import("../types").Disclosure} Disclosure
 * @typedef {import("../types").Disclosed} Disclosed
 * @typedef {import("../types").JobRow} JobRow
 */

import { useData } from "../api.js";
import { byKind, careful, going, happened, hidden, learned, peerOf, sum } from "../disclosures.js";
import { bytes } from "../format.js";
import { html, useEffect, useRef, useState } from "../html.js";
import { say, t } from "../i18n.js";
import { Icon } from "../icons.js";
import { JobHeader, keyQuery } from "../jobheader.js";
import { ENDED, jobPath, useJob } from "../livejob.js";
import { link } from "../router.js";
import { DataTable } from "../table.js";
import { Button, Empty, ErrorBox, NoticeLine, Spinner } from "../ui.js";
import { ByComponent, KindBar, Peers, kindHelp, kindWord, messageCount } from "./disclosurebars.js";

const FIRST = 8;

/** @param {{query: Record<string, string>}} props */
export function Page({ query }) {
  const { job_id, role, party_id, component = "" } = query;
  if (!job_id || !role || !party_id) {
    return html`<${Empty} icon="link" title=${t("job.no_key")} hint=${t("job.no_key_hint")} action=${html`<${Button} href=${link("history")}>${t("job.to_jobs")}<//>`} />`;
  }
  return html`<${JobDisclosure} key=${`${job_id} ${role} ${party_id}`} name=${{ job_id, role, party_id }} component=${component} />`;
}

/** @param {{name: import("../types").JobKey, component: string}} props */
function JobDisclosure({ name, component }) {
  const { job: detail, error, loading, reload } = useJob(name);
  if (error && !detail) return html`<div class="job"><${ErrorBox} error=${error} retry=${reload} /></div>`;
  if (!detail) return loading ? html`<${Spinner} />` : null;
  return html`<div class="job job-disclosure">
    <${JobHeader} detail=${detail} reload=${reload} current="disclosure" />
    <${DisclosureView} job=${detail.job} component=${component} page />
  </div>`;
}

/** Read again as the job goes on. @param {JobRow} job @param {string} component */
function useDisclosure(job, component) {
  const found = useData(`${jobPath(job)}/disclosure${component ? `?component=${encodeURIComponent(component)}` : ""}`);
  const first = useRef(true);
  useEffect(() => {
    if (!first.current) found.reload();
    first.current = false;
  }, [job.progress, job.status]);
  return found;
}

/** All of a job, or one component of it. @param {{job: JobRow, component?: string, page?: boolean}} props */
export function DisclosureView({ job, component = "", page = false }) {
  const { data, error, loading, reload } = useDisclosure(job, component);
  if (error) return html`<${ErrorBox} error=${error} retry=${reload} />`;
  if (!data) return loading ? html`<${Spinner} />` : null;
  /** @type {Disclosure} */
  const found = data;
  const us = `${job.role} ${job.party_id}`;
  const out = going(found.lines, "out");
  return html`<article class=${`disclosure ${page ? "disclosure-page" : ""}`} data-verified=${found.verified}>
    <${Verdict} ...${{ found, us, component, job, page }} />
    ${found.warnings.map((notice) => html`<${NoticeLine} level=${notice.level}>${say(notice.text)}<//>`)}
    ${found.lines.length > 0 && html`
      <div class="disclosure-sums">
        <${Direction} direction="out" lines=${out} />
        <${Direction} direction="in" lines=${going(found.lines, "in")} />
      </div>
      <${Learned} lines=${found.lines} us=${us} />
      ${!component && html`<${ByComponent} lines=${found.lines} job=${job} />`}
      ${!component && html`<${Peers} lines=${found.lines} us=${us} />`}
    `}
    ${found.schemes.length > 0 && html`<${Schemes} schemes=${found.schemes} />`}
    ${found.lines.length > 0 && html`<${Messages} lines=${found.lines} job=${job} component=${component} />`}
    ${page && html`<${HowToCheck} job=${job} />`}
  </article>`;
}

/** @param {{found: Disclosure, us: string, component: string, job: JobRow, page: boolean}} props */
function Verdict({ found, us, component, job, page }) {
  const out = going(found.lines, "out");
  const { count, size } = sum(out);
  const share = hidden(out);
  const told = learned(found.lines).length;
  const peers = [...new Set(out.map(peerOf))];
  const what = { us, messages: messageCount(count), size: bytes(size), peers: peers.join(", ") };
  return html`<header class="verdict" data-sent=${size} data-messages=${count}>
    <span class="verdict-shield"><${Icon} name="shield" size=${26} /></span>
    <div class="verdict-text">
      <h2>${component ? t("disclosure.title_component", { component }) : t("disclosure.title", { us })}</h2>
      <p class="verdict-sum">${count ? t("disclosure.sent", what) : ENDED.includes(job.status) ? t("disclosure.sent_nothing", { us }) : t("disclosure.sent_nothing_yet", { us })}
        ${share != null && html` <b>${share ? t("disclosure.hidden", { share: careful(share) }) : t("disclosure.hidden_none")}</b>`}
        ${told > 0 && ` ${told === 1 ? t("disclosure.told_one") : t("disclosure.told", { n: told })}`}</p>
      ${page && html`<p class="muted">${t("disclosure.rows_stay")}</p>`}
    </div>
    <div class="verdict-side">
      <${Verified} verified=${found.verified} />
      ${page && html`<${Button} small icon="download" data-print="no" onClick=${() => print()}>${t("disclosure.print")}<//>`}
    </div>
  </header>`;
}

/** @param {{verified: boolean}} props */
function Verified({ verified }) {
  return verified
    ? html`<span class="verified" title=${t("disclosure.verified_help")}><${Icon} name="check" size=${14} />${t("disclosure.verified")}</span>`
    : html`<span class="verified not" title=${t("disclosure.broken_help")}><${Icon} name="alert" size=${14} />${t("disclosure.broken")}</span>`;
}

/** @param {{direction: "out" | "in", lines: Disclosed[]}} props */
function Direction({ direction, lines }) {
  const total = sum(lines);
  const kinds = byKind(lines);
  return html`<section class="card card-padded direction" data-direction=${direction} aria-label=${direction === "out" ? t("disclosure.out") : t("disclosure.in")}>
    <h3><${Icon} name=${direction === "out" ? "arrow_up" : "arrow_down"} />${direction === "out" ? t("disclosure.out") : t("disclosure.in")}</h3>
    <p class="direction-total"><b>${bytes(total.size)}</b> <span class="muted">${messageCount(total.count)}</span></p>
    <${KindBar} kinds=${kinds} of=${total.size} measure="size" />
    ${total.count === 0 && html`<p class="muted">${direction === "out" ? t("disclosure.none_out") : t("disclosure.none_in")}</p>`}
    <dl class="kinds">${Object.entries(kinds).map(([kind, { count, size }]) => html`<div key=${kind} data-kind=${kind || "call"}>
      <dt><i aria-hidden="true"></i>${kindWord(kind)}</dt><dd class="tabular">${bytes(size)}</dd><dd class="tabular muted">${messageCount(count)}</dd>
      <dd class="kind-help">${kindHelp(kind, direction)}</dd>
    </div>`)}</dl>
  </section>`;
}

/** What others learn: every statement of it. @param {{lines: Disclosed[], us: string}} props */
function Learned({ lines, us }) {
  const told = learned(lines);
  const silent = sum(going(lines, "out").filter((line) => !line.telling)).count;
  const [all, setAll] = useState(false);
  return html`<section class="card card-padded learned" aria-label=${t("disclosure.learned")}>
    <h3><${Icon} name="eye" />${t("disclosure.learned")} <span class="badge">${told.length}</span></h3>
    <p class="muted">${told.length ? t("disclosure.learned_help", { us }) : t("disclosure.learned_none")}</p>
    <ol class="statements">${told.map((one, n) => html`<${Statement} key=${`${one.kind} ${say(one.reveals)}`} one=${one} later=${!all && n >= FIRST} />`)}</ol>
    ${told.length > FIRST && !all && html`<${Button} small data-print="no" icon="chevron_down" onClick=${() => setAll(true)}>${t("disclosure.learned_all", { n: told.length })}<//>`}
    ${silent > 0 && html`<p class="silent">${t("disclosure.silent", { messages: messageCount(silent) })}</p>`}
  </section>`;
}

/** Printed even where the page keeps it folded. @param {{one: ReturnType<typeof learned>[number], later: boolean}} props */
function Statement({ one, later }) {
  return html`<li class=${later ? "later" : ""} data-kind=${one.kind || "call"}>
    <q dir="auto">${say(one.reveals) || t("disclosure.undeclared")}</q>
    <p><span class="kind-name">${kindWord(one.kind)}</span><span><${Icon} name="arrow_right" size=${12} />${one.to.join(", ")}</span>
      <span class="muted tabular">${messageCount(one.count)} · ${bytes(one.size)}</span></p>
    <p class="muted" title=${one.messages.join(", ")}>${one.components.join(", ")}</p>
  </li>`;
}

/** @param {{schemes: import("../types").Scheme[]}} props */
function Schemes({ schemes }) {
  return html`<section class="card card-padded schemes" aria-label=${t("disclosure.schemes")}>
    <h3><${Icon} name="lock" />${t("disclosure.schemes")}</h3>
    <p class="muted">${t("disclosure.schemes_help")}</p>
    <dl>${schemes.map((scheme) => html`<div key=${scheme.component + say(scheme.text)}><dt>${scheme.component}</dt><dd dir="auto">${say(scheme.text)}</dd></div>`)}</dl>
  </section>`;
}

/** @param {Disclosed} line */
function resultWord(line) {
  if (line.result === "delivered" || line.result === "sent") return t("disclosure.result.sent");
  if (line.result === "received") return t("disclosure.result.received");
  if (line.result === "dropped") return t("disclosure.result.dropped");
  return line.result === "abandoned" ? t("disclosure.result.abandoned") : line.result;
}

/** The full record. @param {{lines: Disclosed[], job: JobRow, component: string}} props */
function Messages({ lines, job, component }) {
  const odd = lines.some((line) => !happened(line)); // else the direction says it
  const columns = [
    { id: "direction", label: t("disclosure.column.direction") }, ...(component ? [] : [{ id: "component", label: t("disclosure.column.component") }]),
    { id: "message", label: t("disclosure.column.message") }, { id: "peer", label: t("disclosure.column.peer") },
    { id: "kind", label: t("disclosure.column.kind") }, { id: "reveals", label: t("disclosure.column.reveals") },
    { id: "count", label: t("disclosure.column.count"), format: "integer" },
    { id: "size", label: t("disclosure.column.size"), format: "integer", render: (/** @type {any} */ value) => bytes(value) },
    ...(odd ? [{ id: "result", label: t("disclosure.column.result") }] : []),
  ];
  const rows = lines.map((line) => [
    line.direction === "out" ? t("disclosure.sent_short") : t("disclosure.received_short"), ...(component ? [] : [line.component]),
    line.message, peerOf(line), kindWord(line.kind), say(line.reveals), line.count, line.size, ...(odd ? [resultWord(line)] : []),
  ]);
  return html`<section class="card card-padded record" aria-label=${t("disclosure.record")}>
    <h3><${Icon} name="list" />${t("disclosure.record")}</h3>
    <p class="muted">${t("disclosure.record_help")}</p>
    <${DataTable} columns=${columns} rows=${rows} pageSize=${page(rows.length)} facets=${["direction", "component", "peer", "kind", "result"].filter((id) => columns.some((column) => column.id === id))}
      search rowClass=${(/** @type {number} */ row) => (happened(lines[row]) ? "" : "off")}
      filename=${`${job.job_id}_${job.role}_${job.party_id}${component && `_${component}`}_disclosure`} caption=${t("disclosure.record")} />
    <table class="print-only" aria-hidden="true">
      <thead><tr>${columns.map((column) => html`<th key=${column.id}>${column.label}</th>`)}</tr></thead>
      <tbody>${rows.map((row, n) => html`<tr key=${n}>${row.map((value, at) => html`<td key=${at}>${columns[at].id === "size" ? bytes(Number(value)) : value}</td>`)}</tr>`)}</tbody>
    </table>
  </section>`;
}

/** @param {number} rows */
const page = (rows) => (rows > 40 ? 25 : 0);

/** @param {{job: JobRow}} props */
function HowToCheck({ job }) {
  return html`<details class="card card-padded howto"><summary>${t("disclosure.howto")}</summary>
    <ul>
      <li>${t("disclosure.howto.chain")} <code>distaff audit verify</code></li>
      <li>${t("disclosure.howto.report")} <code>distaff audit report -j ${job.job_id}</code></li>
      <li>${t("disclosure.howto.peer")}</li>
      <li>${t("disclosure.howto.values")}</li>
    </ul>
  </details>`;
}

/** The same in a corner of the dashboard. @param {{job: JobRow}} props */
export function DisclosureSummary({ job }) {
  const { data } = useDisclosure(job, "");
  const lines = data?.lines || [];
  const out = going(lines, "out");
  const total = sum(out);
  const share = hidden(out);
  return html`<section class="card card-padded summary" aria-label=${t("disclosure.summary")}>
    <h2>${t("disclosure.summary")}</h2>
    ${data && html`<p class="direction-total"><b>${bytes(total.size)}</b> <span class="muted">${messageCount(total.count)}</span></p>
      <${KindBar} kinds=${byKind(out)} of=${total.size} measure="size" />
      <ul class="kind-legend">${Object.entries(byKind(out)).map(([kind, { size }]) => html`<li key=${kind} data-kind=${kind || "call"}><i aria-hidden="true"></i>${kindWord(kind)} <b class="tabular">${bytes(size)}</b></li>`)}</ul>
      ${share != null && html`<p>${share ? t("disclosure.hidden", { share: careful(share) }) : t("disclosure.hidden_none")}</p>`}
      ${total.count === 0 && html`<p class="muted">${ENDED.includes(job.status) ? t("disclosure.none_out") : t("disclosure.none_yet")}</p>`}`}
    <p class="summary-foot">${data && html`<${Verified} verified=${data.verified} />`}<a href=${link("disclosure", keyQuery(job))}>${t("disclosure.see_all")} <${Icon} name="chevron_right" size=${12} /></a></p>
  </section>`;
}
