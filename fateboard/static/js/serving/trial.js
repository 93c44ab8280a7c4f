/** A request as a client would send it, and what the serving answers. Nothing of it is kept. */

import { post } from "../api.js";
import { html, useRef, useState } from "../html.js";
import { t } from "../i18n.js";
import { Icon } from "../icons.js";
import { setQuery } from "../router.js";
import { Button, Empty, ErrorBox, IconButton, NoticeLine, Select, copyText, toast } from "../ui.js";
import { Answer } from "./answer.js";
import { modelOf } from "./names.js";
import { callOf, curl, filledFrom, requestOf } from "./request.js";

/** @import {ApiError} from "../api.js" */
/** @import {Serving, ServingAnswer, ServingModel, ServingService} from "../types.js" */
/** @import {Filled, Pair} from "./request.js" */

/** @param {{columns: string[], filled: Filled, set: (change: Partial<Filled>) => void}} props */
function Features({ columns, filled, set }) {
  const names = [...new Set([...columns, ...filled.features.keys()])];
  const missing = names.filter((name) => !filled.features.get(name)?.trim()).length;
  return html`<fieldset class="sv-part" data-part="own">
    <legend><${Icon} name="lock" size=${14} />${t("serving.own_features")}</legend>
    <p class="muted small">${t("serving.own_features_help")}${missing > 0 && missing < names.length ? ` ${t("serving.own_missing", { n: missing })}` : ""}</p>
    ${names.length === 0 && html`<p class="muted">${t("serving.no_columns")}</p>`}
    <div class="sv-fields">
      ${names.map((name) => html`<label class="field" key=${name}>
        <span class="field-label mono truncate" title=${name}>${name}</span>
        <input type="text" inputmode="decimal" autocomplete="off" value=${filled.features.get(name) ?? ""}
          onInput=${(/** @type {any} */ event) => set({ features: new Map(filled.features).set(name, event.currentTarget.value) })} />
      </label>`)}
    </div>
  </fieldset>`;
}

/** @param {{hosts: string[], filled: Filled, set: (change: Partial<Filled>) => void}} props */
function ForHosts({ hosts, filled, set }) {
  const pairs = filled.remote.length ? filled.remote : [{ name: "", value: "" }];
  const change = (/** @type {number} */ index, /** @type {Partial<Pair>} */ to) => set({ remote: pairs.map((pair, at) => (at === index ? { ...pair, ...to } : pair)) });
  return html`<fieldset class="sv-part sv-leaves" data-part="leaves">
    <legend><${Icon} name="arrow_right" size=${14} />${t("serving.for_hosts")}</legend>
    <p class="sv-leaves-text">${t("serving.for_hosts_help", { hosts: hosts.join(", ") || "-" })}</p>
    ${pairs.map((pair, index) => html`<div class="row sv-pair" key=${index}>
      <input type="text" aria-label=${t("serving.pair_name")} placeholder=${t("serving.pair_name")} autocomplete="off" value=${pair.name}
        onInput=${(/** @type {any} */ event) => change(index, { name: event.currentTarget.value })} />
      <input type="text" aria-label=${t("serving.pair_value")} placeholder=${t("serving.pair_value")} autocomplete="off" value=${pair.value}
        onInput=${(/** @type {any} */ event) => change(index, { value: event.currentTarget.value })} />
      <${IconButton} small icon="close" label=${t("serving.pair_remove")} onClick=${() => set({ remote: pairs.filter((_, at) => at !== index) })} />
    </div>`)}
    <${Button} small kind="quiet" icon="add" onClick=${() => set({ remote: [...pairs, { name: "", value: "" }] })}>${t("serving.pair_add")}<//>
  </fieldset>`;
}

/** @param {string} text @returns {{request: any, problem: string}} */
function parsed(text) {
  try {
    const request = JSON.parse(text);
    const right = request !== null && typeof request === "object" && !Array.isArray(request);
    return right ? { request, problem: "" } : { request: null, problem: t("serving.json_object") };
  } catch (error) {
    return { request: null, problem: /** @type {Error} */ (error).message };
  }
}

/** The request in fields or as JSON. @param {string} service */
function useRequest(service) {
  const [filled, setFilled] = useState(/** @type {Filled} */ ({ service, features: new Map(), remote: [], applyId: "" }));
  const [text, setText] = useState(/** @type {string | null} */ (null));
  const asJson = text !== null;
  const told = asJson ? parsed(text) : { request: requestOf({ ...filled, service }), problem: "" };
  const toFields = () => {
    const found = told.request && filledFrom(told.request);
    if (!found) return;
    setFilled(found);
    setText(null);
    if (found.service && found.service !== service) setQuery({ service: found.service });
  };
  return {
    filled, text, asJson, setText, ...told, toFields,
    onlyJson: asJson && !(told.request && filledFrom(told.request)),
    set: (/** @type {Partial<Filled>} */ change) => setFilled({ ...filled, ...change }),
    toJson: () => setText(JSON.stringify(told.request, null, 2)),
  }; // prettier-ignore
}

