/** All jobs: filters, columns and page are in the address, so that it can be shared and gone back to. */

import { useData } from "../api.js";
import { useNow } from "../clock.js";
import { html, useEffect, useMemo, useRef, useState } from "../html.js";
import { integer } from "../format.js";
import { language, t } from "../i18n.js";
import { COMPARE_LEAST, COMPARE_MOST, cancelJobs, hasEnded, jobLink, jobName, mayOperate } from "../jobs.js";
import { useKeys } from "../keys.js";
import { subscribe } from "../live.js";
import { navigate, setQuery } from "../router.js";
import { useScrollMemory } from "../scroll.js";
import { Button, CopyButton, Empty, ErrorBox, IconButton, MultiSelect, Select, Spinner } from "../ui.js";
import { FILTERS, FilterChips, Filters, clearFilters } from "./jobsfilters.js";
import { JobsTable, Pager, jobColumns } from "./jobstable.js";

/** @import {JobPage, JobRow} from "../types.js" */
/** @import {Hands} from "./jobstable.js" */

const SENT = [...FILTERS, "sort", "order", "page", "size", "metric"];
const COLUMNS_KEY = "board.jobs.columns";
const FIRST_JOB = `flow template download -o example && cd example/distaff_examples
flow data upload -c data/upload_guest.json
flow data upload -c data/upload_host.json
flow job submit -c lr/conf.json -d lr/dsl.json`;

/** @param {Record<string, string>} query */
function pathOf(query) {
  const sent = SENT.filter((name) => query[name]).map((name) => [name, query[name]]);
  return `/jobs?${new URLSearchParams(sent)}`;
}

/** The rows of the page, kept up to date by events: rows are patched; only when jobs come or end is
 * the list asked for again. @param {Record<string, string>} query */
function useJobs(query) {
  const answer = useData(pathOf(query));
  const [patches, setPatches] = useState(/** @type {Record<string, JobRow>} */ ({}));
  const known = useRef("");
  const page = /** @type {JobPage | undefined} */ (answer.data);
  useEffect(() => setPatches({}), [page]);
  useEffect(
    () =>
      subscribe("jobs", ({ kind, body }) => {
        if (kind !== "jobs") return;
        const now = Object.fromEntries(body.map((/** @type {JobRow} */ job) => [jobName(job), job]));
        const names = Object.keys(now).sort().join();
        if (known.current && known.current !== names) answer.reload();
        known.current = names || "none";
        setPatches((before) => ({ ...before, ...now }));
      }),
    [answer.reload],
  );
  const rows = useMemo(
    () =>
      (page?.jobs ?? []).map((job) => {
        const live = patches[jobName(job)];
        return live ? { ...job, ...live, notes: live.notes || job.notes, metric: job.metric } : job;
      }),
    [page, patches],
  );
  /** @param {JobRow} job @param {Partial<JobRow>} change */
  const patch = (job, change) =>
    setPatches((before) => ({ ...before, [jobName(job)]: { ...job, ...change } }));
  return { ...answer, page, rows, patch };
}

/** Which columns are shown, remembered in this browser. @param {string} metric */
function useColumns(metric) {
  const [chosen, setChosen] = useState(() => /** @type {string[] | null} */ (stored()));
  const words = language.value;
  const all = useMemo(() => jobColumns(metric), [metric, words]);
  const shown = useMemo(
    () => all.filter(({ id, hidden }) => (chosen ? chosen.includes(id) || id === "metric" : !hidden)),
    [all, chosen],
  );
  /** @param {string[]} ids */
  const choose = (ids) => {
    localStorage.setItem(COLUMNS_KEY, JSON.stringify(ids));
    setChosen(ids);
  };
  return { all: all.filter(({ id }) => id !== "metric"), shown, choose };
}

/** @returns {string[] | null} */
function stored() {
  try {
    const found = JSON.parse(localStorage.getItem(COLUMNS_KEY) ?? "null");
    return Array.isArray(found) ? found.map(String) : null;
  } catch {
    return null;
  }
}

const ASKED_AGAIN_MS = 4000;
const ASKED_TIMES = 10;

/** What was asked of jobs and has not shown in their status yet.
 * @param {JobRow[]} rows @param {() => void} reload */
