// All trees of a boosting model: a chip or a point for each, and the one that is picked.

import { html, useMemo, useRef, useState } from "../html.js";
import { useData } from "../api.js";
import { say, t } from "../i18n.js";
import { route, setQuery } from "../router.js";
import { Drawing, picture, usePalette, ChartFrame, extremes } from "../charts.js";
import { ErrorBox, IconButton, NoticeLine, Spinner, Toggle } from "../ui.js";
import { curveOption, groupsOf, viewOf } from "./curves.js";
import { Picker } from "./filters.js";
import { Notices, componentPath } from "./index.js";
import { PartyLegend, TreeView, ownerName } from "./tree.js";

/** @import {Curve, Forest, TreeEntry, Tree} from "../types.js" */
/** @import {Context} from "./index.js" */
/** @import {Palette} from "../charts.js" */

const HEIGHT = 220;

/** @param {TreeEntry} entry */
function described(entry) {
  const parts = [t("blocks.tree.number", { n: entry.index }), t("blocks.tree.round", { n: entry.round }), t("blocks.tree.nodes", { n: entry.size }), t("blocks.tree.depth", { n: entry.depth })];
  if (entry.label) parts.push(t("blocks.tree.class", { label: entry.label }));
  if (entry.owner) parts.push(ownerName(entry.owner));
  return parts.join(" · ");
}

/** @param {{trees: TreeEntry[], labels: string[], chosen: number, colours: Palette, pick: (index: number) => void}} props */
function Chips({ trees, labels, chosen, colours, pick }) {
  const { low, high } = extremes(trees.map((tree) => tree.size));
  const span = (high ?? 1) - (low ?? 0) || 1;
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  const keys = (/** @type {KeyboardEvent} */ event) => {
    const at = trees.findIndex((tree) => tree.index === chosen);
    const steps = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: trees.length - 1 };
    const to = trees[steps[/** @type {keyof typeof steps} */ (event.key)] ?? -1];
    if (!to) return;
    event.preventDefault();
    event.stopPropagation();
    pick(to.index);
    /** @type {HTMLElement | null | undefined} */ (list.current?.querySelector(`[data-tree="${to.index}"]`))?.focus();
  };
  const reachable = trees.some((tree) => tree.index === chosen) ? chosen : trees[0]?.index;
  return html`<div class="forest" role="listbox" aria-label=${t("blocks.tree.list")} ref=${list} onKeyDown=${keys}>
    ${trees.map((tree) => {
      const colour = colours.series[Math.max(0, labels.indexOf(tree.label ?? "")) % colours.series.length];
      const shade = 8 + (40 * (tree.size - (low ?? 0))) / span;
      return html`<button
        type="button"
        role="option"
        key=${tree.index}
        data-tree=${tree.index}
        aria-selected=${String(tree.index === chosen)}
        aria-label=${described(tree)}
        title=${described(tree)}
        tabindex=${tree.index === reachable ? 0 : -1}
        class=${tree.owner ? "is-other" : ""}
        style=${{ background: `color-mix(in srgb, ${colour} ${Math.round(shade)}%, var(--surface))` }}
        onClick=${() => pick(tree.index)}
      >${tree.index}</button>`;
    })}
  </div>`;
}

/** The sizes as a curve over the rounds, one for each class.
 * @param {TreeEntry[]} trees @param {string[]} labels @param {TreeEntry} [chosen] */
function sizesOf(trees, labels, chosen) {
  const classes = labels.length ? labels : [""];
  /** @type {Curve} */
  const block = {
    kind: "curve",
    id: "forest_sizes",
    x: { label: { code: "blocks.tree.rounds" }, integer: true },
    y: { label: { code: "blocks.tree.size" }, integer: true },
    series: classes.map((label) => ({
      id: `class ${label}`,
      label,
      points: trees.filter((tree) => (tree.label ?? "") === label).map((tree) => [tree.round, tree.size]),
    })),
    marks: chosen ? [{ x: chosen.round, label: t("blocks.tree.number", { n: chosen.index }) }] : [],
  };
  return block;
}

