/** What is asked of a service: made of fields, or written as JSON. Pure. */

/** @typedef {{name: string, value: string}} Pair */
/** features: by name; a Map, as names are any text.
 * @typedef {{service: string, features: Map<string, string>, remote: Pair[], applyId: string}} Filled */

const BATCH = "batchDataList";

/** A number where it reads as one: what is empty lacks. @param {string} text */
function typed(text) {
  const value = Number(text);
  return text.trim() !== "" && Number.isFinite(value) ? value : text;
}

/** @param {[string, string][]} pairs */
const given = (pairs) => Object.fromEntries(pairs.filter(([name, value]) => name !== "" && value.trim() !== "").map(([name, value]) => [name, typed(value)]));

/** @param {Filled} filled */
export function requestOf({ service, features, remote, applyId }) {
  return {
    head: { serviceId: service, ...(applyId && { applyId }) },
    body: {
      featureData: given([...features]),
      sendToRemoteFeatureData: Object.fromEntries(remote.filter(({ name, value }) => name && value).map(({ name, value }) => [name, value])),
    },
  };
}

/** The fields of a request, as far as fields can show it; null if they cannot.
 * @param {any} request @returns {Filled | null} */
export function filledFrom(request) {
  const flat = { ...request?.head, ...request?.body };
  if (BATCH in flat) return null;
  const texts = (/** @type {any} */ of) => Object.entries(of && typeof of === "object" ? of : {}).map(([name, value]) => ({ name, value: value == null ? "" : String(value) }));
  return {
    service: String(flat.serviceId ?? ""),
    features: new Map(texts(flat.featureData).map(({ name, value }) => [name, value])),
    remote: texts(flat.sendToRemoteFeatureData),
    applyId: String(flat.applyId ?? ""),
  };
}

/** @param {any} request */
export function callOf(request) {
  return BATCH in { ...request?.head, ...request?.body } ? "batchInference" : "inference";
}

/** For a shell: quotes stay what they are. @param {string} url of the serving @param {unknown} request */
export function curl(url, request) {
  const body = JSON.stringify(request).replaceAll("'", "'\\''");
  return `curl ${url}/federation/v1/${callOf(request)} -H 'content-type: application/json' -d '${body}'`;
}
