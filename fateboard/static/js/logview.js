/**
 * A log of any length: only what is seen is drawn, only what was looked at is held.
 *
 * @typedef {import("./types").LogLine} LogLine
 * @typedef {{path: string, topic: string, type: string, component: string, attempt: string}} Stream attempt: "" is the
 *   newest, others count from 1
 */

import { apiUrl, get, recovered } from "./api.js";
import { integer } from "./format.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "./html.js";
import { t } from "./i18n.js";
import { Icon } from "./icons.js";
import { subscribe } from "./live.js";
import { ENDED } from "./livejob.js";
import { FindBar } from "./logfind.js";
import { CHUNK, Lines, bar, hits, parts, place, range, scrolled } from "./loglines.js";
import { ErrorBox, IconButton, Select, Toggle, copyText, toast } from "./ui.js";

const ROW = 20;
const LAST_MS = 1500;
const FOLLOWED_MS = 1500;
const COPIED_MOST = 5000;
const PARTY = ["partyError", "partyWarning", "partyInfo", "partyDebug"];
const SCHEDULE = ["jobSchedule", "jobScheduleError"];
const COMPONENT = ["componentError", "componentWarning", "componentInfo", "componentDebug"];

/** @param {string} type */
function streamWord(type) {
  if (type.endsWith("Error")) return t("job.log.error");
  if (type.endsWith("Warning")) return t("job.log.warning");
  if (type.endsWith("Debug")) return t("job.log.debug");
  return t("job.log.info");
}

/** @param {Stream} stream @param {string} what @param {Record<string, string | number>} [query] */
export function logPath(stream, what = "", query = {}) {
  const asked = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]));
  if (stream.component) asked.set("component", stream.component);
  if (stream.attempt) asked.set("attempt", String(Number(stream.attempt) - 1));
  return `${stream.path}/logs/${stream.type}${what}?${asked}`;
}

/** @param {import("./types").Event} event */
const hasEnded = ({ kind, body }) => kind === "ended" || (kind === "job" && ENDED.includes(body.status));

/** The attempts whose logs are kept, counted from 1, the newest not among them: what runs once more has begun
 * another. Asked twice then, as the server may still know the answer of before. @param {Stream} stream @param {boolean} live */
function useAttempts(stream, live) {
  const [earlier, setEarlier] = useState(/** @type {string[]} */ ([]));
  useEffect(() => {
    let here = true;
    const told = (/** @type {import("./types").LogAttempts} */ found) => {
      const next = found.earlier.map((n) => String(n + 1));
      if (here) setEarlier((known) => (String(known) === String(next) ? known : next));
    };
    const ask = () => get(logPath({ ...stream, attempt: "" }, "/attempts")).then(told, () => {});
    ask();
    const again = live ? setTimeout(ask, LAST_MS) : 0;
    return () => { here = false; clearTimeout(again); };
  }, [stream.path, stream.component, stream.type, live]);
  return earlier;
}

/** The server watches a log for who reads it while the stream is open, which may open late or
 * again: the last lines are asked for once more. @param {string} key @param {boolean} live @param {() => void} ask */
function useFollowed(key, live, ask) {
  const latest = useRef(ask);
  latest.current = ask;
  useEffect(() => {
    if (!live) return undefined;
    let timer = setTimeout(() => latest.current(), FOLLOWED_MS);
    const seen = () => {
      clearTimeout(timer);
      if (!document.hidden) timer = setTimeout(() => latest.current(), FOLLOWED_MS);
    };
    document.addEventListener("visibilitychange", seen);
    return () => { clearTimeout(timer); document.removeEventListener("visibilitychange", seen); };
  }, [key, live]);
}

/** The lines held of a stream, and how to have more. @param {Stream} stream @param {number} start line to open at, 0 the end
 * @param {boolean} live whether it may grow */