function useAsked(rows, reload) {
  const [asked, setAsked] = useState(/** @type {Record<string, {word: string, status: string, times: number}>} */ ({}));
  const open = Object.keys(asked).length > 0;
  useEffect(() => {
    const still = Object.entries(asked).filter(([name, { status, times }]) => {
      const row = rows.find((job) => jobName(job) === name);
      return row && row.status === status && times < ASKED_TIMES;
    });
    if (still.length < Object.keys(asked).length) setAsked(Object.fromEntries(still));
  }, [rows, asked]);
  useEffect(() => {
    if (!open) return;
    const timer = setInterval(() => {
      setAsked((before) => Object.fromEntries(Object.entries(before).map(([name, one]) => [name, { ...one, times: one.times + 1 }])));
      reload();
    }, ASKED_AGAIN_MS);
    return () => clearInterval(timer);
  }, [open, reload]);
  /** @param {JobRow[]} jobs @param {"cancel" | "rerun"} what */
  const ask = (jobs, what) => {
    const word = what === "cancel" ? t("jobs.cancelling") : t("jobs.retrying");
    const added = jobs.map((job) => [jobName(job), { word, status: job.status, times: 0 }]);
    setAsked((before) => ({ ...before, ...Object.fromEntries(added) }));
    setTimeout(reload, 600);
  };
  const words = Object.fromEntries(Object.entries(asked).map(([name, { word }]) => [name, word]));
  return { words, ask };
}

/** @param {{rows: JobRow[], picked: Set<string>, clear: () => void,
 *   ask: (jobs: JobRow[], what: "cancel") => void}} props */
