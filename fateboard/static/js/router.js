/** Hash routes: "#/details?job_id=1" is page "details" with query {job_id: "1"}. */

import { signal } from "./html.js";

/** @typedef {{page: string, query: Record<string, string>}} Route */
/** @typedef {{[name: string]: string | number | boolean | null | undefined}} Query */

/** @param {string} hash @returns {Route} */
export function parse(hash) {
  const [path, search = ""] = hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  return { page: path.replace(/\/+$/, ""), query: Object.fromEntries(new URLSearchParams(search)) };
}

/** Address of a page; members that are empty are left out.
 * @param {string} page @param {Query} [query] */
export function link(page, query = {}) {
  const kept = Object.entries(query).filter(([, value]) => value != null && value !== "");
  const search = new URLSearchParams(kept.map(([name, value]) => [name, String(value)]));
  // Commas and colons are plain in a fragment; links stay readable.
  const text = String(search).replaceAll("%2C", ",").replaceAll("%3A", ":");
  return `#/${page}${text && `?${text}`}`;
}

/** Where we are. */
export const route = signal(parse(location.hash));

/** @param {string} page @param {Query} [query] @param {{replace?: boolean}} [how] */
export function navigate(page, query = {}, { replace = false } = {}) {
  const target = link(page, query);
  if (target === location.hash) return;
  if (replace) history.replaceState(history.state, "", target);
  else history.pushState(null, "", target);
  route.value = parse(target);
}

/** Change some members of the query; empty values remove them.
 * @param {Query} partial @param {{replace?: boolean}} [how] */
export function setQuery(partial, { replace = true } = {}) {
  const { page, query } = route.peek();
  navigate(page, { ...query, ...partial }, { replace });
}

function follow() {
  const next = parse(location.hash);
  if (link(next.page, next.query) !== link(route.peek().page, route.peek().query)) route.value = next;
}
addEventListener("hashchange", follow);
addEventListener("popstate", follow);
