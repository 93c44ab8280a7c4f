// Curves: ROC, K-S, lift, loss while it is computed. Own legend, zoom and tooltip.

import { html, useEffect, useMemo, useRef, useSignal, useState } from "../html.js";
import { full, number } from "../format.js";
import { say, t } from "../i18n.js";
import { subscribe } from "../live.js";
import { ChartFrame, Drawing, Tooltip, extremes, picture, usePalette } from "../charts.js";
import { IconButton, Toggle, Slider } from "../ui.js";
import { Picker } from "./filters.js";
import { curveOption, groupsOf, merged, nearest, smoothed, switched, viewOf } from "./curves.js";

/** @import {Curve, MetricPoints, Event as BoardEvent} from "../types.js" */
/** @import {Context} from "./index.js" */
/** @import {Drawn, Group, Point, View} from "./curves.js" */

const HEIGHT = 340;
const SQUARE_HEIGHT = 440;
const LEGEND_MOST = 6;
const LEAST_DRAG = 6;
const SMOOTH_FROM = 10;
const LOG_FROM = 1.3;

/** A live name: "namespace/metric" of this party, or "role:party/namespace/metric" of another one
 * that this site holds, too. @param {string} name */
function parsedName(name) {
  const found = /^([a-z]+):([^/]+)\/(.*)$/s.exec(name);
  return found ? { role: found[1], party: found[2], metric: found[3] } : { role: "", party: "", metric: name };
}

/** Points that came while the component runs, by live name. @param {Curve} block @param {Context} context */
function useLivePoints(block, context) {
  const [live, setLive] = useState(/** @type {Record<string, Point[]>} */ ({}));
  const names = (block.live ?? []).join("\n");
  const { job, component } = context;
  useEffect(() => {
    if (!context.live || !names || !job) return undefined;
    const stops = names.split("\n").map((name) => {
      const { role, party, metric } = parsedName(name);
      const topic = `job:${job.job_id}/${role || job.role}/${party || job.party_id}`;
      return subscribe(topic, (/** @type {BoardEvent} */ event) => {
        if (event.kind !== "metric") return;
        const body = /** @type {MetricPoints} */ (event.body);
        if (body.component !== component || `${body.namespace}/${body.name}` !== metric) return;
        setLive((old) => ({ ...old, [name]: body.whole ? body.points : merged(old[name] ?? [], body.points) }));
      });
    });
    return () => stops.forEach((stop) => stop());
  }, [context.live, names, job?.job_id, job?.role, job?.party_id, component]);
  return live;
}

/** The block's curves, grown by what came since. @param {Curve} block @param {Record<string, Point[]>} live */
function grown(block, live) {
  const names = block.live ?? [];
  const series = block.series.map((one, index) => {
    const name = one.id in live ? one.id : names.length === block.series.length ? names[index] : undefined;
    return name && live[name] ? { ...one, points: merged(one.points, live[name]) } : one;
  });
  const known = new Set(block.series.length === names.length ? names : block.series.map((one) => one.id));
  const fresh = Object.keys(live).filter((name) => !known.has(name));
  return [...series, ...fresh.map((name) => ({ id: name, label: name.slice(name.indexOf("/") + 1), points: live[name] }))];
}

/** @param {{groups: Group[], on: string[], onSwitch: (on: string[]) => void, colours: string[]}} props */
function Legend({ groups, on, onSwitch, colours }) {
  if (groups.length < 2 && !groups[0]?.label) return null;
  const flip = (/** @type {Group} */ group) => onSwitch(switched(groups, on, group.id));
  const chosen = (/** @type {Set<string>} */ ids) => {
    let next = on.filter((id) => ids.has(id));
    for (const id of ids) if (!next.includes(id)) next = switched(groups, next, id);
    onSwitch(next);
  };
  return html`<div class="chart-legend" role="group" aria-label=${t("blocks.legend")}>
    ${groups.slice(0, LEGEND_MOST).map(
      (group) => html`<button
        type="button"
        key=${group.id}
        aria-pressed=${String(on.includes(group.id))}
        title=${group.label}
        onClick=${() => flip(group)}
      >
        ${group.members.map((member, index) => html`<i class=${index ? "is-dashed" : ""} style=${{ borderColor: colours[group.colour] }}></i>`)}
        <span class="dt-text">${group.label}</span>
      </button>`,
    )}
    ${groups.length > LEGEND_MOST &&
    html`<${Picker}
      quiet
      label=${t("blocks.more_curves", { n: groups.length - LEGEND_MOST })}
      options=${groups.map((group) => ({ id: group.id, label: group.label }))}
      selected=${new Set(on)}
      onSelect=${chosen}
    />`}
  </div>`;
}

