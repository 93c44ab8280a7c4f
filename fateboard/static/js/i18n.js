/** What the board says, in the reader's language. Data is never translated. */

import { batch, signal } from "./html.js";
import { parse } from "./router.js";

/** @import {Label, Text} from "./types.js" */
/** @typedef {"en" | "zh-CN"} Language */

/** @type {Record<Language, string>} */
export const LANGUAGES = { en: "English", "zh-CN": "中文" };

const KEY = "board.language";

/** @param {string | null | undefined} name @returns {Language | null} */
function known(name) {
  if (!name) return null;
  if (name.toLowerCase().startsWith("zh")) return "zh-CN";
  return name.toLowerCase().startsWith("en") ? "en" : null;
}

/** @returns {Language} */
function preferred() {
  const asked =
    known(new URLSearchParams(location.search).get("lang")) ?? known(parse(location.hash).query.lang);
  if (asked) localStorage.setItem(KEY, asked);
  const browser = navigator.languages.map(known).find(Boolean);
  return asked ?? known(localStorage.getItem(KEY)) ?? browser ?? "en";
}

export const language = signal(preferred());

/** @type {import("../vendor/signals.js").Signal<Record<string, string>>} */
const messages = signal({});

/** Whether messages are here. */
export const ready = signal(false);

let wanted = language.peek();

/** Fetches the messages of the wanted language, which is then the language: what depends on it
 * finds its messages. Raises TypeError when the board does not answer. */
export async function loadMessages() {
  const asked = wanted;
  const answer = await fetch(new URL(`api/v1/messages/${asked}`, document.baseURI));
  if (!answer.ok) throw new TypeError(`messages: ${answer.status}`);
  const found = await answer.json();
  if (asked !== wanted) return;
  batch(() => {
    messages.value = found;
    language.value = asked;
    ready.value = true;
  });
}

/** @param {Language} name */
export function setLanguage(name) {
  localStorage.setItem(KEY, name);
  wanted = name;
  return loadMessages();
}

/** The message of a literal code, with its places filled.
 * @param {string} code @param {Record<string, string | number | Text>} [args] @returns {string} */
export function t(code, args = {}) {
  const template = messages.value[code] ?? code;
  return template.replace(/\{(\w+)\}/g, (place, name) => (name in args ? filling(args[name]) : place));
}

/** @param {string | number | Text} value */
const filling = (value) => (typeof value === "object" ? say(value) : String(value));

/** A label as the reader sees it: data as it is, a message in the reader's language.
 * @param {Label | null | undefined} label @returns {string} */
export function say(label) {
  if (label == null) return "";
  return typeof label === "string" ? label : t(label.code, label.args);
}