/** @param {Serving} serving @param {ServingService | undefined} service */
function modelsOf(serving, service) {
  return /** @type {ServingModel[]} */ ((service?.versions ?? []).map((one) => modelOf(serving, one)).filter(Boolean));
}

/** Asks, and keeps the last answer. */
function useAsked() {
  const [state, setState] = useState({ busy: false, error: /** @type {ApiError | null} */ (null), told: /** @type {ServingAnswer | null} */ (null) });
  const turn = useRef(0);
  const ask = async (/** @type {any} */ request) => {
    const mine = ++turn.current;
    setState({ ...state, busy: true, error: null });
    const [told, error] = await post(`/serving/try/${callOf(request)}`, request).then((found) => [found, null], (failed) => [null, failed]);
    if (mine === turn.current) setState({ busy: false, error, told });
  };
  return { ...state, ask };
}

/** @param {{serving: Serving, chosen: string | undefined}} props chosen: service id */
export function Trial({ serving, chosen }) {
  const service = serving.services.find((one) => one.service_id === chosen) ?? serving.services[0];
  const id = service?.service_id ?? "";
  const request = useRequest(id);
  const { busy, error, told, ask } = useAsked();
  if (!service) return html`<div class="panel"><${Empty} icon="play" title=${t("serving.no_service")} hint=${t("serving.no_service_hint")} /></div>`;
  const models = modelsOf(serving, service);
  const hosts = [...new Set(models.flatMap((model) => model.remotes.map((one) => `${one.role} ${one.party_id}`)))];
  const columns = [...new Set(models.flatMap((model) => model.columns))];
  const copy = () => copyText(curl(serving.url, request.request)).then(() => toast("success", t("serving.curl_copied")));
  const send = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (request.request) ask(request.request);
  };
  return html`<div class="sv-try">
    <form class="panel" onSubmit=${send} aria-label=${t("serving.action.try")}>
      <header class="panel-head">
        <${Select} label=${t("serving.service")} value=${id} disabled=${request.asJson} options=${serving.services.map((one) => ({ id: one.service_id, label: one.service_id }))}
          onChange=${(/** @type {string} */ to) => setQuery({ service: to })} />
        <span class="spread"></span>
        <div class="segments" role="group" aria-label=${t("serving.mode")}>
          <button type="button" aria-pressed=${String(!request.asJson)} disabled=${request.onlyJson} onClick=${request.asJson ? request.toFields : undefined}>${t("serving.mode.fields")}</button>
          <button type="button" aria-pressed=${String(request.asJson)} onClick=${request.asJson ? undefined : request.toJson}>JSON</button>
        </div>
      </header>
      <div class="panel-body sv-form">
        ${request.asJson
          ? html`<label class="field"><span class="field-label">${t("serving.json")}</span>
              <textarea class="mono sv-json" rows="18" spellcheck=${false} aria-invalid=${request.problem ? "true" : undefined} value=${request.text}
                onInput=${(/** @type {any} */ event) => request.setText(event.currentTarget.value)}></textarea></label>
              ${request.problem && html`<p class="field-problem" role="alert">${request.problem}</p>`}
              <${NoticeLine} level="info">${t("serving.json_help", { hosts: hosts.join(", ") || "-" })}<//>`
          : html`<${Features} columns=${columns} filled=${request.filled} set=${request.set} />
              ${hosts.length > 0 && html`<${ForHosts} hosts=${hosts} filled=${request.filled} set=${request.set} />`}
              ${service.versions.length > 1 && html`<label class="field"><span class="field-label">${t("serving.apply_id")}</span>
                <input type="text" autocomplete="off" value=${request.filled.applyId} onInput=${(/** @type {any} */ event) => request.set({ applyId: event.currentTarget.value })} />
                <span class="muted small">${t("serving.apply_id_help")}</span></label>`}`}
      </div>
      <footer class="sv-send">
        <${Button} icon="copy" disabled=${!request.request} onClick=${copy}>${t("serving.action.curl")}<//>
        <${Button} kind="primary" icon="play" type="submit" busy=${busy} disabled=${!request.request}>${t("serving.action.send")}<//>
      </footer>
    </form>
    <section class="panel sv-answer" aria-label=${t("serving.answer")} aria-live="polite">
      <header class="panel-head"><h2>${t("serving.answer")}</h2></header>
      <div class="panel-body">
        <${ErrorBox} error=${error} />
        ${told ? html`<${Answer} told=${told} />` : !error && html`<${Empty} icon="play" title=${t("serving.no_answer")} hint=${t("serving.no_answer_hint")} />`}
      </div>
    </section>
  </div>`;
}
