/** Events as they happen: one stream for all that the page watches, none while it is hidden. After
 * two failures the page asks every two seconds instead, and tries the stream again later. */

import { signal } from "./html.js";
import { expireSession, session } from "./session.js";

/** @import {Event as BoardEvent, FlowState} from "./types.js" */
/** @typedef {(event: BoardEvent) => void} Handler */

const POLL_MS = 2000;
const STREAM_AGAIN_MS = 30_000;
const SETTLE_MS = 30;

/** How events come. */
export const connection = signal(/** @type {"live" | "polling" | "down"} */ ("live"));

/** Whether fateflow answers the board, once an event has told. */
export const flowState = signal(/** @type {FlowState | null} */ (null));

/** @type {Map<string, Set<Handler>>} */
const handlers = new Map();
/** @type {EventSource | null} */
let stream = null;
/** Topics of what is not here: they would make the board refuse the others, too. @type {Set<string>} */
const refused = new Set();
let last = 0;
let failures = 0;
let polling = 0;
let settling = 0;

/** Calls `handler` for each event of a topic ("jobs", "job:<job>/<role>/<party>").
 * @param {string} topic @param {Handler} handler @returns {() => void} unsubscribe */
export function subscribe(topic, handler) {
  const mine = handlers.get(topic) ?? new Set();
  handlers.set(topic, mine.add(handler));
  if (mine.size === 1) {
    refused.delete(topic);
    restart();
  }
  return () => {
    mine.delete(handler);
    if (mine.size === 0 && handlers.get(topic) === mine) {
      handlers.delete(topic);
      restart();
    }
  };
}

function watched() {
  return [...handlers.keys()].filter((topic) => !refused.has(topic));
}

/** @param {string} path @param {string[]} topics */
function address(path, topics) {
  const names = topics.map(encodeURIComponent).join(",");
  return new URL(`api/v1/${path}?topics=${names}&since=${last}`, document.baseURI);
}

/** @param {BoardEvent} event */
function deliver(event) {
  if (event.number > 0) last = Math.max(last, event.number);
  if (event.kind === "flow") flowState.value = event.body;
  for (const handler of handlers.get(event.topic) ?? []) handler(event);
}

function restart() {
  clearTimeout(settling);
  settling = setTimeout(() => {
    stop();
    if (watched().length === 0 || document.hidden) return;
    if (failures < 2) listen();
    else poll();
  }, SETTLE_MS);
}

function stop() {
  stream?.close();
  stream = null;
  clearTimeout(polling);
}

function listen() {
  const mine = new EventSource(address("stream", watched()));
  stream = mine;
  mine.onopen = () => {
    failures = 0;
    connection.value = "live";
  };
  mine.onmessage = (message) => deliver(JSON.parse(message.data));
  mine.onerror = () => {
    if (stream !== mine) return;
    failures += 1;
    if (failures >= 2) restart();
    else if (mine.readyState === EventSource.CLOSED) polling = setTimeout(restart, POLL_MS);
  };
}

/** @param {number} [since] when the polling began */
async function poll(since = Date.now()) {
  const asking = session.peek();
  try {
    const answer = await fetch(address("events", watched()), { cache: "no-store" });
    if (answer.status === 401) return expireSession(asking);
    if (answer.status === 404) return setAside();
    if (!answer.ok) throw new TypeError(String(answer.status));
    /** @type {{events: BoardEvent[], last: number}} */
    const found = await answer.json();
    found.events.forEach(deliver);
    last = found.last;
    connection.value = "polling";
  } catch {
    connection.value = "down";
  }
  if (stream || watched().length === 0 || document.hidden) return;
  if (Date.now() - since > STREAM_AGAIN_MS) {
    failures = 1; // one more failure leads back here
    restart();
  } else {
    polling = setTimeout(() => poll(since), POLL_MS);
  }
}

/** Finds which topics are not here, and goes on with the others. */
async function setAside() {
  for (const topic of watched()) {
    const answer = await fetch(address("events", [topic]), { cache: "no-store" }).catch(() => null);
    if (answer?.status === 404) refused.add(topic);
  }
  failures = 0;
  restart();
}

document.addEventListener("visibilitychange", restart);
