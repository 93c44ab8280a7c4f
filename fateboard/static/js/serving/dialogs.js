/** Forms of orders: which versions answer for a service, and how many rows it may take. */

import { post } from "../api.js";
import { integer, percent } from "../format.js";
import { html, useState } from "../html.js";
import { t } from "../i18n.js";
import { Button, Dialog, ErrorBox, Select, Toggle, toast } from "../ui.js";
import { Components, bindable, nameOf } from "./names.js";

/** @import {ApiError} from "../api.js" */
/** @import {Serving, ServingModel, ServingPolicy, ServingService} from "../types.js" */
/** @typedef {Record<string, number>} Weights by the name of a model; those above 0 answer */

/** Posts, and tells why not. @param {() => void} then */
function useOrder(then) {
  const [state, setState] = useState({ busy: false, error: /** @type {ApiError | null} */ (null) });
  /** @param {string} path @param {unknown} body @param {string} done */
  const order = async (path, body, done) => {
    setState({ busy: true, error: null });
    try {
      await post(path, body);
      toast("success", done);
      then();
    } catch (error) {
      setState({ busy: false, error: /** @type {ApiError} */ (error) });
    }
  };
  return { ...state, order };
}

/** @param {{label: string, value: number, onInput: (value: number) => void, min?: number, max?: number, step?: number | "any", unit?: string, autofocus?: boolean}} props */
function NumberField({ label, value, onInput, unit, ...rest }) {
  return html`<label class="field field-inline">
    <span class="field-label">${label}</span>
    <input type="number" class="sv-number" value=${value} ...${rest} onInput=${(/** @type {any} */ event) => onInput(event.currentTarget.valueAsNumber)} />
    ${unit && html`<span class="muted">${unit}</span>`}
  </label>`;
}

/** @param {{models: ServingModel[], weights: Weights, setWeights: (weights: Weights) => void}} props */
function WeightTable({ models, weights, setWeights }) {
  const total = Object.values(weights).reduce((sum, weight) => sum + (weight || 0), 0);
  return html`<ul class="sv-weights">
    ${models.map((model) => {
      const name = nameOf(model);
      const on = name in weights;
      const flip = () => {
        const { [name]: _, ...rest } = weights;
        setWeights(on ? rest : { ...weights, [name]: 100 });
      };
      return html`<li key=${name} class=${on ? "is-on" : ""}>
        <label class="sv-pick"><input type="checkbox" checked=${on} onChange=${flip} />
          <span><span class="mono">${model.version}</span><${Components} components=${model.components} /></span></label>
        ${on && html`<${NumberField} label=${t("serving.weight")} min=${1} max=${1000000} step=${1} value=${weights[name]}
          onInput=${(/** @type {number} */ value) => setWeights({ ...weights, [name]: value })} />
          <span class="tabular sv-weight-share">${percent(Number(((weights[name] || 0) / (total || 1)).toFixed(4)))}</span>`}
      </li>`;
    })}
  </ul>`;
}

/** @param {{policy: ServingPolicy, set: (change: Partial<ServingPolicy>) => void}} props */
function PolicyFields({ policy, set }) {
  const fallbacks = [
    { id: "fail", label: t("serving.fallback.fail") },
    { id: "cache", label: t("serving.fallback.cache") },
    { id: "guest_only", label: t("serving.fallback.guest_only") },
    { id: "default", label: t("serving.fallback.default") },
  ];
  const missing = [
    { id: "offline", label: t("serving.missing.offline") },
    { id: "error", label: t("serving.missing.error") },
    { id: "threshold", label: t("serving.missing.threshold") },
  ];
  return html`<div class="sv-policy">
    <div class="row row-wrap">
      <${Select} label=${t("serving.fallback")} value=${policy.fallback} options=${fallbacks} onChange=${(/** @type {any} */ fallback) => set({ fallback })} />
      ${policy.fallback === "cache" && html`<${NumberField} min=${0} step="any" unit="s" label=${t("serving.fallback_s")} value=${policy.fallback_s ?? 300} onInput=${(/** @type {number} */ fallback_s) => set({ fallback_s })} />`}
      ${policy.fallback === "guest_only" && html`<${NumberField} step="any" label=${t("serving.host_constant")} value=${policy.host_constant ?? 0} onInput=${(/** @type {number} */ host_constant) => set({ host_constant })} />`}
      ${policy.fallback === "default" && html`<${NumberField} step="any" label=${t("serving.default_score")} value=${policy.default_score ?? 0} onInput=${(/** @type {number} */ default_score) => set({ default_score })} />`}
    </div>
    <div class="row row-wrap">
      <${Select} label=${t("serving.missing")} value=${policy.missing} options=${missing} onChange=${(/** @type {any} */ value) => set({ missing: value })} />
      ${policy.missing === "threshold" && html`<${NumberField} min=${0} max=${100} step="any" unit="%" label=${t("serving.least")} value=${(policy.least_hit_rate ?? 0) * 100}
        onInput=${(/** @type {number} */ value) => set({ least_hit_rate: value / 100 })} />`}
    </div>
    <${NumberField} min=${0} step="any" unit="s" label=${t("serving.reuse_s")} value=${policy.reuse_s ?? 0} onInput=${(/** @type {number} */ reuse_s) => set({ reuse_s })} />
    <${Toggle} label=${t("serving.pin")} on=${policy.pin === true} onChange=${(/** @type {boolean} */ pin) => set({ pin })} />
    <${Toggle} label=${t("serving.micro_batching")} on=${policy.micro_batching !== false} onChange=${(/** @type {boolean} */ micro_batching) => set({ micro_batching })} />
  </div>`;
}

