// One decision tree as SVG: colour and shape tell whose a split is, arrow keys walk the branches.

import { html, useEffect, useMemo, useRef, useState } from "../html.js";
import { integer, number } from "../format.js";
import { say, t } from "../i18n.js";
import { ChartFrame, canvasBlob, usePalette } from "../charts.js";
import { IconButton, Select } from "../ui.js";
import { saveText } from "./files.js";
import { NODE_HEIGHT, NODE_WIDTH, depthOf, layout, neighbour, pathTo } from "./treelayout.js";

/** @import {Tree, TreeNode} from "../types.js" */
/** @import {Context} from "./index.js" */
/** @import {Palette} from "../charts.js" */
/** @import {Layout, Placed} from "./treelayout.js" */
/** @typedef {{k: number, x: number, y: number}} Camera */

const HEIGHT = 480;
const MARGIN = 24;
const LARGEST = 1.1;
const LEGIBLE = 0.62;
const MOST_OPEN = 6;
const LETTERS = 18;
const SHAPES = 5;

/** "guest:9999" as people read it. @param {string} owner */
export const ownerName = (owner) => owner.replace(":", " ");

/** @param {string} text @param {number} [most] */
const cut = (text, most = LETTERS) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

/** Outline of a node, centred: of a leaf, and of the n-th party's split. @param {number} shape -1 for a leaf */
function outline(shape, w = NODE_WIDTH, h = NODE_HEIGHT) {
  const [x, y] = [w / 2, h / 2];
  const rounded = (/** @type {number} */ r) =>
    `M${-x + r} ${-y}H${x - r}Q${x} ${-y} ${x} ${-y + r}V${y - r}Q${x} ${y} ${x - r} ${y}H${-x + r}Q${-x} ${y} ${-x} ${y - r}V${-y + r}Q${-x} ${-y} ${-x + r} ${-y}Z`;
  if (shape < 0) return rounded(h / 2);
  switch (shape % SHAPES) {
    case 0:
      return rounded(5);
    case 1:
      return `M${-x + 11} ${-y}H${x - 11}L${x} 0L${x - 11} ${y}H${-x + 11}L${-x} 0Z`;
    case 2:
      return `M${-x + 12} ${-y}H${x}L${x - 12} ${y}H${-x}Z`;
    case 3:
      return `M${-x + 9} ${-y}H${x - 9}L${x} ${-y + 9}V${y - 9}L${x - 9} ${y}H${-x + 9}L${-x} ${y - 9}V${-y + 9}Z`;
    default:
      return `M${-x} ${-y}H${x - 12}L${x} ${y}H${-x + 12}Z`;
  }
}

/** The two lines of a node. @param {TreeNode} node */
function linesOf(node) {
  if (node.leaf) {
    const weights = node.weights ?? [];
    const weight = weights.length ? `${number(weights[0])}${weights.length > 1 ? " …" : ""}` : "";
    const count = node.count === null || node.count === undefined ? "" : t("blocks.tree.count", { n: integer(node.count) });
    const first = weight ? t("blocks.tree.weight", { w: weight }) : node.owner ? ownerName(node.owner) : t("blocks.tree.leaf");
    return [first, count];
  }
  if (node.mine) return [node.feature ?? "", node.condition ?? ""];
  return [node.owner ? ownerName(node.owner) : "?", node.text ? say(node.text) : t("blocks.tree.other_split")];
}

/** Everything that is known of a node, in one sentence. @param {TreeNode} node */
function described(node) {
  const parts = [`#${node.id}`, ...linesOf(node).filter(Boolean)];
  if (node.mine && node.text) parts.push(say(node.text));
  if ((node.weights?.length ?? 0) > 1) parts.push(`[${node.weights?.map((weight) => number(weight)).join(", ")}]`);
  return parts.join(" · ");
}