/** @param {{trees: TreeEntry[], labels: string[], chosen?: TreeEntry, colours: Palette, pick: (index: number) => void}} props */
function Sizes({ trees, labels, chosen, colours, pick }) {
  const chart = useRef(/** @type {any} */ (null));
  const { option, label } = useMemo(() => {
    const block = sizesOf(trees, labels, chosen);
    const drawn = drawnOf(block, colours);
    const option = curveOption({ block, drawn, view: viewOf(block, drawn, false), logarithmic: false, say, colours });
    return { option, label: t("blocks.tree.sizes_description", { n: trees.length }) };
  }, [trees, labels, chosen, colours]);
  const click = (/** @type {MouseEvent} */ event) => {
    const area = /** @type {HTMLElement} */ (event.currentTarget).getBoundingClientRect();
    const at = [event.clientX - area.left, event.clientY - area.top];
    if (!chart.current?.containPixel({ gridIndex: 0 }, at)) return;
    const [round, size] = chart.current.convertFromPixel({ gridIndex: 0 }, at);
    const off = (/** @type {TreeEntry} */ tree) => Math.abs(tree.round - round) * 1000 + Math.abs(tree.size - size);
    pick(trees.reduce((best, tree) => (off(tree) < off(best) ? tree : best)).index);
  };
  return html`<div class="chart-box is-link" role="img" aria-label=${label} onClick=${click}>
    <${Drawing} option=${option} height=${HEIGHT} onReady=${(/** @type {any} */ instance) => (chart.current = instance)} />
  </div>`;
}

/** @param {Curve} block @param {Palette} colours */
function drawnOf(block, colours) {
  return groupsOf(block.series, say, say(block.y.label)).flatMap((group) =>
    group.members.map((member) => ({ ...member, group: group.id, colour: colours.series[group.colour] })),
  );
}

/** @param {{trees: TreeEntry[], pick: (index: number) => void}} props */
function FindTree({ trees, pick }) {
  const [missing, setMissing] = useState(false);
  const go = (/** @type {any} */ event) => {
    const text = event.target.value.trim();
    const found = text !== "" && trees.find((tree) => String(tree.index) === text);
    setMissing(text !== "" && !found);
    if (found) pick(found.index);
  };
  return html`<input
    type="search"
    inputmode="numeric"
    class=${`b-input is-number ${missing ? "is-bad" : ""}`}
    placeholder=${t("blocks.tree.find")}
    aria-label=${t("blocks.tree.find")}
    aria-invalid=${missing ? "true" : undefined}
    onInput=${go}
  />`;
}

/** @param {{entry: TreeEntry, order: Map<string, number>, context: Context}} props */
function OneTree({ entry, order, context }) {
  const path = context.job && context.component ? `${componentPath(context.job, context.component)}/tree/${entry.index}` : null;
  const { data, error, loading, reload } = useData(path);
  const tree = /** @type {Tree | undefined} */ (data?.index === entry.index ? data : undefined);
  if (error) return html`<${ErrorBox} error=${error} retry=${reload} />`;
  if (!tree) return loading ? html`<${Spinner} />` : null;
  const title = [t("blocks.tree.number", { n: entry.index }), t("blocks.tree.round", { n: entry.round }), entry.label && t("blocks.tree.class", { label: entry.label })].filter(Boolean).join(" · ");
  return html`<${Notices} notices=${tree.notices ?? []} />
    ${tree.nodes.length > 0
      ? html`<${TreeView} key=${entry.index} tree=${tree} order=${order} title=${title} context=${context} />`
      : !tree.notices?.length && html`<${NoticeLine} level="info">${t("blocks.tree.empty")}<//>`}`;
}

