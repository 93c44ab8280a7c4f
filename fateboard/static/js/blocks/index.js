// The page of a component: fetches its view and draws each block by its kind.

import { html, useCallback, useEffect, useErrorBoundary, useMemo, useRef, useState } from "../html.js";
import { apiUrl, useData } from "../api.js";
import { language, say, t } from "../i18n.js";
import { subscribe } from "../live.js";
import { route, setQuery } from "../router.js";
import { Button, ErrorBox, NoticeLine, toast } from "../ui.js";
import { DataTable } from "../table.js";
import { AxisTable, ConfusionBlock } from "./axis.js";
import { ComboBlock } from "./combo.js";
import { CurveBlock } from "./curve.js";
import { saveBlob } from "./files.js";
import { ForestBlock } from "./forest.js";
import { HeatMapBlock } from "./heatmap.js";
import { saidRows } from "./rows.js";
import { ChoiceBlock, JsonBlock, KeyValuesBlock, TabsBlock, TextBlock } from "./simple.js";
import { withFiles } from "./zip.js";

/** @import {Block, Event as BoardEvent, JobKey, Notice, Table, Task, View} from "../types.js" */

/**
 * What blocks know of where they are.
 * @typedef {object} Context
 * @property {JobKey} [job]
 * @property {string} [component]
 * @property {boolean} [live] the component runs: curves append what comes
 * @property {Record<string, string>} [path] choices (by id) and tabs (by "~" and id)
 * @property {(id: string, option: string) => void} [choose]
 * @property {Map<string, () => Promise<Blob | null>>} [pictures] charts in sight, by their names
 * @property {Map<string, () => string>} [filtered] tables of which filters leave a part, by their names, as CSV
 */

/** @param {{block: Table, context: Context}} props */
function TableBlock({ block, context }) {
  const { filtered } = context;
  const name = block.export_name || block.id;
  const onFiltered = useCallback((/** @type {(() => string) | null} */ csv) => {
    if (csv) filtered?.set(name, csv);
    else filtered?.delete(name);
  }, [filtered, name]);
  const [rows, footer] = useMemo(() => [saidRows(block.rows), saidRows(block.footer)], [block, language.value]);
  return html`<${DataTable}
    title=${block.title}
    columns=${block.columns}
    rows=${rows}
    flags=${block.flags}
    footer=${footer}
    facets=${block.facets}
    ranges=${block.ranges}
    pageSize=${block.page_size ?? 20}
    filename=${name}
    onFiltered=${onFiltered}
  />${block.help && html`<p class="b-help">${say(block.help)}</p>`}`;
}

/** @type {Record<Block["kind"], Function>} */
const RENDERERS = {
  kv: KeyValuesBlock,
  table: TableBlock,
  by_axis: AxisTable,
  confusion: ConfusionBlock,
  curve: CurveBlock,
  combo: ComboBlock,
  heatmap: HeatMapBlock,
  forest: ForestBlock,
  choice: ChoiceBlock,
  tabs: TabsBlock,
  text: TextBlock,
  json: JsonBlock,
};

/** One block; a fault in it costs only itself. @param {{block: Block, context: Context}} props */
function OneBlock({ block, context }) {
  const [error, retry] = useErrorBoundary((fault) => console.error(fault));
  useEffect(() => {
    if (error) retry();
  }, [block]);
  if (error) return html`<${NoticeLine} level="error">${t("blocks.failed", { why: error instanceof Error ? error.message : String(error) })}<//>`;
  const Renderer = RENDERERS[block.kind];
  if (!Renderer) return html`<${NoticeLine} level="warn">${t("blocks.unknown_kind", { kind: block.kind })}<//>`;
  return html`<${Renderer} block=${block} context=${context} />`;
}

/** Blocks below each other. @param {{blocks: Block[], context?: Context}} props */
export function Blocks({ blocks, context = {} }) {
  return html`<div class="blocks">
    ${blocks.map(
      (block) => html`<section key=${`${block.kind}:${block.id}`} class=${`block is-${block.kind}`} data-block=${block.id}>
        <${OneBlock} block=${block} context=${context} />
      </section>`,
    )}
  </div>`;
}