/** @param {{at: Placed, tree: Layout, colours: Palette, lit: boolean, dim: boolean}} props */
function Edge({ at, tree, colours, lit, dim }) {
  const from = at.parent === null ? undefined : tree.placed.get(at.parent);
  if (!from) return null;
  const [x1, y1, x2, y2] = [from.x, from.y + NODE_HEIGHT / 2, at.x, at.y - NODE_HEIGHT / 2];
  const middle = (y1 + y2) / 2;
  return html`<g opacity=${dim ? 0.3 : 1}>
    <path d=${`M${x1} ${y1}C${x1} ${middle} ${x2} ${middle} ${x2} ${y2}`} fill="none" stroke=${lit ? colours.accent : colours.lineStrong} stroke-width=${lit ? 2.5 : 1.2} vector-effect="non-scaling-stroke" />
    ${at.side &&
    html`<text x=${x2 + (at.side === "left" ? -7 : 7)} y=${y2 - 7} text-anchor=${at.side === "left" ? "end" : "start"} font-size="11" fill=${lit ? colours.accent : colours.ink3}>${at.side === "left" ? "≤" : ">"}</text>`}
  </g>`;
}

/** @param {{at: Placed, order: Map<string, number>, colours: Palette, chosen: boolean, dim: boolean,
 *   focusable: boolean, onChoose: () => void, onFold: () => void}} props */
function Node({ at, order, colours, chosen, dim, focusable, onChoose, onFold }) {
  const { node } = at;
  const party = order.get(node.owner) ?? 0;
  const colour = colours.series[party % colours.series.length];
  const [first, second] = linesOf(node);
  const tint = node.leaf ? colours.surface2 : colour;
  return html`<g
    class="tree-node"
    transform=${`translate(${at.x} ${at.y})`}
    opacity=${dim ? 0.45 : 1}
    role="treeitem"
    aria-level=${at.depth + 1}
    aria-expanded=${node.leaf ? undefined : String(!at.hidden)}
    aria-selected=${String(chosen)}
    tabindex=${focusable ? 0 : -1}
    data-node=${node.id}
    data-owner=${node.owner}
    onClick=${onChoose}
    onDblClick=${onFold}
  >
    <title>${described(node)}</title>
    <path d=${outline(node.leaf ? -1 : party)} fill=${colours.surface} />
    <path
      d=${outline(node.leaf ? -1 : party)}
      fill=${tint}
      fill-opacity=${node.leaf ? 1 : node.mine ? 0.2 : 0.08}
      stroke=${chosen ? colours.accent : node.leaf ? colours.lineStrong : colour}
      stroke-width=${chosen ? 2.5 : 1.4}
      stroke-dasharray=${node.leaf || node.mine ? undefined : "5 3"}
    />
    <text y=${second ? -5 : 4} text-anchor="middle" font-size="12" font-weight="600" fill=${colours.ink}>${cut(first)}</text>
    ${second && html`<text y="12" text-anchor="middle" font-size="11.5" fill=${colours.ink2}>${cut(second, LETTERS + 1)}</text>`}
    ${at.hidden > 0 &&
    html`<g transform=${`translate(0 ${NODE_HEIGHT / 2})`}>
      <rect x="-17" y="-8" width="34" height="16" rx="8" fill=${colours.accent} />
      <text y="4" text-anchor="middle" font-size="10.5" font-weight="600" fill=${colours.surface}>+${at.hidden}</text>
    </g>`}
  </g>`;
}

/** Size of the box, following it. @param {{current: HTMLElement | SVGElement | null}} box */
function useWidth(box) {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return width;
}

/** The camera that shows all. @param {Layout} tree @param {number} width @returns {Camera} */
function fitted(tree, width) {
  const k = Math.min(LARGEST, (width - 2 * MARGIN) / Math.max(1, tree.width), (HEIGHT - 2 * MARGIN) / Math.max(1, tree.height));
  return { k: Math.max(0.02, k), x: (width - tree.width * k) / 2, y: MARGIN };
}

/** The camera of the beginning: all, if that can be read, else the root and what fits around it.
 * @param {Layout} tree @param {number} width @returns {Camera} */
function first(tree, width) {
  const all = fitted(tree, width);
  if (all.k >= LEGIBLE) return all;
  const root = tree.placed.values().next().value;
  return { k: LEGIBLE, x: width / 2 - (root?.x ?? 0) * LEGIBLE, y: MARGIN };
}

