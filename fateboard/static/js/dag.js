/**
 * The graph of a job: its components, what flows between them, and how each one is doing.
 *
 * @typedef {import("./types").Dag} Dag
 * @typedef {import("./types").Task} Task
 * @typedef {import("./daglayout").Placed & {names: Map<string, string>,
 *   noteWidth: (text: string) => number}} Placed names: as drawn
 * @typedef {import("./daglayout").PlacedNode} PlacedNode
 * @typedef {import("./daglayout").PlacedPort} PlacedPort
 */

import { lasted, useNow } from "./clock.js";
import { fit, neighbour, nodeWidth, place, revealed, shorten, zoomed } from "./daglayout.js";
import { duration } from "./format.js";
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./html.js";
import { t } from "./i18n.js";
import { Icon } from "./icons.js";
import { statusWord } from "./ui.js";

const STEP = 1.25;
const TEXT = 52; // what of a node is not its name
const BETWEEN = 8; // of the module and the time
const [NAME_FONT, NOTE_FONT] = ["600 13px", "500 11.5px"];
const MARKS = {
  success: "M3.5 8.5l3 3 6-6.5",
  failed: "M4.5 4.5l7 7m0-7l-7 7",
  timeout: "M4.5 4.5l7 7m0-7l-7 7",
  canceled: "M4 12L12 4",
  running: "M6 4.5v7l5.5-3.5z",
  waiting: "M8 4.5V8l2.5 2",
  pass: "M4 5l4 3-4 3zm5 0l4 3-4 3z",
  not_reached: "M4.5 8h7",
};

/** What colour and mark a component has. @param {string | undefined} status @param {boolean} runs */
export function look(status, runs) {
  if (!runs) return "";
  return status && (status in MARKS) ? status : "waiting";
}

/** @param {PlacedPort} port @param {boolean} input */
function portWord(port, input) {
  const [kind, name] = [port.kind, port.name];
  if (kind === "model") return input ? t("job.port.model_in", { name }) : t("job.port.model_out", { name });
  if (kind === "cache") return input ? t("job.port.cache_in", { name }) : t("job.port.cache_out", { name });
  if (name === "train_data") return input ? t("job.port.train_in") : t("job.port.train_out");
  if (name === "validate_data") return input ? t("job.port.validate_in") : t("job.port.validate_out");
  if (name === "test_data") return input ? t("job.port.test_in") : t("job.port.test_out");
  return input ? t("job.port.data_in", { name }) : t("job.port.data_out", { name });
}

/** How wide a text is in one of the fonts of a node. @param {string} font @returns {(text: string) => number} */
function measure(font) {
  const pen = document.createElement("canvas").getContext("2d");
  if (pen) pen.font = `${font} ${getComputedStyle(document.body).fontFamily}`;
  return (text) => pen?.measureText(text).width || 0;
}

/** As much of a name as a node holds. @param {string} name @param {(name: string) => number} width @param {number} room */
function fitted(name, width, room) {
  let letters = Math.min(name.length, 80);
  while (letters > 1 && width(shorten(name, letters)) > room) letters -= 1;
  return shorten(name, letters);
}

/** As much of a module's name as there is room for: its last words tell it from others (…Binning, …Selection).
 * @param {string} name @param {(name: string) => number} width @param {number} room */
function ending(name, width, room) {
  let cut = Math.max(0, name.length - 80);
  const shown = () => (cut ? `…${name.slice(cut)}` : name);
  while (cut < name.length - 1 && width(shown()) > room) cut += 1;
  const word = name.slice(cut).search(/[A-Z]/);
  if (cut && word > 0) cut += word;
  return shown();
}

/** The layout, once the library is here; it moves only if the graph does. @param {Dag} dag */
function usePlaced(dag) {
  const [dagre, setDagre] = useState(/** @type {any} */ (null));
  const shape = useMemo(() => JSON.stringify(dag), [dag]);
  useEffect(() => {
    let here = true;
    import("../vendor/dagre.js").then((library) => here && setDagre(library));
    return () => { here = false; };
  }, []);
  return useMemo(() => {
    if (!dagre) return null;
    const width = measure(NAME_FONT);
    const placed = place(dag, dagre, nodeWidth(Math.max(0, ...dag.nodes.map((node) => width(node.name.slice(0, 80))))));
    const names = new Map([...placed.nodes.values()].map(({ name, w }) => [name, fitted(name, width, w - TEXT)]));
    return { ...placed, names, noteWidth: measure(NOTE_FONT) };
  }, [dagre, shape]);
}

