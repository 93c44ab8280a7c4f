/** Jobs side by side. Which ones is in the address. */

import { useData } from "../api.js";
import { Blocks } from "../blocks/index.js";
import { duration, time } from "../format.js";
import { html, useState } from "../html.js";
import { say, t } from "../i18n.js";
import { Icon } from "../icons.js";
import { COMPARE_LEAST, COMPARE_MOST, Modules, Party, jobLink, jobName, jobNamed } from "../jobs.js";
import { link, setQuery } from "../router.js";
import { useScrollMemory } from "../scroll.js";
import { Button, Dialog, Empty, ErrorBox, IconButton, NoticeLine, SearchBox, Spinner, Status } from "../ui.js";

/** @import {Comparison, JobRow, Notice} from "../types.js" */

/** @param {string[]} names */
function choose(names) {
  setQuery({ jobs: names.join(",") }, { replace: false });
}

/** One of the jobs: its row once the comparison is there, what the address tells before.
 * @param {{name: string, row: JobRow | undefined, index: number, onRemove: () => void}} props */
function Head({ name, row, index, onRemove }) {
  const job = row ?? { ...jobNamed(name), name: "", status: "", started_ms: null, elapsed_ms: null };
  return html`<li class="panel compare-job" style=${{ "--job-colour": `var(--series-${(index % 12) + 1})` }}>
    <a class="job-id truncate" href=${jobLink(job)} title=${job.name || job.job_id}>${job.job_id}</a>
    ${job.name && html`<span class="truncate muted" title=${job.name} dir="auto">${job.name}</span>`}
    <span class="row row-wrap"><${Party} role=${job.role} party=${job.party_id} />${row && html`<${Status} status=${row.status} />`}</span>
    ${row && html`<span class="muted small tabular">${time(row.started_ms)} · ${duration(row.elapsed_ms)}</span>`}
    <${IconButton} icon="close" small label=${t("compare_page.remove", { job: job.job_id })} onClick=${onRemove} />
  </li>`;
}

/** @param {{names: string[], rows: JobRow[], onAdd: () => void}} props */
function Heads({ names, rows, onAdd }) {
  return html`<ul class="compare-heads" aria-label=${t("compare_page.jobs")}>
    ${names.map(
      (name, index) => html`<${Head}
        key=${name}
        name=${name}
        index=${index}
        row=${rows.find((job) => jobName(job) === name)}
        onRemove=${() => choose(names.filter((other) => other !== name))}
      />`,
    )}
    ${names.length < COMPARE_MOST &&
    html`<li><button type="button" class="button button-filter compare-add" onClick=${onAdd}>
      <${Icon} name="add" />${t("compare_page.add")}
    </button></li>`}
  </ul>`;
}

/** @param {{names: string[], onClose: () => void}} props */
function AddDialog({ names, onClose }) {
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState(names);
  const { data, error, loading } = useData(`/jobs?size=50&q=${encodeURIComponent(text)}`);
  const over = chosen.length > COMPARE_MOST;
  /** @param {string} name */
  const flip = (name) =>
    setChosen(chosen.includes(name) ? chosen.filter((other) => other !== name) : [...chosen, name]);
  const done = () => {
    choose(chosen);
    onClose();
  };
  /** @type {JobRow[]} */
  const jobs = data?.jobs ?? [];
  return html`<${Dialog}
    title=${t("compare_page.add_title")}
    wide
    onClose=${onClose}
    footer=${html`<span class="muted spread" role="status">
        ${over ? t("jobs.compare_how_many", { most: COMPARE_MOST }) : t("jobs.picked", { count: chosen.length })}
      </span>
      <${Button} kind="primary" disabled=${over} onClick=${done}>${t("action.apply")}<//>`}
  >
    <${SearchBox} value=${text} label=${t("jobs.search")} onInput=${setText} />
    <${ErrorBox} error=${error} />
    <div class="pick-list" aria-busy=${String(loading)}>
      ${jobs.map(
        (job) => html`<label class="pick-row" key=${jobName(job)}>
          <input type="checkbox" checked=${chosen.includes(jobName(job))} onChange=${() => flip(jobName(job))} />
          <span class="truncate"><span class="job-id">${job.job_id}</span> <span class="muted">${job.name || job.notes}</span></span>
          <${Party} role=${job.role} party=${job.party_id} />
          <${Modules} names=${job.modules} most=${1} />
        </label>`,
      )}
      ${jobs.length === 0 && !loading && html`<p class="muted check-none">${t("word.nothing_found")}</p>`}
    </div>
  <//>`;
}

/** @param {{found: Comparison | undefined, stale: boolean}} props */
function Found({ found, stale }) {
  if (!found) return null;
  return html`<div class=${stale ? "compare-found stale" : "compare-found"} aria-busy=${String(stale)}>
    ${found.notices.map(
      (/** @type {Notice} */ notice) => html`<${NoticeLine} key=${notice.text.code} level=${notice.level}>${say(notice.text)}<//>`,
    )}
    <h2 class="visually-hidden">${t("compare_page.results")}</h2>
    <${Blocks} blocks=${found.blocks} />
  </div>`;
}

/** @param {{query: Record<string, string>}} props */
export function Page({ query }) {
  const names = [...new Set((query.jobs ?? "").split(",").filter(Boolean))];
  const enough = names.length >= COMPARE_LEAST;
  const [adding, setAdding] = useState(false);
  const path = enough ? `/compare?jobs=${names.map(encodeURIComponent).join(",")}` : null;
  const { data, error, loading, stale, reload } = useData(path);
  const add = () => setAdding(true);
  useScrollMemory(path, data != null && !stale);
  return html`<div class="page-head">
      <h1>${t("nav.compare")}</h1>
      <div class="spread"></div>
      ${enough && html`<${Button} icon="refresh" busy=${loading} onClick=${reload}>${t("action.refresh")}<//>`}
    </div>
    ${names.length > 0 && html`<${Heads} names=${names} rows=${data?.jobs ?? []} onAdd=${add} />`}
    <${ErrorBox} error=${error} retry=${reload} />
    ${!enough &&
    html`<div class="panel"><${Empty}
      icon="compare"
      title=${t("compare_page.none")}
      hint=${t("compare_page.none_hint", { most: COMPARE_MOST })}
      action=${html`<span class="row">
        <${Button} kind="primary" icon="add" onClick=${add}>${t("compare_page.add")}<//>
        <${Button} href=${link("history")}>${t("page.to_jobs")}<//>
      </span>`}
    /></div>`}
    ${enough && !data && loading && html`<${Spinner} />`}
    ${enough && html`<${Found} found=${data} stale=${stale} />`}
    ${adding && html`<${AddDialog} names=${names} onClose=${() => setAdding(false)} />`}`;
}