/** @param {Camera} camera @param {number} by @param {number} x @param {number} y @returns {Camera} */
function zoomed({ k, x: left, y: top }, by, x, y) {
  const next = Math.max(0.02, Math.min(3, k * by));
  return { k: next, x: x - ((x - left) * next) / k, y: y - ((y - top) * next) / k };
}

/** Pan by pointer, zoom by wheel while the tree has the focus or with Ctrl.
 * @param {{current: SVGSVGElement | null}} box @param {Camera} camera @param {(camera: Camera) => void} setCamera */
function useCamera(box, camera, setCamera) {
  const latest = useRef(camera);
  latest.current = camera;
  const grip = useRef(/** @type {{x: number, y: number, from: Camera} | null} */ (null));
  useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const wheel = (/** @type {WheelEvent} */ event) => {
      if (!event.ctrlKey && !event.metaKey && !element.contains(document.activeElement)) return;
      event.preventDefault();
      const area = element.getBoundingClientRect();
      setCamera(zoomed(latest.current, Math.exp(-event.deltaY / 400), event.clientX - area.left, event.clientY - area.top));
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  }, []);
  const down = (/** @type {PointerEvent} */ event) => {
    if (event.button) return;
    grip.current = { x: event.clientX, y: event.clientY, from: camera };
  };
  const move = (/** @type {PointerEvent} */ event) => {
    const held = grip.current;
    if (!held || !(event.buttons & 1)) return void (grip.current = null);
    const [x, y] = [event.clientX - held.x, event.clientY - held.y];
    if (Math.abs(x) + Math.abs(y) > 3) setCamera({ ...held.from, x: held.from.x + x, y: held.from.y + y });
  };
  return { onPointerDown: down, onPointerMove: move, onPointerUp: () => (grip.current = null) };
}

/** The drawn tree as a file: all of it at full size, whatever the camera shows.
 * @param {SVGSVGElement} svg @param {Layout} tree @param {Palette} colours */
function svgText(svg, tree, colours) {
  const copy = /** @type {SVGSVGElement} */ (svg.cloneNode(true));
  const [width, height] = [tree.width + 2 * MARGIN, tree.height + 2 * MARGIN];
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", String(width));
  copy.setAttribute("height", String(height));
  copy.setAttribute("viewBox", `0 0 ${width} ${height}`);
  copy.setAttribute("font-family", "sans-serif");
  copy.querySelector(".tree-camera")?.setAttribute("transform", `translate(${MARGIN} ${MARGIN})`);
  const ground = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const [name, value] of [["width", "100%"], ["height", "100%"], ["fill", colours.surface]]) ground.setAttribute(name, value);
  copy.prepend(ground);
  return { text: new XMLSerializer().serializeToString(copy), width, height };
}

const LONGEST_SIDE = 8000;

