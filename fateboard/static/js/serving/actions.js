/** What an operator orders of the serving. Each asks first, and says what will happen. */

import { post } from "../api.js";
import { t } from "../i18n.js";
import { confirm, toast } from "../ui.js";

/** @import {Serving, ServingModel, ServingService} from "../types.js" */

/** Carries an order out and says so; a refusal is told in the serving's words.
 * @param {string} what @param {unknown} body @param {string} done */
async function order(what, body, done) {
  try {
    await post(`/serving/${what}`, body);
    toast("success", done);
  } catch (error) {
    toast("error", /** @type {Error} */ (error).message);
  }
}

/** @param {ServingService} service */
export async function rollBack(service) {
  const id = service.service_id;
  const now = service.versions.map((one) => one.version).join(", ");
  const before = service.previous.join(", ");
  const lines = [t("serving.rollback_text", { service: id, now, before }), t("serving.checked_text")];
  if (service.shadow) lines.push(t("serving.rollback_shadow"));
  const yes = await confirm({ title: t("serving.rollback_title", { service: id }), text: lines.join("\n\n"), action: t("serving.action.rollback"), danger: false });
  if (yes) await order("rollback", { service_id: id }, t("serving.rollback_done", { service: id, before }));
}

/** @param {ServingService} service */
export async function unbind(service) {
  const id = service.service_id;
  const yes = await confirm({ title: t("serving.unbind_title", { service: id }), text: t("serving.unbind_text", { service: id }), action: t("serving.action.unbind") });
  if (yes) await order("unbind", { service_id: id }, t("serving.unbind_done", { service: id }));
}

/** @param {Serving} serving @param {ServingModel} model */
export async function unload(serving, model) {
  const named = (/** @type {{namespace: string, version: string}} */ one) => one.version === model.version && one.namespace === model.namespace;
  const bound = serving.services.filter((service) => service.versions.some(named));
  const ending = bound.filter((service) => service.versions.every(named)).map((service) => service.service_id);
  const losing = bound.filter((service) => !service.versions.every(named)).map((service) => service.service_id);
  const lines = [t("serving.unload_text", { version: model.version, party: `${model.role} ${model.party_id}` })];
  if (ending.length) lines.push(t("serving.unload_ends", { services: ending.join(", ") }));
  if (losing.length) lines.push(t("serving.unload_loses", { services: losing.join(", ") }));
  if (model.role === "host") lines.push(t("serving.unload_host"));
  lines.push(t("serving.unload_again"));
  const yes = await confirm({ title: t("serving.unload_title"), text: lines.join("\n\n"), action: t("serving.action.unload") });
  if (yes) await order("unload", { namespace: model.namespace, version: model.version }, t("serving.unload_done", { version: model.version }));
}