function useLines(stream, start, live) {
  const held = useRef(new Lines());
  const asked = useRef(new Set());
  const [, draw] = useState(0);
  const [state, setState] = useState({ opened: false, error: /** @type {Error | null} */ (null) });
  const key = logPath(stream);
  const current = useRef(key);
  current.current = key;
  const ask = async (/** @type {number} */ begin, /** @type {number} */ end) => {
    const path = logPath(stream, "", { begin, ...(begin < 0 ? {} : { end }) });
    if (asked.current.has(path)) return;
    asked.current.add(path);
    try {
      const found = await get(path);
      if (current.current !== key) return;
      held.current.add(found.lines, found.total);
      setState({ opened: true, error: null });
      draw((n) => n + 1);
    } catch (error) {
      if (current.current === key) setState({ opened: false, error: /** @type {Error} */ (error) });
    } finally {
      asked.current.delete(path);
    }
  };
  useEffect(() => {
    held.current = new Lines();
    setState({ opened: false, error: null });
    if (start) ask(Math.max(1, start - CHUNK / 2), start + CHUNK / 2);
    else ask(-CHUNK, 0);
    let last = 0;
    const stop = subscribe(stream.topic, (event) => {
      const { type, component, total } = event.kind === "log" ? event.body : {};
      if (!stream.attempt && type === stream.type && (component || "") === stream.component) {
        held.current.total = Math.max(held.current.total, total);
        draw((n) => n + 1);
      }
      // Nobody tells of lines that come after the end: they are asked for once.
      if (hasEnded(event)) {
        clearTimeout(last);
        last = setTimeout(() => ask(-1, 0), LAST_MS);
      }
    });
    return () => { stop(); clearTimeout(last); };
  }, [key]);
  useFollowed(key, live, () => ask(-2, 0));
  const healed = recovered.value;
  useEffect(() => {
    if (state.error) ask(-CHUNK, 0);
  }, [healed]);
  const ensure = (/** @type {number} */ begin, /** @type {number} */ end) => {
    const wanted = held.current.missing(begin, end);
    if (wanted) ask(...wanted);
  };
  return { held: held.current, ensure, ask, ...state };
}

/** How tall and how many rows. @param {import("./html.js").Ref} box */
function useRoom(box) {
  const [room, setRoom] = useState(300);
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const measure = () => setRoom(Math.max(ROW, element.clientHeight));
    measure();
    const watch = new ResizeObserver(measure);
    watch.observe(element);
    return () => watch.disconnect();
  }, []);
  return room;
}

/** Where the log is scrolled to: the first line seen, and whether it follows the end.
 * @param {any} box @param {ReturnType<typeof bar>} scale @param {number} room @param {boolean} follows */
function useScroll(box, scale, room, follows) {
  const [top, setTop] = useState(0);
  const [follow, setFollow] = useState(follows);
  const at = useRef({ top: 0, bar: 0, own: -1 });
  const settle = (/** @type {number} */ next) => {
    at.current.top = next;
    at.current.bar = place(scale, ROW, room, next);
    at.current.own = Math.round(at.current.bar);
    if (box.current && Math.abs(box.current.scrollTop - at.current.bar) > 0.5) box.current.scrollTop = at.current.bar;
    setTop(next);
  };
  const to = (/** @type {number} */ line) => {
    const next = Math.max(0, Math.min(scale.last, line));
    setFollow(next >= scale.last - 0.01);
    settle(next);
  };
  useLayoutEffect(() => {
    if (follow) settle(scale.last);
    else if (at.current.top > scale.last) settle(scale.last);
    else settle(at.current.top);
  }, [follow, scale.last, scale.height, room]);
  const moved = () => {
    if (!box.current) return; // a scroll event of a log that is closed by now
    const place = box.current.scrollTop;
    if (Math.abs(place - at.current.own) <= 1) return;
    // Where the bar cannot go further is the end, also while a sideways bar comes or goes.
    const end = place >= box.current.scrollHeight - box.current.clientHeight - 2;
    const next = end ? scale.last : scrolled(scale, ROW, room, at.current.top, at.current.bar, place);
    setFollow(next >= scale.last - 0.01);
    at.current = { top: next, bar: place, own: -1 };
    setTop(next);
  };
  useEffect(() => {
    const element = box.current;
    const wheel = (/** @type {WheelEvent} */ event) => {
      // Beyond what a scroll bar can hold, wheel and keys move by lines, not by its pixels.
      if (scale.exact || event.ctrlKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) return;
      event.preventDefault();
      to(at.current.top + (event.deltaMode === 1 ? event.deltaY : event.deltaY / ROW));
    };
    element?.addEventListener("wheel", wheel, { passive: false });
    return () => element?.removeEventListener("wheel", wheel);
  });
  return { top, follow, setFollow, to, by: (/** @type {number} */ lines) => to(at.current.top + lines), moved };
}

