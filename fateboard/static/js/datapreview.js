/** The first rows of what a component wrote, and all of them as a file. */

import { apiUrl, useData } from "./api.js";
import { html, useState } from "./html.js";
import { integer } from "./format.js";
import { say, t } from "./i18n.js";
import { DataTable } from "./table.js";
import { Button, Empty, ErrorBox, NoticeLine, Select, Spinner } from "./ui.js";

const LIMITS = [100, 500, 1000];

/** An object that came as text, on one line that can be read; other text as it is.
 * @param {any} value */
export function unpacked(value) {
  if (typeof value !== "string" || !/^\s*[{[]/.test(value)) return value;
  try {
    const found = JSON.parse(value.replaceAll("'", '"'));
    const pairs = Object.entries(found).map(([name, one]) => `${name}: ${typeof one === "number" ? Number(one.toPrecision(6)) : JSON.stringify(one)}`);
    return Array.isArray(found) ? value : `{ ${pairs.join(", ")} }`;
  } catch {
    return value;
  }
}

/** @param {{path: string, component: string}} props */
export function DataView({ path, component }) {
  const [table, setTable] = useState(0);
  const [limit, setLimit] = useState(LIMITS[0]);
  const { data, error, loading, reload } = useData(`${path}/data?table=${table}&limit=${limit}`);
  if (error) return html`<${ErrorBox} error=${error} retry=${reload} />`;
  if (!data) return loading ? html`<${Spinner} />` : null;
  const notices = (data.notices || []).map((/** @type {any} */ notice) => html`<${NoticeLine} level=${notice.level}>${say(notice.text)}<//>`);
  if (!data.names.length || !data.header.length) {
    return html`${notices}<${Empty} icon="table" title=${t("job.data.none")} hint=${t("job.data.none_hint")} />`;
  }
  const columns = data.header.map((/** @type {string} */ name, /** @type {number} */ n) => ({ id: `${n}`, label: name, format: "text", frozen: n === 0 }));
  const rows = data.rows.map((/** @type {any[]} */ row) => row.map(unpacked));
  return html`<div class="data">
    ${notices}
    <div class="job-bar">
      ${data.names.length > 1 && html`<${Select} label=${t("job.data.table")} value=${String(table)} onChange=${(/** @type {string} */ id) => setTable(Number(id))}
        options=${data.names.map((/** @type {string} */ name, /** @type {number} */ n) => ({ id: String(n), label: name }))} />`}
      <p class="data-shown">${t("job.data.shown", { n: integer(data.rows.length), of: integer(data.total), columns: integer(data.header.length) })}</p>
      <span class="grow"></span>
      ${data.total > LIMITS[0] && html`<${Select} label=${t("job.data.limit")} value=${String(limit)} onChange=${(/** @type {string} */ id) => setLimit(Number(id))}
        options=${LIMITS.map((n) => ({ id: String(n), label: integer(n) }))} />`}
      <${Button} icon="download" href=${apiUrl(`${path}/data.tar.gz`)} download="">${t("job.data.download")}<//>
    </div>
    <${DataTable} key=${`${component}.${table}`} columns=${columns} rows=${rows} pageSize=${0} filename=${`${component}_${data.names[table] || "data"}`}
      caption=${t("job.data.caption", { component })} />
  </div>`;
}