/** @param {string} text @param {number} width @param {number} height @returns {Promise<Blob>} */
async function rasterised(text, width, height) {
  const url = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const ratio = Math.min(2, LONGEST_SIDE / Math.max(width, height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
    return await canvasBlob(canvas);
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** @param {TreeNode[]} nodes @returns {import("../charts.js").ChartTable} */
function tableOf(nodes) {
  return {
    columns: [
      { id: "id", label: t("blocks.tree.id"), format: "integer" },
      { id: "owner", label: t("blocks.party") },
      { id: "feature", label: t("blocks.feature") },
      { id: "condition", label: t("blocks.tree.condition") },
      { id: "left", label: t("blocks.tree.left"), format: "integer" },
      { id: "right", label: t("blocks.tree.right"), format: "integer" },
      { id: "weight", label: t("blocks.tree.weights") },
      { id: "count", label: t("blocks.tree.counts"), format: "integer" },
    ],
    rows: nodes.map((node) => [
      node.id,
      ownerName(node.owner),
      node.feature ?? "",
      node.condition ?? "",
      node.leaf || (node.left ?? -1) < 0 ? null : (node.left ?? null),
      node.leaf || (node.right ?? -1) < 0 ? null : (node.right ?? null),
      (node.weights ?? []).map((weight) => number(weight)).join(", "),
      node.count ?? null,
    ]),
  };
}

/** @param {{parties: string[], order: Map<string, number>, colours: Palette}} props */
export function PartyLegend({ parties, order, colours }) {
  return html`<span class="tree-legend">
    ${parties.map((party) => {
      const at = order.get(party) ?? 0;
      const colour = colours.series[at % colours.series.length];
      return html`<span key=${party}>
        <svg width="24" height="14" viewBox="-12 -7 24 14" aria-hidden="true"><path d=${outline(at, NODE_WIDTH, NODE_HEIGHT)} transform="scale(0.155 0.28)" fill=${colour} fill-opacity="0.22" stroke=${colour} stroke-width="1.4" vector-effect="non-scaling-stroke" /></svg>
        ${ownerName(party)}
      </span>`;
    })}
  </span>`;
}

/** The splits on the way to a node, in words. @param {{path: Placed[]}} props */
function PathText({ path }) {
  const last = path[path.length - 1];
  const steps = path.slice(1).map((at, index) => {
    const [first, second] = linesOf(path[index].node);
    const sign = at.side === "left" ? t("blocks.tree.yes") : at.side === "right" ? t("blocks.tree.no") : "";
    return { text: path[index].node.mine ? `${first} ${second}` : first, sign };
  });
  return html`<p class="tree-path" role="status">
    ${steps.map((step, index) => html`<span key=${index}><b>${cut(step.text, 60)}</b> ${step.sign} <span aria-hidden="true">→</span> </span>`)}
    <span>${described(last.node)}</span>
  </p>`;
}

/**
 * @param {{tree: Tree, order: Map<string, number>, title: string, context: Context}} props
 *   order: of the parties, for colours and shapes
 */
export function TreeView({ tree, order, title, context }) {
  const colours = usePalette();
  const box = useRef(/** @type {SVGSVGElement | null} */ (null));
  const depth = useMemo(() => depthOf(tree.nodes), [tree]);
  const [deepest, setDeepest] = useState(MOST_OPEN);
  const [folded, setFolded] = useState(/** @type {Set<number>} */ (new Set()));
  const [unfolded, setUnfolded] = useState(/** @type {Set<number>} */ (new Set()));
  const [chosen, setChosen] = useState(/** @type {number | null} */ (null));
  const [moved, setMoved] = useState(/** @type {Camera | null} */ (null));
  const width = useWidth(box);
  const shape = useMemo(() => layout(tree.nodes, folded, deepest, unfolded), [tree, folded, deepest, unfolded]);
  const start = useMemo(() => first(shape, width || 800), [shape, width]);
  const camera = moved ?? start;
  const hands = useCamera(box, camera, setMoved);
  const path = useMemo(() => pathTo(shape, chosen), [shape, chosen]);
  const lit = new Set(path.map((at) => at.node.id));
  const root = tree.nodes[0]?.id;

  const fold = (/** @type {Placed} */ at) => {
    if (at.node.leaf) return;
    const id = at.node.id;
    const without = (/** @type {Set<number>} */ set) => new Set([...set].filter((one) => one !== id));
    setFolded(at.hidden ? without(folded) : new Set([...folded, id]));
    setUnfolded(at.hidden ? new Set([...unfolded, id]) : without(unfolded));
  };
  const keys = (/** @type {KeyboardEvent} */ event) => {
    const here = chosen ?? root;
    if (event.key === "Enter" || event.key === " ") {
      const at = shape.placed.get(here);
      if (at) fold(at);
    } else if (event.key === "Escape" && chosen !== null) setChosen(null);
    else if (event.key === "+" || event.key === "=") setMoved(zoomed(camera, 1.3, width / 2, HEIGHT / 2));
    else if (event.key === "-") setMoved(zoomed(camera, 1 / 1.3, width / 2, HEIGHT / 2));
    else if (event.key === "0") setMoved(fitted(shape, width));
    else {
      const to = neighbour(shape, here, event.key);
      if (to === null) return;
      setChosen(to);
      /** @type {SVGElement | null | undefined} */ (box.current?.querySelector(`[data-node="${to}"]`))?.focus({ preventScroll: true });
      const at = shape.placed.get(to);
      if (at) setMoved(shownIn(camera, at, width));
    }
    event.preventDefault();
    event.stopPropagation();
  };
  const draw = async (/** @type {"png" | "svg"} */ type) => {
    if (!box.current) throw new Error(t("blocks.tree.not_drawn"));
    const drawn = svgText(box.current, shape, colours);
    if (type === "png") return rasterised(drawn.text, drawn.width, drawn.height);
    return new Blob([drawn.text], { type: "image/svg+xml" });
  };
  const name = `tree_${tree.index}`;
  const leaves = tree.nodes.filter((node) => node.leaf).length;
  const label = t("blocks.tree.description", { title, n: tree.nodes.length, leaves, depth });
  const levels = Array.from({ length: depth }, (_, index) => ({ id: String(index + 1), label: String(index + 1) }));
  const zoomBy = (/** @type {number} */ by) => setMoved(zoomed(camera, by, width / 2, HEIGHT / 2));
  const tools = html`
    ${depth > 1 &&
    html`<${Select} label=${t("blocks.tree.levels")} value=${String(Math.min(deepest, depth))} options=${levels} onChange=${(/** @type {string} */ level) => {
      setDeepest(Number(level));
      setFolded(new Set());
      setUnfolded(new Set());
      setMoved(null);
    }} />`}
    <${IconButton} small icon="zoom_out" label=${t("blocks.tree.smaller")} onClick=${() => zoomBy(1 / 1.3)} />
    <${IconButton} small icon="zoom_in" label=${t("blocks.tree.larger")} onClick=${() => zoomBy(1.3)} />
    <${IconButton} small icon="fit" label=${t("blocks.tree.fit")} onClick=${() => setMoved(fitted(shape, width))} />`;
  return html`<${ChartFrame}
    title=${title}
    name=${name}
    kind="tree"
    series=${[{ name: title, count: tree.nodes.length, leaves, depth, low: null, high: null }]}
    label=${label}
    table=${tableOf(tree.nodes)}
    draw=${draw}
    context=${context}
    tools=${tools}
    extra=${[{ label: t("blocks.tree.save_json"), save: () => saveText(`${name}.json`, JSON.stringify(tree, null, 2), "application/json") }]}
  >
    <svg class="tree" ref=${box} height=${Math.min(HEIGHT, Math.ceil(shape.height * start.k) + 2 * MARGIN)} width="100%" role="tree" aria-label=${label} font-family=${colours.font} onKeyDown=${keys} ...${hands}>
      <g class="tree-camera" role="presentation" transform=${`translate(${camera.x} ${camera.y}) scale(${camera.k})`}>
        ${[...shape.placed.values()].map((at) => html`<${Edge} key=${`e${at.node.id}`} at=${at} tree=${shape} colours=${colours} lit=${lit.has(at.node.id)} dim=${lit.size > 0 && !lit.has(at.node.id)} />`)}
        ${[...shape.placed.values()].map(
          (at) => html`<${Node}
            key=${at.node.id}
            at=${at}
            order=${order}
            colours=${colours}
            chosen=${chosen === at.node.id}
            dim=${lit.size > 0 && !lit.has(at.node.id)}
            focusable=${at.node.id === (chosen ?? root)}
            onChoose=${() => setChosen(at.node.id)}
            onFold=${() => fold(at)}
          />`,
        )}
      </g>
    </svg>
    ${path.length > 0 ? html`<${PathText} path=${path} />` : html`<p class="b-help">${t("blocks.tree.hint")}</p>`}
  <//>`;
}

/** The camera moved as little as it takes to show a node. @param {Camera} camera @param {Placed} at @param {number} width */
function shownIn(camera, at, width) {
  const [x, y] = [camera.x + at.x * camera.k, camera.y + at.y * camera.k];
  const [halfX, halfY] = [(NODE_WIDTH / 2) * camera.k + 8, (NODE_HEIGHT / 2) * camera.k + 8];
  const into = (/** @type {number} */ place, /** @type {number} */ half, /** @type {number} */ room) =>
    place < half ? half - place : place > room - half ? room - half - place : 0;
  return { ...camera, x: camera.x + into(x, halfX, width), y: camera.y + into(y, halfY, HEIGHT) };
}
