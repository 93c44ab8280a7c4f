/** What a serving answered: its code in words, the score, how long it took. */

import { full } from "../format.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { Icon } from "../icons.js";
import { DataTable } from "../table.js";
import { CopyButton, NoticeLine } from "../ui.js";
import { codeWords } from "./codes.js";
import { milliseconds } from "./traffic.js";

/** @import {ServingAnswer} from "../types.js" */

/** @param {unknown} value */
const text = (value) => (value == null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value));

/** @param {{code: number, message: string}} props */
function Code({ code, message }) {
  const good = code === 0;
  return html`<div class=${`sv-code tone-${good ? "good" : "bad"}`} data-code=${code}>
    <${Icon} name=${good ? "circle_check" : "circle_x"} size=${20} />
    <div><p><b class="tabular">${code}</b> ${codeWords(code)}</p>
      ${message && html`<p class="sv-message">${message}</p>`}</div>
  </div>`;
}

/** @param {{data: any}} props */
function Score({ data }) {
  const { score, label } = data;
  if (score === undefined && label === undefined) return null;
  const list = Array.isArray(score) ? score : null;
  return html`<dl class="sv-score">
    ${label !== undefined && html`<div><dt>${t("serving.label")}</dt><dd data-score="label">${text(label)}</dd></div>`}
    ${score !== undefined && html`<div><dt>${t("serving.score")}</dt><dd data-score="score" class=${list ? "sv-scores" : ""}>${list ? list.map(full).join(", ") : full(score)}</dd></div>`}
  </dl>`;
}

/** @param {{rows: any[]}} props */
function Rows({ rows }) {
  const columns = [
    { id: "index", label: t("serving.row"), format: /** @type {const} */ ("integer") },
    { id: "code", label: t("serving.code") },
    { id: "score", label: t("serving.score") },
    { id: "label", label: t("serving.label") },
    { id: "message", label: t("serving.message") },
  ];
  const cells = rows.map((row) => [row?.index ?? null, text(row?.retcode), scoreCell(row?.data?.score), text(row?.data?.label), text(row?.retmsg) || codeWords(Number(row?.retcode))]);
  return html`<${DataTable} columns=${columns} rows=${cells} filename="answers" caption=${t("serving.answer")} />`;
}

/** @param {unknown} score */
const scoreCell = (score) => (typeof score === "number" ? full(score) : text(score));

/** @param {{told: ServingAnswer}} props */
export function Answer({ told }) {
  const { answer, elapsed_ms } = told;
  const code = Number(answer.retcode ?? answer.code);
  const data = answer.data && typeof answer.data === "object" ? answer.data : {};
  const raw = JSON.stringify(answer, null, 2);
  return html`<div class="sv-answered">
    <${Code} code=${code} message=${text(answer.retmsg ?? answer.message)} />
    ${answer.flag === 1 && html`<${NoticeLine} level="warn">${t("serving.fell_back", { how: text(data.fallback) })}<//>`}
    <${Score} data=${data} />
    ${Array.isArray(answer.batchDataList) && html`<${Rows} rows=${answer.batchDataList} />`}
    <dl class="sv-facts">
      ${data.modelVersion && html`<div><dt>${t("serving.answered_by")}</dt><dd class="mono">${text(data.modelVersion)}</dd></div>`}
      <div><dt>${t("serving.took")}</dt><dd class="tabular">${milliseconds(elapsed_ms)} <span class="muted">${t("serving.took_help")}</span></dd></div>
    </dl>
    <details class="sv-raw"><summary>${t("serving.raw")}</summary><div><pre tabindex="0">${raw}</pre><${CopyButton} text=${raw} /></div></details>
  </div>`;
}