/**
 * @param {{dag: Dag, tasks: Task[], stopped?: string, selected: string, onSelect: (name: string) => void,
 *   onRerun?: ((name: string) => void) | null}} props stopped: why what was not reached was not
 */
export function DagView({ dag, tasks, stopped = "", selected, onSelect, onRerun = null }) {
  const placed = usePlaced(dag);
  if (!dag.nodes.length) return html`<p class="dag-empty">${t("job.dag.none")}</p>`;
  if (!placed) return html`<div class="dag" aria-busy="true"></div>`;
  return html`<${Canvas} ...${{ dag, placed, tasks, stopped, selected, onSelect, onRerun }} />`;
}

/** Keeps the window on the graph in a ref: moving it draws nothing anew. @param {Placed} placed @param {string} selected */
function useViewport(placed, selected) {
  const box = useRef(/** @type {HTMLDivElement | null} */ (null));
  const layer = useRef(/** @type {SVGGElement | null} */ (null));
  const view = useRef({ x: 0, y: 0, scale: 1 });
  const touched = useRef(false);
  const room = () => [box.current?.clientWidth || 1, box.current?.clientHeight || 1];
  const apply = (/** @type {import("./daglayout").Viewport} */ next) => {
    view.current = next;
    layer.current?.setAttribute("transform", `translate(${next.x} ${next.y}) scale(${next.scale})`);
    box.current?.setAttribute("data-scale", next.scale.toFixed(3));
  };
  const move = (/** @type {import("./daglayout").Viewport} */ next) => {
    touched.current = true;
    apply(next);
  };
  const refit = () => {
    touched.current = false;
    apply(fit(placed, room()[0], room()[1]));
  };
  const zoom = (/** @type {number} */ factor, x = room()[0] / 2, y = room()[1] / 2) =>
    move(zoomed(view.current, factor, x, y));
  const reveal = (/** @type {string} */ name) => {
    const node = placed.nodes.get(name);
    if (node) apply(revealed(view.current, node, room()[0], room()[1]));
  };
  useLayoutEffect(refit, [placed]);
  useEffect(() => {
    const watch = new ResizeObserver(() => (touched.current ? reveal(selected) : refit()));
    if (box.current) watch.observe(box.current);
    return () => watch.disconnect();
  }, [placed, selected]);
  return { box, layer, view, move, zoom, refit, reveal };
}

/** Drag moves, the wheel zooms about the pointer. @param {ReturnType<typeof useViewport>} window */
function usePointer({ box, view, move, zoom }) {
  useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const wheel = (/** @type {WheelEvent} */ event) => {
      event.preventDefault();
      const at = element.getBoundingClientRect();
      const pixels = event.deltaMode === 1 ? event.deltaY * 16 : event.deltaY;
      zoom(Math.exp(-Math.max(-80, Math.min(80, pixels)) * 0.0045), event.clientX - at.left, event.clientY - at.top);
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  });
  return (/** @type {PointerEvent} */ down) => {
    const element = box.current;
    if (!element || down.button !== 0 || /** @type {Element} */ (down.target).closest(".dag-tools")) return;
    const start = { ...view.current };
    const drag = (/** @type {PointerEvent} */ event) => {
      if (Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY) < 4 && !element.dataset.drag) return;
      element.dataset.drag = "1";
      move({ ...start, x: start.x + event.clientX - down.clientX, y: start.y + event.clientY - down.clientY });
    };
    const end = () => {
      removeEventListener("pointermove", drag);
      removeEventListener("pointerup", end);
      removeEventListener("pointercancel", end);
      setTimeout(() => delete element.dataset.drag, 0); // after the click that a drag ends with
    };
    addEventListener("pointermove", drag);
    addEventListener("pointerup", end);
    addEventListener("pointercancel", end);
  };
}

/**
 * @param {{dag: Dag, placed: Placed, tasks: Task[], stopped: string, selected: string, onSelect: (name: string) => void,
 *   onRerun: ((name: string) => void) | null}} props
 */
