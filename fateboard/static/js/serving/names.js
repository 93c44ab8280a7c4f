/** How models are named and shown on the serving page. */

import { html } from "../html.js";
import { t } from "../i18n.js";

/** @import {Serving, ServingModel, ServingName} from "../types.js" */

/** @param {ServingName} one */
export const nameOf = (one) => `${one.version} ${one.namespace}`;

/** @param {Serving} serving @param {ServingName} name @returns {ServingModel | undefined} */
export function modelOf(serving, name) {
  return serving.models.find((one) => nameOf(one) === nameOf(name));
}

/** Those that a service may be bound to: hosts only answer guests. @param {Serving} serving */
export function bindable(serving) {
  return serving.models.filter((one) => one.role !== "host" && one.role !== "arbiter").sort(newest);
}

/** @param {ServingModel} a @param {ServingModel} b */
export const newest = (a, b) => (b.loaded_ms ?? 0) - (a.loaded_ms ?? 0);

/** The model id within a namespace ``role#party#model id``. @param {string} namespace */
export const modelId = (namespace) => namespace.split("#").slice(2).join("#") || namespace;

/** @param {{components: string[]}} props */
export function Components({ components }) {
  return html`<span class="sv-components">
    ${components.map((name) => html`<span class="chip mono" key=${name}>${name}</span>`)}
  </span>`;
}

/** @param {{fallback?: string, fallback_s?: number, host_constant?: number, default_score?: number}} policy */
export function fallbackWords(policy) {
  if (policy.fallback === "cache") return t("serving.fallback.cache_of", { seconds: policy.fallback_s ?? 300 });
  if (policy.fallback === "guest_only") return t("serving.fallback.guest_only_of", { value: policy.host_constant ?? 0 });
  if (policy.fallback === "default") return t("serving.fallback.default_of", { value: policy.default_score ?? 0 });
  return t("serving.fallback.fail");
}

/** @param {{missing?: string, least_hit_rate?: number}} policy */
export function missingWords(policy) {
  if (policy.missing === "error") return t("serving.missing.error");
  if (policy.missing === "threshold") return t("serving.missing.threshold_of", { percent: (policy.least_hit_rate ?? 0) * 100 });
  return t("serving.missing.offline");
}
