/** The board's JSON API, who is signed in, and whether the board and fateflow answer. */

import { signal, useCallback, useEffect, useRef, useState } from "./html.js";
import { language, t } from "./i18n.js";
import { subscribe } from "./live.js";
import { expireSession, session } from "./session.js";

/** @import {Fault} from "./types.js" */

export { session };

export class ApiError extends Error {
  /** @param {number} status @param {Partial<Fault>} fault */
  constructor(status, fault) {
    super(fault.message || String(status));
    this.status = status;
    this.code = fault.code ?? "";
    this.hint = fault.hint ?? "";
    /** Seconds to wait before the next try. */
    this.retryAfter = fault.retry_after_s ?? 0;
  }
}

/** What does not answer, if anything. */
export const outage = signal(/** @type {{who: "board" | "flow", text: string} | null} */ (null));

/** Counts the ends of outages: what failed then is asked for again. */
export const recovered = signal(0);

/** Answers by path, for `If-None-Match`. @type {Map<string, {tag: string, data: any}>} */
const known = new Map();
const KNOWN_MOST = 60;

// What one reader read is not for the next.
session.subscribe((who) => who || known.clear());

/** Address of a path of the API, for links. @param {string} path */
export function apiUrl(path) {
  return String(new URL(`api/v1${path}`, document.baseURI));
}

/** @param {string | null} tag @param {string} path @param {any} data */
function remember(tag, path, data) {
  known.delete(path);
  if (!tag) return;
  known.set(path, { tag, data });
  const oldest = known.keys().next().value;
  if (known.size > KNOWN_MOST && oldest !== undefined) known.delete(oldest);
}

/** @param {Response} answer @returns {Promise<ApiError>} */
async function failure(answer) {
  /** @type {{error?: Partial<Fault>}} */
  const body = await answer.json().catch(() => ({}));
  const wait = Number(answer.headers.get("Retry-After")) || 0;
  return new ApiError(answer.status, { retry_after_s: wait, ...body.error });
}

/** @param {string} method @param {string} path @param {{body?: unknown, signal?: AbortSignal}} [how]
 * @returns {Promise<any>} */
async function request(method, path, { body, signal: abort } = {}) {
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json", "Accept-Language": language.peek() };
  const before = method === "GET" ? known.get(path) : undefined;
  const asking = session.peek();
  if (before) headers["If-None-Match"] = before.tag;
  if (method !== "GET") headers["Content-Type"] = "application/json";
  /** @type {Response} */
  let answer;
  try {
    answer = await fetch(apiUrl(path), {
      method,
      headers,
      body: method === "GET" ? undefined : JSON.stringify(body ?? {}),
      signal: abort,
      cache: "no-store",
    });
  } catch (error) {
    if (abort?.aborted) throw error;
    outage.value = { who: "board", text: "" };
    throw new ApiError(0, { code: "board_unreachable", message: t("error.board_unreachable") });
  }
  if (outage.peek()?.who === "board") outage.value = null;
  if (before && answer.status === 304) return before.data;
  if (answer.ok) {
    const data = answer.status === 204 ? null : await answer.json();
    if (method === "GET") remember(answer.headers.get("ETag"), path, data);
    return data;
  }
  const error = await failure(answer);
  if (error.status === 401 && path !== "/session") expireSession(asking);
  if ([502, 503, 504].includes(error.status)) outage.value = { who: "flow", text: error.message };
  throw error;
}

/** @param {string} path under /api/v1 @param {{signal?: AbortSignal}} [how] @returns {Promise<any>} */
export function get(path, how) {
  return request("GET", path, how);
}

/** @param {string} path @param {unknown} [body] @returns {Promise<any>} */
export function post(path, body) {
  return request("POST", path, { body });
}

/** @param {string} path @param {unknown} [body] @returns {Promise<any>} */
export function put(path, body) {
  return request("PUT", path, { body });
}

/** @param {string} path @returns {Promise<any>} */
export function del(path) {
  return request("DELETE", path);
}

/**
 * What the API answers for a path (null asks nothing). Data of before stays while new is fetched:
 * `stale` tells that it is of another path. With a topic, each of its events asks again.
 * @param {string | null} path
 * @param {{topic?: string}} [how]
 * @returns {{data: any, error: ApiError | null, loading: boolean, stale: boolean, reload: () => void}}
 */
export function useData(path, { topic } = {}) {
  const [state, setState] = useState({
    path: /** @type {string | null} */ (null),
    data: /** @type {any} */ (undefined),
    error: /** @type {ApiError | null} */ (null),
    loading: path != null,
  });
  const [turn, setTurn] = useState(0);
  const reload = useCallback(() => setTurn((n) => n + 1), []);
  const failed = state.error != null;
  const waking = failed ? recovered.value : 0;

  useEffect(() => {
    if (path == null) return setState({ path, data: undefined, error: null, loading: false });
    const abort = new AbortController();
    setState((before) => ({ ...before, loading: true }));
    get(path, { signal: abort.signal }).then(
      (data) => {
        if (!abort.signal.aborted) setState({ path, data, error: null, loading: false });
      },
      (error) => {
        if (abort.signal.aborted) return;
        const data = (/** @type {{path: any, data: any}} */ before) =>
          before.path === path ? before.data : undefined;
        setState((before) => ({ path, data: data(before), error, loading: false }));
      },
    );
    return () => abort.abort();
  }, [path, turn, waking]);

  useEvents(topic, reload);
  return {
    data: state.data,
    error: state.error,
    loading: state.loading,
    stale: state.path !== path,
    reload,
  };
}

const EVENTS_PAUSE_MS = 500;

/** Calls back after events of a topic, at most twice a second.
 * @param {string | undefined} topic @param {() => void} call */
function useEvents(topic, call) {
  const timer = useRef(0);
  useEffect(() => {
    if (!topic) return;
    const stop = subscribe(topic, () => {
      if (timer.current) return;
      timer.current = setTimeout(() => {
        timer.current = 0;
        call();
      }, EVENTS_PAUSE_MS);
    });
    return () => {
      stop();
      clearTimeout(timer.current);
      timer.current = 0;
    };
  }, [topic, call]);
}