function Canvas({ dag, placed, tasks, stopped, selected, onSelect, onRerun }) {
  const window = useViewport(placed, selected);
  const down = usePointer(window);
  const { tip, point } = useTip(window.box);
  const [focused, setFocused] = useState("");
  const state = new Map(tasks.map((task) => [task.component, task]));
  const now = useNow(tasks.some((task) => task.status === "running"));
  const home = placed.nodes.has(focused) ? focused : placed.nodes.has(selected) ? selected : dag.nodes[0].name;
  const near = useMemo(() => neighbours(placed, selected), [placed, selected]);
  const open = (/** @type {string} */ name) => window.box.current?.dataset.drag || onSelect(name);
  const go = (/** @type {string} */ name) => {
    if (!name) return;
    setFocused(name);
    window.reveal(name);
    const node = /** @type {SVGElement | null | undefined} */ (window.box.current?.querySelector(`[data-component="${CSS.escape(name)}"]`));
    node?.focus({ preventScroll: true });
  };
  const keys = (/** @type {KeyboardEvent} */ event) => {
    const name = /** @type {HTMLElement} */ (event.target).dataset?.component;
    const { key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (key === "+" || key === "=") window.zoom(STEP);
    else if (key === "-") window.zoom(1 / STEP);
    else if (key === "0") window.refit();
    else if (name && key.startsWith("Arrow")) go(neighbour(placed, name, key));
    else if (name && key === "Home") go(dag.nodes[0].name);
    else if (name && key === "End") go(dag.nodes[dag.nodes.length - 1].name);
    else if (name && (key === "Enter" || key === " ")) onSelect(name);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return html`<div class="dag" ref=${window.box} onPointerDown=${down} onKeyDown=${keys}
      data-nodes=${dag.nodes.length} data-edges=${placed.edges.length}>
    <svg role="group" aria-label=${t("job.dag.label", { n: dag.nodes.length })}>
      <g ref=${window.layer}>
        ${placed.edges.map((edge) => html`<path key=${edge.id} d=${edge.path} data-kind=${edge.kind}
          class=${`dag-edge ${selected && (edge.source === selected || edge.target === selected) ? "on" : ""}`}
          ...${point(t("job.dag.edge", { from: `${edge.source}.${edge.from}`, to: `${edge.target}.${edge.to}` }))} />`)}
        ${dag.nodes.map((node) => {
          const at = /** @type {PlacedNode} */ (placed.nodes.get(node.name));
          const task = state.get(node.name);
          const status = look(task?.status, node.need_run);
          return html`<${Node} key=${node.name} ...${{ node, at, task, status, stopped, now, point }} label=${placed.names.get(node.name)} width=${placed.noteWidth}
            selected=${node.name === selected} near=${near.has(node.name)} first=${node.name === home}
            onOpen=${open} onFocus=${setFocused}
            onRerun=${onRerun && ["failed", "canceled", "timeout"].includes(status) ? onRerun : null} />`;
        })}
      </g>
    </svg>
    <${Tools} zoom=${window.zoom} refit=${window.refit} />
    <${Legend} kinds=${new Set(placed.edges.map((edge) => edge.kind))} />
    ${tip && html`<div class="dag-tip" style=${`left:${tip.x}px;top:${tip.y}px`}>${tip.text}</div>`}
  </div>`;
}

/** A word beside the pointer; `point` gives the handlers of what it is about. @param {{current: HTMLElement | null}} box */
function useTip(box) {
  const [tip, setTip] = useState(/** @type {{text: string, x: number, y: number} | null} */ (null));
  const point = (/** @type {string} */ text) => ({
    onPointerEnter: (/** @type {PointerEvent} */ event) => {
      const at = /** @type {HTMLElement} */ (box.current).getBoundingClientRect();
      setTip({ text, x: event.clientX - at.left, y: event.clientY - at.top });
    },
    onPointerLeave: () => setTip(null),
  });
  return { tip, point };
}

/** @param {Placed} placed @param {string} name */
function neighbours(placed, name) {
  const found = new Set();
  for (const edge of placed.edges) {
    if (edge.source === name) found.add(edge.target);
    if (edge.target === name) found.add(edge.source);
  }
  return found;
}

/** @param {any} props */
function Node({ node, at, label, width, task, status, stopped, now, point, selected, near, first, onOpen, onFocus, onRerun }) {
  const ran = task && status !== "" ? lasted(task, now) : null;
  const clock = ran != null && ["running", "success", "failed", "canceled", "timeout"].includes(status) ? duration(ran) : "";
  const note = status === "" ? t("job.dag.not_run") : status === "not_reached" ? statusWord(status) : node.module;
  const why = status === "" ? t("job.dag.not_run_why") : status === "not_reached" ? stopped : "";
  const words = [node.name, node.module, statusWord(status), clock, why];
  return html`<g class=${`dag-node ${selected ? "selected" : ""} ${near ? "near" : ""}`} data-status=${status || "idle"}>
    <g role="button" tabindex=${first ? 0 : -1} data-component=${node.name} aria-pressed=${selected}
        aria-label=${words.filter(Boolean).join(", ")} onClick=${() => onOpen(node.name)}
        onFocus=${() => onFocus(node.name)}
        ...${why ? point(why) : label !== node.name ? point(node.name) : {}}>
      <rect class="dag-box" x=${at.x} y=${at.y} width=${at.w} height=${at.h} rx="8" />
      <g transform=${`translate(${at.x + 10} ${at.y + 11})`} class="dag-mark">
        <circle cx="12" cy="12" r="12" />
        ${(status in MARKS) && html`<path transform="translate(4 4)" d=${/** @type {any} */ (MARKS)[status]} />`}
      </g>
      <text class="dag-name" x=${at.x + 42} y=${at.y + 20}>${label}</text>
      <text class="dag-note" x=${at.x + 42} y=${at.y + 36}>${ending(note, width, at.w - TEXT - (clock ? width(clock) + BETWEEN : 0))}</text>
      <text class="dag-time" x=${at.x + at.w - 10} y=${at.y + 36}>${clock}</text>
      ${status === "running" && html`<rect class="dag-moving" x=${at.x + 8} y=${at.y + at.h - 4} width=${at.w - 16} height="2" rx="1" />`}
    </g>
    ${at.inputs.map((/** @type {PlacedPort} */ port) => html`<circle class="dag-port" data-kind=${port.kind} data-port=${port.name} cx=${port.x} cy=${port.y} r="4" ...${point(portWord(port, true))} />`)}
    ${at.outputs.map((/** @type {PlacedPort} */ port) => html`<circle class="dag-port" data-kind=${port.kind} data-port=${port.name} cx=${port.x} cy=${port.y} r="4" ...${point(portWord(port, false))} />`)}
    ${onRerun && html`<g class="dag-rerun" role="button" tabindex="0" aria-label=${t("job.rerun.from", { component: node.name })}
        transform=${`translate(${at.x + at.w - 13} ${at.y - 10})`}
        onClick=${() => onRerun(node.name)} ...${point(t("job.rerun.from", { component: node.name }))}
        onKeyDown=${(/** @type {KeyboardEvent} */ event) => {
          if (event.key === "Enter" || event.key === " ") { event.preventDefault(); event.stopPropagation(); onRerun(node.name); }
        }}>
      <circle cx="11" cy="11" r="11" /><path d="M15.4 8.5A5.2 5.2 0 1 0 16.2 12M15.8 5.6v3.2h-3.2" />
    </g>`}
  </g>`;
}

/** @param {{zoom: (factor: number) => void, refit: () => void}} props */
function Tools({ zoom, refit }) {
  return html`<div class="dag-tools" role="toolbar" aria-label=${t("job.dag.tools")}>
    <button type="button" onClick=${() => zoom(STEP)} title=${t("job.dag.zoom_in")} aria-label=${t("job.dag.zoom_in")}><${Icon} name="add" /></button>
    <button type="button" onClick=${() => zoom(1 / STEP)} title=${t("job.dag.zoom_out")} aria-label=${t("job.dag.zoom_out")}><${Icon} name="minus" /></button>
    <button type="button" onClick=${refit} title=${t("job.dag.fit")} aria-label=${t("job.dag.fit")}><${Icon} name="fit" /></button>
  </div>`;
}

/** @param {{kinds: Set<string>}} props */
function Legend({ kinds }) {
  const words = [
    ["data", t("job.kind.data")], ["model", t("job.kind.model")], ["cache", t("job.kind.cache")],
  ].filter(([kind]) => kinds.has(kind));
  return html`<ul class="dag-legend" aria-label=${t("job.dag.legend")}>
    ${words.map(([kind, word]) => html`<li key=${kind} data-kind=${kind}>${word}</li>`)}
  </ul>`;
}
