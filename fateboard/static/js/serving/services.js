/** The services of a serving: what they answer with, what they do, and what may be done to them. */
import { html, useState } from "../html.js";
import { integer, percent } from "../format.js";
import { t } from "../i18n.js";
import { mayOperate } from "../jobs.js";
import { setQuery } from "../router.js";
import { Button, Empty, IconButton, Menu } from "../ui.js";
import { rollBack, unbind } from "./actions.js";
import { BindDialog, RateDialog } from "./dialogs.js";
import { Components, bindable, fallbackWords, missingWords, modelOf, nameOf } from "./names.js";
import { Figures, TrafficChart } from "./traffic.js";

/** @import {Serving, ServingService} from "../types.js" */

/** @param {{serving: Serving, service: ServingService}} props */
function Versions({ serving, service }) {
  return html`<ul class="sv-versions" aria-label=${t("serving.versions")}>
    ${service.versions.map((one, index) => html`<li key=${nameOf(one)} style=${{ "--share-colour": `var(--series-${(index % 12) + 1})` }}>
      <span class="sv-share tabular">${percent(Number(one.share.toFixed(4)))}</span>
      <span class="sv-share-bar" aria-hidden="true"><i style=${{ width: `${one.share * 100}%` }}></i></span>
      <span class="mono">${one.version}</span>
      <${Components} components=${modelOf(serving, one)?.components ?? []} />
    </li>`)}
    ${service.shadow && html`<li class="sv-shadow">
      <span class="chip tone-chip tone-idle" title=${t("serving.shadow_help")}>${t("serving.shadow")}</span><span class="sv-share-bar" aria-hidden="true"></span>
      <span class="mono">${service.shadow.version}</span>
      <${Components} components=${modelOf(serving, service.shadow)?.components ?? []} />
    </li>`}
  </ul>`;
}

/** @param {{service: ServingService}} props */
function Policy({ service }) {
  const { policy, limit, previous } = service;
  return html`<dl class="sv-facts">
    <div><dt>${t("serving.fallback")}</dt><dd>${fallbackWords(policy)}</dd></div>
    <div><dt>${t("serving.missing")}</dt><dd>${missingWords(policy)}</dd></div>
    <div><dt>${t("serving.limit")}</dt><dd>${limit === null ? t("serving.no_limit") : t("serving.rows_per_second", { n: integer(limit) })}</dd></div>
    ${previous.length > 0 && html`<div><dt>${t("serving.previous")}</dt><dd class="mono">${previous.join(", ")}</dd></div>`}
  </dl>`;
}

/** @param {{serving: Serving, service: ServingService, changed: () => void}} props */
function Card({ serving, service, changed }) {
  const [open, setOpen] = useState("");
  const [chart, setChart] = useState(false);
  const id = service.service_id;
  const close = () => setOpen("");
  const items = [
    { label: t("serving.action.bind"), icon: "edit", onSelect: () => setOpen("bind") },
    { label: t("serving.action.rollback"), icon: "rerun", disabled: !service.previous.length, onSelect: () => rollBack(service).then(changed) },
    { label: t("serving.action.rate"), icon: "clock", onSelect: () => setOpen("rate") },
    null,
    { label: t("serving.action.unbind"), icon: "ban", danger: true, onSelect: () => unbind(service).then(changed) },
  ];
  return html`<section class="panel sv-service" aria-label=${t("serving.service_named", { service: id })} data-service=${id}>
    <header class="panel-head">
      <h2 class="truncate" title=${id}>${id}</h2>
      <span class="spread"></span>
      <${IconButton} small icon="chart" pressed=${chart} label=${t("serving.chart")} onClick=${() => setChart(!chart)} />
      ${mayOperate() && html`<${Button} small icon="play" onClick=${() => setQuery({ tab: "try", service: id }, { replace: false })}>${t("serving.action.try")}<//>
        <${Menu} label=${t("serving.actions_of", { service: id })} icon="dots" align="right" items=${items} />`}
    </header>
    <div class="panel-body">
      <${Versions} serving=${serving} service=${service} />
      <${Figures} service=${service} now=${serving.now_ms} />
      ${chart && html`<${TrafficChart} service=${service} now=${serving.now_ms} />`}
      <${Policy} service=${service} />
    </div>
    ${open === "bind" && html`<${BindDialog} serving=${serving} service=${service} onClose=${close} changed=${changed} />`}
    ${open === "rate" && html`<${RateDialog} source=${`S_${id}`} of=${t("serving.service_named", { service: id })} limit=${service.limit} onClose=${close} changed=${changed} />`}
  </section>`;
}

/** @param {{serving: Serving, changed: () => void}} props */
export function Services({ serving, changed }) {
  const [adding, setAdding] = useState(false);
  const canAdd = mayOperate() && bindable(serving).length > 0;
  const add = canAdd && html`<${Button} icon="add" onClick=${() => setAdding(true)}>${t("serving.action.new_service")}<//>`;
  return html`${serving.services.length === 0
      ? html`<div class="panel"><${Empty} icon="link" title=${t("serving.no_service")}
          hint=${serving.models.length ? t("serving.no_service_hint") : t("serving.no_model_hint")}
          action=${add || (serving.models.length ? undefined : html`<code>flow model load -c serve.json</code>`)} /></div>`
      : html`<div class="sv-services">
          ${serving.services.map((service) => html`<${Card} key=${service.service_id} serving=${serving} service=${service} changed=${changed} />`)}
        </div>
        ${add && html`<div class="sv-add">${add}</div>`}`}
    <${Limits} serving=${serving} changed=${changed} />
    ${adding && html`<${BindDialog} serving=${serving} onClose=${() => setAdding(false)} changed=${changed} />`}`;
}

/** What a limit of the serving is about, in words. @param {string} source */
function sourceWords(source) {
  if (source.startsWith("S_")) return t("serving.service_named", { service: source.slice(2) });
  if (source.startsWith("M_")) return t("serving.model_named", { version: source.slice(2).split("_")[0] });
  if (source.startsWith("I_")) return t("serving.call_named", { call: source.slice(2) });
  return source;
}

/** @param {{serving: Serving, changed: () => void}} props */
function Limits({ serving, changed }) {
  const [edited, setEdited] = useState("");
  if (!serving.limits.length) return null;
  const limit = serving.limits.find((one) => one.source === edited);
  return html`<section class="panel sv-limits" aria-label=${t("serving.limits")}>
    <header class="panel-head"><h2>${t("serving.limits")}</h2></header>
    <ul>
      ${serving.limits.map((one) => html`<li key=${one.source}>
        <span class="truncate" title=${one.source}>${sourceWords(one.source)}</span>
        <span class="tabular">${t("serving.rows_per_second", { n: integer(one.rows_per_second) })}</span>
        ${mayOperate() && html`<${IconButton} small icon="edit" label=${t("serving.limit_edit", { of: sourceWords(one.source) })} onClick=${() => setEdited(one.source)} />`}
      </li>`)}
    </ul>
    ${limit && html`<${RateDialog} source=${limit.source} of=${sourceWords(limit.source)} limit=${limit.rows_per_second} onClose=${() => setEdited("")} changed=${changed} />`}
  </section>`;
}

