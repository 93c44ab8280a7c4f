/** The models that a serving has loaded. */
import { ago, integer, time } from "../format.js";
import { html, useState } from "../html.js";
import { say, t } from "../i18n.js";
import { Party, mayOperate } from "../jobs.js";
import { CopyButton, Empty, Menu, SearchBox } from "../ui.js";
import { unload } from "./actions.js";
import { BindDialog, RateDialog } from "./dialogs.js";
import { Components, bindable, modelId, nameOf, newest } from "./names.js";

/** @import {Serving, ServingModel} from "../types.js" */

const MANY = 8;

/** @param {{columns: string[]}} props */
function Columns({ columns }) {
  if (!columns.length) return html`<span class="muted">${t("serving.no_columns")}</span>`;
  return html`<details class="sv-columns"><summary>${t("serving.columns", { n: integer(columns.length) })}</summary>
    <p class="mono">${columns.join(", ")}</p></details>`;
}

/** @param {{serving: Serving, model: ServingModel, changed: () => void}} props */
function Row({ serving, model, changed }) {
  const [open, setOpen] = useState("");
  const close = () => setOpen("");
  const { version, namespace, limit } = model;
  const answers = bindable(serving).includes(model);
  const items = [
    answers && { label: t("serving.action.bind_model"), icon: "link", onSelect: () => setOpen("bind") },
    answers && { label: t("serving.action.rate"), icon: "clock", onSelect: () => setOpen("rate") },
    answers && null,
    { label: t("serving.action.unload"), icon: "ban", danger: true, onSelect: () => unload(serving, model).then(changed) },
  ].filter((item) => item !== false);
  return html`<li class="panel sv-model" data-model=${version} data-role=${model.role}>
    <div class="sv-model-head">
      <${Party} role=${model.role} party=${model.party_id} />
      <span class="mono sv-version">${version}</span>
      ${model.services.map((service) => html`<span class="chip tone-chip tone-good" key=${service}>${service}</span>`)}
      <span class="spread"></span>
      <span class="muted" title=${time(model.loaded_ms)}>${t("serving.loaded", { ago: ago(model.loaded_ms, serving.now_ms) })}</span>
      ${mayOperate() && html`<${Menu} label=${t("serving.actions_of", { service: version })} icon="dots" align="right" items=${items} />`}
    </div>
    <${Components} components=${model.components} />
    <dl class="sv-facts">
      <div><dt>${t("serving.tested")}</dt><dd>${say(model.tested) || "-"}</dd></div>
      <div><dt>${t("serving.features")}</dt><dd><${Columns} columns=${model.columns} /></dd></div>
      ${model.remotes.length > 0 && html`<div><dt>${t("serving.with")}</dt><dd>${model.remotes.map((one) => html`<span key=${one.role + one.party_id} title=${one.version}><${Party} role=${one.role} party=${one.party_id} /> </span>`)}</dd></div>`}
      <div><dt>${t("serving.model_id")}</dt><dd class="mono">${modelId(namespace)}</dd></div>
      <div><dt>SHA-256</dt><dd class="sv-digest"><span class="mono truncate" title=${model.sha256}>${model.sha256.slice(0, 16)}…</span><${CopyButton} text=${model.sha256} /></dd></div>
      ${limit !== null && html`<div><dt>${t("serving.limit")}</dt><dd>${t("serving.rows_per_second", { n: integer(limit) })}</dd></div>`}
    </dl>
    ${open === "bind" && html`<${BindDialog} serving=${serving} model=${model} onClose=${close} changed=${changed} />`}
    ${open === "rate" && html`<${RateDialog} source=${`M_${version}_${namespace}`} of=${t("serving.model_named", { version })} limit=${limit} onClose=${close} changed=${changed} />`}
  </li>`;
}

/** @param {{serving: Serving, changed: () => void}} props */
export function Models({ serving, changed }) {
  const [sought, setSought] = useState("");
  if (!serving.models.length) {
    return html`<div class="panel"><${Empty} title=${t("serving.no_model")} hint=${t("serving.no_model_hint")} action=${html`<code>flow model load -c serve.json</code>`} /></div>`;
  }
  const text = sought.toLowerCase();
  const shown = serving.models.filter((one) => [nameOf(one), ...one.components, ...one.services].some((word) => word.toLowerCase().includes(text)));
  const sorted = shown.sort((a, b) => a.role.localeCompare(b.role) || newest(a, b));
  return html`${serving.models.length > MANY && html`<div class="filters"><${SearchBox} value=${sought} onInput=${setSought} label=${t("serving.find_model")} /></div>`}
    <ul class="sv-models">
      ${sorted.map((model) => html`<${Row} key=${nameOf(model)} serving=${serving} model=${model} changed=${changed} />`)}
      ${sorted.length === 0 && html`<li class="muted">${t("word.nothing_found")}</li>`}
    </ul>`;
}