/** @param {{block: Forest, context: Context}} props */
export function ForestBlock({ block, context }) {
  const colours = usePalette();
  const { labels = [], parties = [] } = block;
  const [classes, setClasses] = useState(/** @type {Set<string>} */ (new Set()));
  const [owners, setOwners] = useState(/** @type {Set<string>} */ (new Set()));
  const [asSizes, setAsSizes] = useState(false);
  const mine = parties[0] ?? "";
  const trees = useMemo(
    () => block.trees.filter((tree) => (!classes.size || classes.has(tree.label ?? "")) && (!owners.size || owners.has(tree.owner || mine))),
    [block, classes, owners],
  );
  const order = useMemo(() => new Map(parties.map((party, index) => [party, index])), [parties]);
  const pick = (/** @type {number} */ index) => setQuery({ tree: index });
  const asked = Number(route.value.query.tree ?? "NaN");
  const entry = block.trees.find((tree) => tree.index === asked) ?? trees[0];
  const at = trees.findIndex((tree) => tree.index === entry?.index);
  const whole = useMemo(() => [...new Set(block.trees.map((tree) => tree.owner || mine))], [block]);
  const step = (/** @type {number} */ by, /** @type {string} */ icon, /** @type {string} */ label) =>
    html`<${IconButton} small icon=${icon} label=${label} disabled=${!trees[at + by]} onClick=${() => pick(trees[at + by].index)} />`;
  const tools = html`
    ${labels.length > 1 && html`<${Picker} label=${t("blocks.tree.classes")} options=${labels.map((label) => ({ id: label, label }))} selected=${classes} onSelect=${setClasses} />`}
    ${whole.length > 1 && html`<${Picker} label=${t("blocks.party")} options=${whole.map((party) => ({ id: party, label: ownerName(party) }))} selected=${owners} onSelect=${setOwners} />`}
    <${FindTree} trees=${block.trees} pick=${pick} />
    ${step(-1, "chevron_left", t("blocks.previous"))}${step(1, "chevron_right", t("blocks.next"))}
    <${Toggle} label=${t("blocks.tree.as_sizes")} on=${asSizes} onChange=${setAsSizes} />`;
  const drawSizes = (/** @type {"png" | "svg"} */ type) => {
    const sizes = sizesOf(trees, labels);
    const drawn = drawnOf(sizes, colours);
    return picture(curveOption({ block: sizes, drawn, view: viewOf(sizes, drawn, false), logarithmic: false, say, colours, alone: true }), type);
  };
  return html`<${ChartFrame}
      title=${block.title}
      help=${block.help}
      name="decision_trees"
      kind="forest"
      series=${[{ name: "trees", count: trees.length, ...extremes(trees.map((tree) => tree.size)) }]}
      label=${t("blocks.tree.sizes_description", { n: trees.length })}
      table=${{
        columns: [
          { id: "tree", label: t("blocks.tree.tree"), format: "integer" },
          { id: "round", label: t("blocks.tree.rounds"), format: "integer" },
          { id: "class", label: t("blocks.tree.classes") },
          { id: "size", label: t("blocks.tree.size"), format: "integer" },
          { id: "depth", label: t("blocks.tree.levels"), format: "integer" },
          { id: "owner", label: t("blocks.party") },
        ],
        rows: trees.map((tree) => [tree.index, tree.round, tree.label ?? "", tree.size, tree.depth, ownerName(tree.owner ?? "")]),
      }}
      draw=${drawSizes}
      tools=${tools}
    >
      ${trees.length === 0
        ? html`<p class="chart-empty">${t("blocks.tree.none")}</p>`
        : asSizes
          ? html`<${Sizes} trees=${trees} labels=${labels} chosen=${entry} colours=${colours} pick=${pick} />`
          : html`<${Chips} trees=${trees} labels=${labels} chosen=${entry?.index ?? -1} colours=${colours} pick=${pick} />`}
    <//>
    <${PartyLegend} parties=${parties} order=${order} colours=${colours} />
    ${entry && html`<${OneTree} entry=${entry} order=${order} context=${context} />`}`;
}