/** @param {{notices: Notice[]}} props */
export function Notices({ notices }) {
  return html`${notices.map(
    (notice, index) => html`<${NoticeLine} key=${index} level=${notice.level}>${say(notice.text)}<//>`,
  )}`;
}

/** "a:b,c:d", each part encoded, as choices. @param {string | undefined} text */
export function parsePath(text) {
  /** @type {Record<string, string>} */
  const path = {};
  for (const part of (text ?? "").split(",")) {
    const colon = part.indexOf(":");
    if (colon < 1) continue;
    try {
      path[decodeURIComponent(part.slice(0, colon))] = decodeURIComponent(part.slice(colon + 1));
    } catch {
      // A damaged link shows what is selected by itself.
    }
  }
  return path;
}

/** @param {Record<string, string>} path */
export function formatPath(path) {
  return Object.entries(path)
    .map(([id, option]) => `${encodeURIComponent(id)}:${encodeURIComponent(option)}`)
    .join(",");
}

/** Address of a component in the API. @param {JobKey} job @param {string} component */
export function componentPath(job, component) {
  const parts = [job.job_id, job.role, job.party_id, "components", component];
  return `/jobs/${parts.map(encodeURIComponent).join("/")}`;
}

/** @param {string} base @param {Record<string, string>} path */
function viewPath(base, path) {
  const choices = Object.fromEntries(Object.entries(path).filter(([id]) => !id.startsWith("~")));
  const text = formatPath(choices);
  return text ? `${base}/view?path=${encodeURIComponent(text)}` : `${base}/view`;
}

/** Names of metrics that curves of these blocks append themselves. @param {Block[]} blocks @returns {string[]} */
function liveNames(blocks) {
  return blocks.flatMap((block) => {
    if (block.kind === "curve") return block.live ?? [];
    if (block.kind === "choice") return liveNames(block.blocks ?? []);
    if (block.kind === "tabs") return block.items.flatMap((item) => liveNames(item.blocks));
    return [];
  });
}

const RELOAD_PAUSE_MS = 1500;
/** How often a view without live curves is asked for: its losses may be another party's. */
const LOOK_AGAIN_MS = 4000;

/** Asks for the view again when its component ends or logs something that no curve appends.
 * @param {JobKey} job @param {string} component @param {boolean} live @param {View | undefined} view
 * @param {() => void} reload */
function useLiveView(job, component, live, view, reload) {
  const latest = useRef({ view, reload });
  latest.current = { view, reload };
  useEffect(() => {
    if (!live) return undefined;
    let status = "";
    let timer = 0;
    const soon = () => {
      timer ||= setTimeout(() => {
        timer = 0;
        latest.current.reload();
      }, RELOAD_PAUSE_MS);
    };
    const stop = subscribe(`job:${job.job_id}/${job.role}/${job.party_id}`, (/** @type {BoardEvent} */ event) => {
      if (event.kind === "tasks") {
        const task = /** @type {Task[]} */ (event.body).find((one) => one.component === component);
        if (task && status && task.status !== status) soon();
        status = task?.status ?? status;
      }
      if (event.kind !== "metric" || event.body.component !== component) return;
      const appended = liveNames(latest.current.view?.blocks ?? []);
      if (!appended.includes(`${event.body.namespace}/${event.body.name}`)) soon();
    });
    const looking = setInterval(() => {
      if (!document.hidden && !liveNames(latest.current.view?.blocks ?? []).length) latest.current.reload();
    }, LOOK_AGAIN_MS);
    return () => {
      stop();
      clearTimeout(timer);
      clearInterval(looking);
    };
  }, [job.job_id, job.role, job.party_id, component, live]);
  const was = useRef(live);
  useEffect(() => {
    if (was.current && !live) reload();
    was.current = live;
  }, [live]);
}

/** The server's report with pictures of the charts in sight, and what filters leave of tables.
 * @param {string} base @param {string} name @param {Context} context */
async function saveReport(base, name, { pictures = new Map(), filtered = new Map() }) {
  const answer = await fetch(apiUrl(`${base}/report.zip?lang=${language.peek()}`));
  if (!answer.ok) throw new TypeError(String(answer.status));
  /** @type {{name: string, data: Uint8Array<ArrayBuffer>}[]} */
  const files = [];
  for (const [file, csv] of filtered) files.push({ name: `${file}_filtered.csv`, data: new TextEncoder().encode(csv()) });
  for (const [file, draw] of pictures) {
    const picture = await draw();
    if (picture) files.push({ name: `${file}.png`, data: new Uint8Array(await picture.arrayBuffer()) });
  }
  saveBlob(`${name}.zip`, withFiles(new Uint8Array(await answer.arrayBuffer()), files));
}

/** @param {{base: string, name: string, context: Context}} props */
function ReportButton({ base, name, context }) {
  const [busy, setBusy] = useState(false);
  const save = async () => {
    setBusy(true);
    try {
      await saveReport(base, name, context);
    } catch (error) {
      toast("error", t("blocks.report_failed", { why: String(error) }));
    } finally {
      setBusy(false);
    }
  };
  return html`<${Button} small icon="archive" busy=${busy} title=${t("blocks.report_hint")} onClick=${save}>${t("blocks.report")}<//>`;
}

/**
 * The view of one component of one party.
 * @param {{job: JobKey, component: string, live?: boolean}} props live: it runs now
 */
export function ComponentView({ job, component, live = false }) {
  const base = componentPath(job, component);
  const path = useMemo(() => parsePath(route.value.query.view), [route.value.query.view]);
  const { data, error, loading, stale, reload } = useData(viewPath(base, path));
  const view = /** @type {View | undefined} */ (data?.component === component ? data : undefined);
  const [pictures, filtered] = useMemo(() => [new Map(), new Map()], [base]);
  useLiveView(job, component, live, view, reload);
  const choose = (/** @type {string} */ id, /** @type {string} */ option) =>
    setQuery({ view: formatPath({ ...parsePath(route.peek().query.view), [id]: option }) });
  const context = { job, component, live, path, choose, pictures, filtered };

  if (!view) {
    if (error) return html`<${ErrorBox} error=${error} retry=${reload} />`;
    return html`<div class="blocks-wait" role="status" aria-label=${t("blocks.loading")}><i></i><i></i><i></i></div>`;
  }
  return html`<div class=${`component-view ${stale || loading ? "is-loading" : ""}`} data-component=${component} aria-busy=${stale}>
    <div class="b-bar">
      ${live && html`<span class="b-live" role="status">${t("blocks.live")}</span>`}
      <span class="b-grow"></span>
      <${Button} small icon="refresh" onClick=${reload}>${t("blocks.refresh")}<//>
      <${ReportButton} base=${base} name=${`${job.job_id}_${component}`} context=${context} />
    </div>
    ${error && html`<${ErrorBox} error=${error} retry=${reload} />`}
    <${Notices} notices=${view.notices ?? []} />
    ${view.blocks.length === 0 && !view.notices?.length && html`<${NoticeLine} level="info">${t("blocks.empty_view")}<//>`}
    <${Blocks} blocks=${view.blocks} context=${context} />
  </div>`;
}