/** What a bind will do, before it is done. @param {{service: string, chosen: ServingModel[], weights: Weights, shadow: string}} props */
function Outcome({ service, chosen, weights, shadow }) {
  const total = chosen.reduce((sum, model) => sum + (weights[nameOf(model)] || 0), 0) || 1;
  const parts = chosen.map((model) => t("serving.bind_part", { percent: percent(Number((weights[nameOf(model)] / total).toFixed(4))), version: model.version }));
  return html`<div class="sv-outcome" role="status">
    <p>${chosen.length ? t("serving.bind_text", { service: service || "…", parts: parts.join(", ") }) : t("serving.bind_none")}</p>
    ${chosen.length > 1 && html`<p>${t("serving.bind_apply_id")}</p>`}
    ${shadow && html`<p>${t("serving.bind_shadow", { version: shadow })}</p>`}
    ${chosen.length > 0 && html`<p>${t("serving.checked_text")}</p>`}
  </div>`;
}

/** Without a service: a new one. `model`: chosen at first.
 * @param {{serving: Serving, service?: ServingService, model?: ServingModel, onClose: () => void, changed: () => void}} props */
export function BindDialog({ serving, service, model, onClose, changed }) {
  const models = bindable(serving);
  const [id, setId] = useState(service?.service_id ?? "");
  const [weights, setWeights] = useState(/** @type {Weights} */ (
    Object.fromEntries(service ? service.versions.map((one) => [nameOf(one), one.weight]) : model ? [[nameOf(model), 100]] : [])
  ));
  const [shadow, setShadow] = useState(service?.shadow ? nameOf(service.shadow) : "");
  const [policy, setPolicy] = useState(/** @type {ServingPolicy} */ (service?.policy ?? { fallback: "fail", missing: "offline" }));
  const { busy, error, order } = useOrder(() => {
    changed();
    onClose();
  });
  const chosen = models.filter((one) => nameOf(one) in weights);
  const shadowed = models.find((one) => nameOf(one) === shadow && !chosen.includes(one));
  const right = id !== "" && chosen.length > 0 && chosen.every((one) => Number.isInteger(weights[nameOf(one)]) && weights[nameOf(one)] > 0);
  const bind = () =>
    order("/serving/bind", {
      service_id: id,
      versions: chosen.map(({ namespace, version, ...one }) => ({ namespace, version, weight: weights[nameOf({ namespace, version, ...one })] })),
      shadow: shadowed ? { namespace: shadowed.namespace, version: shadowed.version } : null,
      policy,
    }, t("serving.bind_done", { service: id })); // prettier-ignore
  const footer = html`<${Button} onClick=${onClose}>${t("action.discard")}<//>
    <${Button} kind="primary" busy=${busy} disabled=${!right} onClick=${bind}>${t("serving.action.bind_now")}<//>`;
  const shadows = [{ id: "", label: t("serving.no_shadow") }, ...models.filter((one) => !chosen.includes(one)).map((one) => ({ id: nameOf(one), label: one.version }))];
  return html`<${Dialog} wide title=${service ? t("serving.bind_title", { service: id }) : t("serving.action.new_service")} onClose=${onClose} footer=${footer}>
    <div class="sv-form">
      ${!service && html`<label class="field"><span class="field-label">${t("serving.service_id")}</span>
        <input type="text" value=${id} maxlength="200" autofocus onInput=${(/** @type {any} */ event) => setId(event.currentTarget.value.trim())} />
        <span class="muted small">${t("serving.service_id_help")}</span></label>`}
      <div class="field"><span class="field-label">${t("serving.bind_which")}</span>
        <${WeightTable} models=${models} weights=${weights} setWeights=${setWeights} /></div>
      ${shadows.length > 1 && html`<${Select} label=${t("serving.shadow")} value=${shadowed ? shadow : ""} options=${shadows} onChange=${setShadow} />`}
      <details class="sv-more"><summary>${t("serving.policy")}</summary>
        <${PolicyFields} policy=${policy} set=${(/** @type {Partial<ServingPolicy>} */ change) => setPolicy({ ...policy, ...change })} />
      </details>
      <${Outcome} service=${id} chosen=${chosen} weights=${weights} shadow=${shadowed?.version ?? ""} />
      <${ErrorBox} error=${error} />
    </div>
  <//>`;
}

/** @param {{source: string, of: string, limit: number | null, onClose: () => void, changed: () => void}} props */
export function RateDialog({ source, of, limit, onClose, changed }) {
  const [rate, setRate] = useState(limit ?? 100);
  const { busy, error, order } = useOrder(() => {
    changed();
    onClose();
  });
  const right = rate >= 0 && rate <= 1_000_000;
  const set = (/** @type {number} */ rows_per_second) => {
    const done = rows_per_second ? t("serving.rate_done", { of, n: integer(rows_per_second) }) : t("serving.rate_lifted", { of });
    return order("/serving/rate", { source, rows_per_second }, done);
  };
  const footer = html`${limit !== null && html`<${Button} kind="danger" busy=${busy} onClick=${() => set(0)}>${t("serving.action.lift")}<//>`}
    <span class="spread"></span>
    <${Button} onClick=${onClose}>${t("action.discard")}<//>
    <${Button} kind="primary" busy=${busy} disabled=${!right || rate === 0} onClick=${() => set(rate)}>${t("serving.action.rate_now")}<//>`;
  return html`<${Dialog} title=${t("serving.rate_title", { of })} onClose=${onClose} footer=${footer}>
    <div class="sv-form">
      <${NumberField} label=${t("serving.rate_field")} min=${0} max=${1000000} step="any" autofocus value=${rate} onInput=${setRate} />
      <p class="muted">${t("serving.rate_text")}</p>
      <${ErrorBox} error=${error} />
    </div>
  <//>`;
}