/** @param {Drawn[]} drawn @param {View} view @param {Curve} block @param {any} chart
 * @param {number} x @param {number} y where, in pixels @param {boolean} spoken
 * @returns {import("../charts.js").Tip | null} */
function tipAt(drawn, view, block, chart, x, y, spoken) {
  const [wanted, height] = chart.convertFromPixel({ gridIndex: 0 }, [x, y]);
  const found = drawn.flatMap((curve) => {
    const at = nearest(curve.points, wanted, height);
    return at < 0 ? [] : [{ curve, at, point: curve.points[at] }];
  });
  if (!found.length) return null;
  const closest = found.reduce((best, one) => (Math.abs(one.point[0] - wanted) < Math.abs(best.point[0] - wanted) ? one : best));
  const span = (view.x[1] - view.x[0]) * 0.02;
  const shown = found.filter((one) => Math.abs(one.point[0] - closest.point[0]) <= span || one === closest);
  const dots = shown.flatMap(({ curve, point }) => {
    if (point[1] === null) return [];
    const [left, top] = chart.convertToPixel({ gridIndex: 0 }, point);
    return [{ x: left, y: top, colour: curve.colour }];
  });
  return {
    x,
    y,
    spoken,
    dots,
    line: dots[0] && chart.convertToPixel({ gridIndex: 0 }, closest.point)[0],
    title: `${say(block.x.label)} ${number(closest.point[0])}`,
    rows: shown.map(({ curve, at, point }) => {
      const threshold = curve.thresholds?.[at];
      return {
        colour: curve.colour,
        label: curve.label,
        value: number(point[1]),
        note: threshold === undefined || threshold === null ? undefined : t("blocks.at_threshold", { threshold: number(threshold) }),
      };
    }),
  };
}

/** Pointer and keys over a drawing: tooltip, drag to zoom, arrows to walk along the curve.
 * @param {{current: any}} chart @param {Drawn[]} drawn @param {View} view @param {Curve} block
 * @param {(view: View | null) => void} setZoom */