/**
 * @param {{path: string, topic: string, component?: string, type: string, onType: (type: string) => void,
 *   attempt?: string, onAttempt: (attempt: string) => void,
 *   line?: string, onLine: (line: string) => void, linkTo: (line: number) => string,
 *   live: boolean, extra?: any}} props
 */
export function LogView({ path, topic, component = "", type, onType, attempt = "", onAttempt, line, onLine, linkTo, live, extra = null }) {
  const types = component ? COMPONENT : [...PARTY, ...SCHEDULE];
  const newest = { path, topic, type: types.includes(type) ? type : component ? "componentInfo" : "partyInfo", component, attempt: "" };
  const earlier = useAttempts(newest, live);
  const stream = { ...newest, attempt: earlier.includes(attempt) ? attempt : "" };
  const again = earlier.length;
  return html`<section class="log" aria-label=${t("job.log.label")}>
    <${Streams} key=${again} stream=${stream} groups=${component ? [["", COMPONENT]] : [[t("job.log.party"), PARTY], [t("job.log.schedule"), SCHEDULE]]}
      onType=${onType} extra=${html`${again > 0 && html`<${AttemptSelect} ...${{ earlier, onAttempt }} attempt=${stream.attempt} />`}${extra}`} />
    <${Reader} key=${`${logPath(stream)} ${again}`} ...${{ stream, line, onLine, linkTo }} live=${live && !stream.attempt} />
  </section>`;
}

/** @param {{earlier: string[], attempt: string, onAttempt: (attempt: string) => void}} props */
function AttemptSelect({ earlier, attempt, onAttempt }) {
  const newest = { id: "", label: t("job.log.attempt_newest", { n: Number(earlier.at(-1)) + 1 }) };
  const others = earlier.toReversed().map((id) => ({ id, label: t("job.log.attempt", { n: id }) }));
  return html`<span class="log-attempts"><${Select} hideLabel label=${t("job.log.attempts")} value=${attempt} onChange=${onAttempt} options=${[newest, ...others]} /></span>`;
}

/** The streams with the number of lines of each. @param {any} props */
function Streams({ stream, groups, onType, extra }) {
  const [totals, setTotals] = useState(/** @type {Record<string, number>} */ ({}));
  useEffect(() => {
    let here = true;
    const types = groups.flatMap((/** @type {any} */ group) => group[1]);
    const count = () => {
      for (const type of types) {
        get(logPath({ ...stream, type }, "", { begin: -1 }))
          .then((found) => here && setTotals((before) => ({ ...before, [type]: found.total })), () => {});
      }
    };
    count();
    const stop = subscribe(stream.topic, (event) => {
      const { type, component, total } = event.kind === "log" ? event.body : {};
      if (!stream.attempt && types.includes(type) && (component || "") === stream.component) {
        setTotals((before) => ({ ...before, [type]: total }));
      }
      if (hasEnded(event)) count();
    });
    return () => { here = false; stop(); };
  }, [stream.path, stream.component, stream.attempt]);
  return html`<div class="log-streams">
    ${groups.map((/** @type {any} */ [title, types]) => html`<div class="segments" role="group" aria-label=${title || t("job.log.component")}>
      ${title && html`<span class="segments-title">${title}</span>`}
      ${types.map((/** @type {string} */ type) => html`<button key=${type} type="button" aria-pressed=${type === stream.type}
          data-stream=${type} data-level=${levelOf(type)} onClick=${() => onType(type)}>
        ${streamWord(type)}${totals[type] ? html` <small>${integer(totals[type])}</small>` : ""}
      </button>`)}
    </div>`)}
    ${extra}
  </div>`;
}

