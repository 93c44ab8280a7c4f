/** Finding in a log, by the server: the browser's own search sees only the lines that are drawn. */

import { get } from "./api.js";
import { integer } from "./format.js";
import { html, useEffect, useRef, useState } from "./html.js";
import { t } from "./i18n.js";
import { Icon } from "./icons.js";
import { logPath } from "./logview.js";
import { IconButton, Select } from "./ui.js";

const TYPING_MS = 250;
const LEVELS = ["ERROR", "WARNING", "INFO", "DEBUG"];

/** @param {string} level */
function levelWord(level) {
  if (level === "ERROR") return t("job.log.error");
  if (level === "WARNING") return t("job.log.warning");
  return level === "INFO" ? t("job.log.info") : t("job.log.debug");
}

/**
 * @param {{stream: import("./logview").Stream, from: number,
 *   sought: {text: string, regex: boolean, level: string, line: number},
 *   setSought: (next: any) => void, show: (number: number) => void}} props
 */
export function FindBar({ stream, from, sought, setSought, show }) {
  const [result, setResult] = useState({ ordinal: 0, count: -1, error: "" });
  const turn = useRef(0);
  const { text, regex, level, line } = sought;
  // Sought is what comes after the line `start`, or before it; 0 stands for the whole log.
  const find = async (/** @type {"next" | "previous"} */ direction, /** @type {number} */ start) => {
    if (!text && !level) return;
    turn.current += 1;
    const mine = turn.current;
    try {
      const ask = (/** @type {number} */ from) => get(logPath(stream, "/find", { text, regex: regex ? 1 : 0, level, from, direction }));
      let found = await ask(start);
      if (!found.number && found.count) found = await ask(0); // past the last one, or before the first: around
      if (mine !== turn.current) return;
      setResult({ ordinal: found.ordinal, count: found.count, error: "" });
      setSought((/** @type {any} */ before) => ({ ...before, line: found.number }));
      if (found.number) show(found.number);
    } catch (error) {
      if (mine === turn.current) setResult({ ordinal: 0, count: -1, error: /** @type {Error} */ (error).message });
    }
  };
  useEffect(() => {
    if (!text && !level) {
      setResult({ ordinal: 0, count: -1, error: "" });
      setSought((/** @type {any} */ before) => ({ ...before, line: 0 }));
      return undefined;
    }
    const timer = setTimeout(() => find("next", Math.max(0, (line || from) - 1)), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text, regex, level]);
  const next = () => find("next", line);
  const previous = () => find("previous", line);
  const keys = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter") (event.shiftKey ? previous : next)();
    else if (event.key === "Escape" && text) setSought({ ...sought, text: "" });
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return html`<div class="log-find" role="search">
    <span class="log-find-box"><${Icon} name="search" />
      <input type="search" value=${text} placeholder=${t("job.log.find")} aria-label=${t("job.log.find")} spellcheck=${false}
        onInput=${(/** @type {any} */ event) => setSought({ ...sought, text: event.target.value })} onKeyDown=${keys} />
      <button type="button" class="log-regex" aria-pressed=${regex} title=${t("job.log.regex")} aria-label=${t("job.log.regex")}
        onClick=${() => setSought({ ...sought, regex: !regex })}>.*</button>
    </span>
    <${Select} label=${t("job.log.level")} hideLabel value=${level} onChange=${(/** @type {string} */ id) => setSought({ ...sought, level: id })}
      options=${[{ id: "", label: t("job.log.any_level") }, ...LEVELS.map((id) => ({ id, label: levelWord(id) }))]} />
    <${IconButton} icon="chevron_up" label=${t("job.log.previous")} onClick=${previous} disabled=${!text && !level} />
    <${IconButton} icon="chevron_down" label=${t("job.log.next")} onClick=${next} disabled=${!text && !level} />
    <output class=${result.error ? "bad" : ""} aria-live="polite">
      ${result.error || (result.count < 0 ? "" : result.count === 0 ? t("job.log.not_found") : t("job.log.found", { n: integer(result.ordinal), of: integer(result.count) }))}
    </output>
  </div>`;
}