function PickedBar({ rows, picked, clear, ask }) {
  const names = [...picked];
  const going = rows.filter((job) => picked.has(jobName(job)) && !hasEnded(job.status));
  const few = names.length < COMPARE_LEAST || names.length > COMPARE_MOST;
  const cancel = async () => {
    if (await cancelJobs(going)) ask(going, "cancel");
  };
  return html`<div class="picked-bar" role="region" aria-label=${t("jobs.picked_bar")}>
    <strong class="tabular" aria-live="polite">${t("jobs.picked", { count: names.length })}</strong>
    <${Button}
      kind="primary"
      icon="compare"
      disabled=${few}
      title=${few ? t("jobs.compare_how_many", { most: COMPARE_MOST }) : undefined}
      onClick=${() => compare(names)}
      >${t("action.compare")}<//
    >
    ${mayOperate() &&
    html`<${Button} kind="danger" icon="stop" disabled=${going.length === 0} onClick=${cancel}>${t("action.cancel_jobs")}<//>`}
    <${IconButton} icon="close" label=${t("jobs.clear_picked")} onClick=${clear} />
  </div>`;
}

/** @param {string[]} names */
function compare(names) {
  navigate("compare", { jobs: names.join(",") });
}

/** @param {{rows: JobRow[], picked: Set<string>, setPicked: (picked: Set<string>) => void, search: any}} on */
function useRowKeys({ rows, picked, setPicked, search }) {
  const [current, setCurrent] = useState(-1);
  /** @param {number} by */
  const move = (by) => {
    const next = Math.min(rows.length - 1, Math.max(0, current + by));
    setCurrent(next);
    const row = rows[next] && document.querySelector(`[data-job="${CSS.escape(jobName(rows[next]))}"]`);
    row?.querySelector("a")?.focus({ preventScroll: true });
    row?.scrollIntoView({ block: "nearest" });
  };
  useKeys({
    j: () => move(1),
    k: () => move(-1),
    Enter: (event) => {
      if (/** @type {Element} */ (event.target).closest("a, button, input")) return false;
      if (rows[current]) location.hash = jobLink(rows[current]);
    },
    "/": () => search.current?.focus(),
    x: () => {
      if (!rows[current]) return;
      const next = new Set(picked);
      const name = jobName(rows[current]);
      if (!next.delete(name)) next.add(name);
      setPicked(next);
    },
    c: () => {
      if (picked.size >= COMPARE_LEAST && picked.size <= COMPARE_MOST) compare([...picked]);
    },
  });
  return { current, first: () => move(rows.length ? -current : 0) };
}

/** The same functions at every drawing, so that rows need not be drawn again.
 * @param {{current: Hands | null}} latest @returns {Hands} */
function steady(latest) {
  return {
    act: (job, what) => latest.current?.act(job, what),
    noted: (job, notes) => latest.current?.noted(job, notes),
    pick: (name) => latest.current?.pick(name),
  };
}

/** @param {{query: Record<string, string>}} props */
export function Page({ query }) {
  const { page, rows, error, loading, stale, reload, patch } = useJobs(query);
  const columns = useColumns(query.metric ?? "");
  const [picked, setPicked] = useState(/** @type {Set<string>} */ (new Set()));
  const asked = useAsked(rows, reload);
  const search = useRef(/** @type {HTMLInputElement | null} */ (null));
  const keys = useRowKeys({ rows, picked, setPicked, search });
  const now = useNow(rows.some((job) => !hasEnded(job.status)));
  const path = pathOf(query);
  useScrollMemory(path, page != null && !stale);
  const latest = useRef(/** @type {Hands | null} */ (null));
  latest.current = {
    act: (job, what) => asked.ask([job], what),
    noted: (job, notes) => patch(job, { notes }),
    pick: (name) => {
      const next = new Set(picked);
      if (!next.delete(name)) next.add(name);
      setPicked(next);
    },
  };
  const hands = useMemo(() => steady(latest), []);
  return html`<div class="page-head">
      <h1>${t("nav.jobs")}</h1>
      <span class="muted" role="status">${page && t("jobs.count", { count: integer(page.total) })}</span>
      <div class="spread"></div>
      <${MetricSelect} metrics=${page?.metrics ?? []} metric=${query.metric ?? ""} />
      <${MultiSelect}
        label=${t("jobs.columns")}
        icon="columns"
        align="right"
        quiet
        values=${columns.shown.map(({ id }) => id).filter((id) => id !== "metric")}
        onChange=${columns.choose}
        options=${columns.all.map(({ id, label }) => ({ id, label, text: label }))}
      />
    </div>
    <${Filters} query=${query} facets=${page?.facets ?? {}} inputRef=${search} onEnter=${keys.first} />
    <${FilterChips} query=${query} />
    <${ErrorBox} error=${error} retry=${reload} />
    ${!page && loading && html`<${Spinner} />`}
    ${page &&
    html`<div class="panel">
      ${rows.length === 0
        ? html`<${NoJobs} query=${query} total=${page.total} />`
        : html`<${JobsTable}
            jobs=${rows}
            columns=${columns.shown}
            hands=${hands}
            busy=${asked.words}
            now=${now}
            picked=${picked}
            setPicked=${setPicked}
            current=${keys.current}
            sort=${query.sort || "created"}
            order=${query.order || "desc"}
            stale=${stale}
          />`}
      <${Pager} page=${page.page} size=${page.size} total=${page.total} />
    </div>`}
    ${picked.size > 0 &&
    html`<${PickedBar} rows=${rows} picked=${picked} clear=${() => setPicked(new Set())} ask=${asked.ask} />`}`;
}

/** @param {{metrics: string[], metric: string}} props */
function MetricSelect({ metrics, metric }) {
  const names = metric && !metrics.includes(metric) ? [metric, ...metrics] : metrics;
  if (names.length === 0) return null;
  return html`<${Select}
    label=${t("jobs.metric")}
    value=${metric}
    options=${[{ id: "", label: t("jobs.no_metric") }, ...names.map((name) => ({ id: name, label: name }))]}
    onChange=${(/** @type {string} */ name) => setQuery({ metric: name, ...(name ? {} : { sort: "", order: "" }) })}
  />`;
}

/** @param {{query: Record<string, string>, total: number}} props */
function NoJobs({ query, total }) {
  if (total > 0) {
    const action = html`<${Button} onClick=${() => setQuery({ page: "" })}>${t("jobs.first_page")}<//>`;
    return html`<${Empty} title=${t("jobs.page_beyond")} action=${action} />`;
  }
  if (FILTERS.some((name) => query[name])) {
    const action = html`<${Button} onClick=${clearFilters}>${t("action.clear_all")}<//>`;
    return html`<${Empty} icon="filter" title=${t("jobs.none_match")} hint=${t("jobs.none_match_hint")} action=${action} />`;
  }
  const action = html`<div class="first-job"><pre tabindex="0">${FIRST_JOB}</pre><${CopyButton} text=${FIRST_JOB} /></div>`;
  return html`<${Empty} title=${t("jobs.none")} hint=${t("jobs.none_hint")} action=${action} />`;
}