/** @param {string} type */
function levelOf(type) {
  return /(Error|Warning|Debug)$/.exec(type)?.[1].toUpperCase() || "INFO";
}

/** @param {{stream: Stream, line?: string, onLine: (line: string) => void, linkTo: (line: number) => string, live: boolean}} props */
function Reader({ stream, line, onLine, linkTo, live }) {
  const marked = range(line);
  const box = useRef(/** @type {any} */ (null));
  const [wrap, setWrap] = useState(localStorage.getItem("board.log.wrap") === "1");
  const [sought, setSought] = useState({ text: "", regex: false, level: "", line: 0 });
  const log = useLines(stream, marked?.[0] || 0, live);
  const room = useRoom(box);
  const total = log.held.total;
  const scale = bar(total, ROW, room);
  const scroll = useScroll(box, scale, room, !marked);
  const first = Math.floor(scroll.top);
  const count = Math.ceil(room / ROW) + 1;
  useEffect(() => { if (log.opened) log.ensure(first - 20, first + count + 20); }, [first, count, total, log.opened]);
  const show = (/** @type {number} */ number) => scroll.to(number - 1 - Math.floor(room / ROW / 3));
  const opened = useRef("");
  useEffect(() => {
    // A link to a line opens there, and moves the log again only when the link changes.
    if (log.opened && marked && opened.current !== line && total >= marked[0]) show(marked[0]);
    if (log.opened) opened.current = line || "";
  }, [log.opened, line]);
  const pick = (/** @type {MouseEvent} */ event, /** @type {number} */ number) => {
    if (event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const text = event.shiftKey && marked ? `${Math.min(marked[0], number)}-${Math.max(marked[1], number)}` : String(number);
    opened.current = text === line ? "" : text;
    onLine(text === line ? "" : text);
  };
  const keys = (/** @type {KeyboardEvent} */ event) => {
    const step = { ArrowUp: -1, ArrowDown: 1, PageUp: 1 - room / ROW, PageDown: room / ROW - 1, Home: -total, End: total }[event.key];
    if (step) scroll.by(step);
    else if (event.key === "f") scroll.setFollow(!scroll.follow);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const visible = Array.from({ length: Math.max(0, Math.min(count, total - first)) }, (_, n) => first + n + 1);
  const ends = scroll.top >= scale.last - 0.01 && total > room / ROW;
  return html`<div class="log-tools"><${FindBar} ...${{ stream, sought, setSought, show }} from=${first + 1} />
    <${Actions} ...${{ stream, log, scroll, wrap, setWrap, marked, visible }} show=${(/** @type {number} */ number) => { show(number); opened.current = String(number); onLine(String(number)); }} /></div>
    ${log.error && html`<${ErrorBox} error=${log.error} retry=${() => log.ask(-CHUNK, 0)} />`}
    <div class="log-box" ref=${box} tabindex="0" role="region" aria-label=${t("job.log.lines", { n: integer(total) })}
        onScroll=${scroll.moved} onKeyDown=${keys} data-total=${total} data-top=${first + 1} data-follow=${scroll.follow}>
      <div style=${`height:${scale.height}px`} class="log-height">
        <div class=${`log-layer ${wrap ? "wrap" : ""} ${wrap && ends ? "ends" : ""}`} style=${`height:${room}px`}>
          <div style=${wrap ? "" : `transform:translateY(${-(scroll.top - first) * ROW}px)`}>
            ${visible.map((number) => html`<${Row} key=${number} ...${{ number, pick, sought }} line=${log.held.at(number)} href=${linkTo(number)}
              marked=${!!marked && number >= marked[0] && number <= marked[1]} found=${number === sought.line} />`)}
          </div>
        </div>
      </div>
      ${log.opened && !total && html`<p class="log-empty">${t("job.log.empty")}</p>`}
    </div>
    ${!scroll.follow && log.opened && html`<button type="button" class="log-end" onClick=${() => scroll.setFollow(true)}>
      <${Icon} name="arrow_down" /> ${t("job.log.to_end")}</button>`}`;
}

/** @param {any} props */
function Row({ number, line, href, pick, marked, found, sought }) {
  const said = line && parts(line);
  const off = line && sought.level && line.level !== sought.level;
  return html`<div class=${`ll ${marked ? "marked" : ""} ${found ? "found" : ""} ${off ? "off" : ""}`} data-number=${number} data-level=${line?.level || ""}>
    <a class="ll-no" href=${href} onClick=${(/** @type {MouseEvent} */ event) => pick(event, number)} tabindex="-1"
      aria-label=${t("job.log.line", { n: number })}>${number}</a>
    ${said?.at && html`<span class="ll-at" title=${said.at}>${said.at.slice(11)}</span><span class="ll-level">${said.level}</span>`}
    <span class="ll-text">${said ? hits(said.text, sought.text, sought.regex).map((text, n) => (n % 2 ? html`<mark>${text}</mark>` : text)) : "…"}</span>
    ${said?.where && html`<span class="ll-where">${said.where}</span>`}
  </div>`;
}

/** @param {any} props */
function Actions({ stream, log, scroll, wrap, setWrap, marked, visible, show }) {
  const [first, last] = marked || [visible[0], visible.at(-1)];
  const copy = async () => {
    if (!first) return;
    const most = Math.min(last, first + COPIED_MOST - 1);
    const found = await get(logPath(stream, "", { begin: first, end: most }));
    await copyText(found.lines.map((/** @type {LogLine} */ line) => line.text).join("\n"));
    toast("success", t("job.log.copied", { n: found.lines.length }));
  };
  const raw = apiUrl(logPath(stream, "/raw"));
  const name = `${stream.type}${stream.component && `_${stream.component}`}${stream.attempt && `_attempt_${stream.attempt}`}.log`;
  return html`<div class="log-actions">
    <label class="log-goto">
      <input type="text" inputmode="numeric" aria-label=${t("job.log.goto")} placeholder=${t("job.log.goto")} onKeyDown=${(/** @type {any} */ event) => {
        const number = Number(event.target.value.replace(/\D/g, ""));
        if (event.key === "Enter" && number) show(Math.min(number, log.held.total));
      }} /></label>
    <${Toggle} on=${scroll.follow} onChange=${scroll.setFollow} label=${t("job.log.follow")} />
    <${Toggle} on=${wrap} onChange=${(/** @type {boolean} */ on) => { localStorage.setItem("board.log.wrap", on ? "1" : "0"); setWrap(on); }} label=${t("job.log.wrap")} />
    <${IconButton} icon="copy" label=${marked ? t("job.log.copy_marked") : t("job.log.copy_visible")} onClick=${copy} />
    <a class="icon-link" href=${raw} target="_blank" rel="noopener" title=${t("job.log.raw")} aria-label=${t("job.log.raw")}><${Icon} name="external" /></a>
    <a class="icon-link" href=${raw} download=${name} title=${t("job.log.download")} aria-label=${t("job.log.download")}><${Icon} name="download" /></a>
  </div>`;
}