function useGestures(chart, drawn, view, block, setZoom) {
  const tip = useSignal(/** @type {import("../charts.js").Tip | null} */ (null));
  const drag = useSignal(/** @type {{x: number, y: number, toX: number, toY: number} | null} */ (null));
  const walked = useRef(-1);
  const place = (/** @type {PointerEvent} */ event) => {
    const box = /** @type {HTMLElement} */ (event.currentTarget).getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const inside = (/** @type {number[]} */ at) => chart.current?.containPixel({ gridIndex: 0 }, at);
  const move = (/** @type {PointerEvent} */ event) => {
    const at = place(event);
    if (drag.value) drag.value = { ...drag.value, toX: at[0], toY: at[1] };
    else tip.value = inside(at) ? tipAt(drawn, view, block, chart.current, at[0], at[1], false) : null;
  };
  const down = (/** @type {PointerEvent} */ event) => {
    const at = place(event);
    if (event.button || event.pointerType === "touch" || !inside(at)) return;
    /** @type {HTMLElement} */ (event.currentTarget).setPointerCapture(event.pointerId);
    tip.value = null;
    drag.value = { x: at[0], y: at[1], toX: at[0], toY: at[1] };
  };
  const up = () => {
    const box = drag.value;
    drag.value = null;
    if (!box || !chart.current || Math.abs(box.toX - box.x) < LEAST_DRAG) return;
    const one = chart.current.convertFromPixel({ gridIndex: 0 }, [box.x, box.y]);
    const two = chart.current.convertFromPixel({ gridIndex: 0 }, [box.toX, box.toY]);
    const flat = Math.abs(box.toY - box.y) < LEAST_DRAG * 3;
    setZoom({ x: sorted(one[0], two[0]), y: flat ? view.y : sorted(one[1], two[1]) });
  };
  const walk = (/** @type {number} */ by) => {
    const points = drawn[0]?.points ?? [];
    walked.current = Math.max(0, Math.min(points.length - 1, walked.current + by));
    const point = points[walked.current];
    if (!point || point[1] === null || !chart.current) return;
    const [x, y] = chart.current.convertToPixel({ gridIndex: 0 }, point);
    tip.value = tipAt(drawn, view, block, chart.current, x, y, true);
  };
  const keys = (/** @type {KeyboardEvent} */ event) => {
    const far = event.shiftKey ? 10 : 1;
    if (event.key === "ArrowRight") walk(far);
    else if (event.key === "ArrowLeft") walk(-far);
    else if (event.key === "+" || event.key === "=") setZoom(closer(view));
    else if (event.key === "0") setZoom(null);
    else if (event.key === "Escape" && tip.value) tip.value = null;
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const leave = () => (tip.value = null);
  return { tip, drag, on: { onPointerMove: move, onPointerDown: down, onPointerUp: up, onPointerLeave: leave, onBlur: leave, onDblClick: () => setZoom(null), onKeyDown: keys } };
}

/** @param {number} a @param {number} b @returns {[number, number]} */
const sorted = (a, b) => (a < b ? [a, b] : [b, a]);

/** The middle half of a view. @param {View} view @returns {View} */
function closer({ x, y }) {
  const quarter = (x[1] - x[0]) / 4;
  return { x: [x[0] + quarter, x[1] - quarter], y };
}

/** @param {{drag: {value: {x: number, y: number, toX: number, toY: number} | null}}} props */
function Rubber({ drag }) {
  const box = drag.value;
  if (!box) return null;
  const style = {
    left: `${Math.min(box.x, box.toX)}px`,
    top: `${Math.min(box.y, box.toY)}px`,
    width: `${Math.abs(box.toX - box.x)}px`,
    height: `${Math.abs(box.toY - box.y)}px`,
  };
  return html`<div class="chart-rubber" style=${style}></div>`;
}

/** @param {Drawn[]} curves @param {Curve} block @returns {import("../charts.js").ChartTable} */
function tableOf(curves, block) {
  const thresholds = curves.some((curve) => curve.thresholds?.length);
  const columns = [
    { id: "curve", label: t("blocks.curve") },
    { id: "x", label: block.x.label, format: /** @type {const} */ ("number") },
    { id: "y", label: block.y.label, format: /** @type {const} */ ("number") },
    ...(thresholds ? [{ id: "threshold", label: t("blocks.threshold_short"), format: /** @type {const} */ ("number") }] : []),
  ];
  const rows = curves.flatMap((curve) =>
    curve.points.map(([x, y], at) => [curve.label, x, y, ...(thresholds ? [curve.thresholds?.[at] ?? null] : [])]),
  );
  return { columns, rows };
}

/** @param {Drawn[]} curves @param {Set<string>} on */
function summaries(curves, on) {
  return curves.map((curve) => {
    const values = curve.points.map((point) => point[1]);
    return { name: curve.label, count: values.length, ...extremes(values), last: values.at(-1) ?? null, on: on.has(curve.group) };
  });
}

/** The curves that are on, and all that the reader changes about them.
 * @param {Curve} block @param {Context} context */
function useCurves(block, context) {
  const colours = usePalette();
  const live = useLivePoints(block, context);
  const groups = useMemo(() => groupsOf(grown(block, live), say, say(block.y.label)), [block, live]);
  const [chosen, setOn] = useState(/** @type {string[] | null} */ (null));
  const on = useMemo(
    () => chosen ?? groups.reduce((all, group) => switched(groups, all, group.id, true), /** @type {string[]} */ ([])),
    [groups, chosen],
  );
  const [smoothing, setSmoothing] = useState(0);
  const [wanted, setLogarithmic] = useState(false);
  const [zoom, setZoom] = useState(/** @type {View | null} */ (null));
  const all = useMemo(
    () => groups.flatMap((group) => group.members.map((member) => ({ ...member, group: group.id, colour: colours.series[group.colour] }))),
    [groups, colours],
  );
  const drawn = useMemo(() => {
    const visible = all.filter((curve) => on.includes(curve.group));
    return smoothing ? visible.map((curve) => ({ ...curve, raw: curve.points, points: smoothed(curve.points, smoothing) })) : visible;
  }, [all, on, smoothing]);
  const heights = useMemo(() => extremes(drawn.flatMap((curve) => curve.points.map((point) => point[1]))), [drawn]);
  const wide = (heights.low ?? 0) > 0 && (heights.high ?? 0) / (heights.low ?? 1) >= LOG_FROM;
  const logarithmic = wanted && wide;
  const whole = useMemo(() => viewOf(block, drawn, logarithmic), [block, drawn, logarithmic]);
  const view = zoom ?? whole;
  return { colours, groups, on, setOn, all, drawn, smoothing, setSmoothing, wide, logarithmic, setLogarithmic, view, zoom, setZoom };
}

/** @param {ReturnType<typeof useCurves> & {block: Curve}} props */
function Tools({ block, drawn, smoothing, setSmoothing, wide, logarithmic, setLogarithmic, view, zoom, setZoom }) {
  const rounds = block.x.integer || (block.live?.length ?? 0) > 0;
  const long = drawn.some((curve) => curve.points.length >= SMOOTH_FROM);
  return html`
    ${rounds && long && html`<${Slider} label=${t("blocks.smoothing")} min=${0} max=${0.95} step=${0.05} value=${smoothing} shown=${full(smoothing)} onInput=${setSmoothing} />`}
    ${rounds && wide && html`<${Toggle} label=${t("blocks.logarithmic")} on=${logarithmic} onChange=${setLogarithmic} />`}
    ${zoom && html`<${IconButton} small icon="fit" label=${t("blocks.zoom_reset")} onClick=${() => setZoom(null)} />`}
    <${IconButton} small icon="zoom_in" label=${t("blocks.zoom_in")} onClick=${() => setZoom(closer(view))} />`;
}

/** @param {{block: Curve, context: Context}} props */
export function CurveBlock({ block, context }) {
  const curves = useCurves(block, context);
  const { colours, groups, on, all, drawn, logarithmic, view, zoom } = curves;
  const chart = useRef(/** @type {any} */ (null));
  const option = useMemo(() => curveOption({ block, drawn, view, logarithmic, colours, say }), [block, drawn, view, logarithmic, colours]);
  const gestures = useGestures(chart, drawn, view, block, curves.setZoom);
  const title = block.title ? say(block.title) : say(block.y.label);
  const label = t("blocks.curve_description", { title, n: drawn.length, x: say(block.x.label), y: say(block.y.label) });
  const empty = drawn.every((curve) => !curve.points.length);
  const why = groups.length && !drawn.length ? t("blocks.all_hidden") : context.live ? t("blocks.first_point") : t("blocks.no_points");
  return html`<${ChartFrame}
    title=${block.title}
    help=${block.help}
    name=${block.export_name || block.id}
    kind="curve"
    series=${summaries(all, new Set(on))}
    label=${label}
    table=${tableOf(all, block)}
    draw=${(/** @type {"png" | "svg"} */ type) => picture(curveOption({ block, drawn, view, logarithmic, colours, say, alone: true }), type)}
    context=${context}
    tools=${html`<${Tools} ...${curves} block=${block} />`}
    legend=${html`<${Legend} groups=${groups} on=${on} onSwitch=${curves.setOn} colours=${colours.series} />`}
  >
    ${empty
      ? html`<p class="chart-empty">${why}</p>`
      : html`<div class=${`chart-box ${block.diagonal ? "is-square" : ""}`} tabindex="0" role="group" aria-label=${label} data-zoomed=${zoom ? "1" : undefined} ...${gestures.on}>
          <${Drawing} option=${option} height=${block.diagonal ? SQUARE_HEIGHT : HEIGHT} onReady=${(/** @type {any} */ instance) => (chart.current = instance)} />
          <${Rubber} drag=${gestures.drag} />
          <${Tooltip} tip=${gestures.tip} />
        </div>`}
  <//>`;
}
