/** What a service did in the last two minutes: sums, small pictures, and a whole chart. */

import { ChartFrame, Drawing, Tooltip, axisStyle, extremes, picture, usePalette } from "../charts.js";
import { integer, number, percent, time } from "../format.js";
import { html, useMemo, useRef, useSignal } from "../html.js";
import { t } from "../i18n.js";

/** @import {ServingSecond, ServingService} from "../types.js" */
/** @import {Palette, Tip} from "../charts.js" */
/** @typedef {{at: number, answered: number, failed: number, refused: number, latency: number | null}} Second */

const SECONDS = 120;
const LATELY = 10;
const HEIGHT = 260;

/** Every second of the last two minutes that is over; those without requests are told as such.
 * @param {ServingSecond[]} traffic @param {number} now @returns {Second[]} */
export function secondsOf(traffic, now) {
  const last = Math.floor(now / 1000) - 1;
  const known = new Map(traffic.map((one) => [Math.floor(one.at_ms / 1000), one]));
  return Array.from({ length: SECONDS }, (_, index) => {
    const second = last - SECONDS + 1 + index;
    const one = known.get(second);
    return {
      at: second * 1000,
      answered: one?.answered ?? 0,
      failed: one?.failed ?? 0,
      refused: one?.refused ?? 0,
      latency: one && one.answered > 0 ? one.latency_ms : null,
    };
  });
}

/** @param {Second[]} seconds */
export function sumOf(seconds) {
  const sum = (/** @type {(one: Second) => number} */ of) => seconds.reduce((total, one) => total + of(one), 0);
  const answered = sum((one) => one.answered);
  const spent = sum((one) => (one.latency ?? 0) * one.answered);
  const failed = sum((one) => one.failed);
  return {
    answered,
    failed,
    refused: sum((one) => one.refused),
    rate: sum((one) => one.answered) / Math.max(1, seconds.length),
    latency: answered ? spent / answered : null,
    errors: answered ? failed / answered : null,
  };
}

/** @param {Second[]} seconds the latest of them */
const lately = (seconds) => seconds.slice(-LATELY);

/** @param {number | null} ms */
export function milliseconds(ms) {
  return ms === null ? "-" : `${ms < 10 ? number(Number(ms.toFixed(2))) : ms < 100 ? ms.toFixed(1) : integer(ms)} ms`;
}

/** @param {number} value */
function perSecond(value) {
  return value >= 10 ? integer(value) : String(Number(value.toFixed(1)));
}

/** A line over the two minutes, filled to the ground; gaps where there is nothing.
 * @param {{values: (number | null)[], tone: string, name: string, label: string}} props */
function Sparkline({ values, tone, name, label }) {
  const { high } = extremes(values);
  const top = high || 1;
  const y = (/** @type {number} */ value) => 31 - (value / top) * 29;
  /** @type {string[]} */
  const lines = [];
  /** @type {string[]} */
  const areas = [];
  let from = -1;
  for (let at = 0; at <= values.length; at++) {
    const value = values[at];
    if (value != null && from < 0) from = at;
    if (value == null && from >= 0) {
      const points = values.slice(from, at).map((one, index) => `${from + index + 0.5},${y(one ?? 0).toFixed(2)}`);
      const [first, last] = [from + 0.5, at - 0.5];
      lines.push(`M${points.length > 1 ? points.join("L") : `${from + 0.1},${y(values[from] ?? 0).toFixed(2)}h0.8`}`);
      areas.push(`M${first},32L${points.join("L")}L${last},32Z`);
      from = -1;
    }
  }
  const summary = { name, count: values.filter((value) => value !== null).length, ...extremes(values) };
  return html`<svg class=${`sv-spark tone-${tone}`} viewBox=${`0 0 ${values.length} 32`} preserveAspectRatio="none" role="img"
    aria-label=${label} data-kind="sparkline" data-series=${JSON.stringify([summary])}>
    <path class="sv-spark-area" d=${areas.join("")} />
    <path class="sv-spark-line" d=${lines.join("")} />
  </svg>`;
}

/** @param {{label: string, value: string, note?: string, tone?: string, children?: any}} props */
function Figure({ label, value, note, tone, children }) {
  return html`<div class=${tone ? `sv-figure tone-${tone}` : "sv-figure"}>
    <span class="sv-figure-label">${label}</span>
    <span class="sv-figure-value">${value}${note && html`<small>${note}</small>`}</span>
    ${children}
  </div>`;
}

/** @param {{service: ServingService, now: number}} props */
export function Figures({ service, now }) {
  const seconds = secondsOf(service.traffic, now);
  const all = sumOf(seconds);
  const recent = sumOf(lately(seconds));
  const most = extremes(seconds.map((one) => one.answered)).high ?? 0;
  return html`<div class="sv-figures">
    <${Figure} label=${t("serving.requests")} value=${perSecond(recent.rate)} note=${t("serving.requests_sum", { n: integer(all.answered) })}>
      <${Sparkline} tone="accent" name="requests" values=${seconds.map((one) => one.answered)}
        label=${t("serving.requests_spark", { service: service.service_id, most })} />
    <//>
    <${Figure} label=${t("serving.latency")} value=${milliseconds(all.latency)} note=${recent.latency === null ? "" : t("serving.latency_now", { ms: milliseconds(recent.latency) })}>
      <${Sparkline} tone="good" name="latency" values=${seconds.map((one) => one.latency)}
        label=${t("serving.latency_spark", { service: service.service_id, ms: milliseconds(all.latency) })} />
    <//>
    <${Figure} label=${t("serving.errors")} tone=${all.failed ? "bad" : undefined} value=${all.errors === null ? "-" : percent(all.errors)}
      note=${all.failed ? t("serving.errors_sum", { n: integer(all.failed) }) : ""}>
      <${Sparkline} tone=${all.failed ? "bad" : "idle"} name="failed" values=${seconds.map((one) => one.failed)}
        label=${t("serving.errors_spark", { service: service.service_id, n: all.failed })} />
    <//>
    <${Figure} label=${t("serving.refused")} tone=${all.refused ? "warn" : undefined} value=${integer(all.refused)}>
      <${Sparkline} tone=${all.refused ? "warn" : "idle"} name="refused" values=${seconds.map((one) => one.refused)}
        label=${t("serving.refused_spark", { service: service.service_id, n: all.refused })} />
    <//>
  </div>`;
}

/** What the chart draws: bars that stand on each other, and the latency over them. */
function seriesOf(/** @type {Second[]} */ seconds, /** @type {Palette} */ colours) {
  return [
    { name: t("serving.answered"), colour: colours.accent, values: seconds.map((one) => one.answered - one.failed) },
    { name: t("serving.failed"), colour: colours.bad, values: seconds.map((one) => one.failed) },
    { name: t("serving.refused"), colour: colours.warn, values: seconds.map((one) => one.refused) },
    { name: t("serving.latency_ms"), colour: colours.good, values: seconds.map((one) => one.latency), line: true },
  ];
}

/** @param {Second[]} seconds @param {Palette} colours */
function optionOf(seconds, colours) {
  const text = { color: colours.ink2, fontFamily: colours.font, fontSize: 12 };
  const x = axisStyle(colours, "");
  const y = (/** @type {string} */ name, /** @type {boolean} */ right) => {
    const style = axisStyle(colours, name);
    return { ...style, type: "value", nameGap: 40, minInterval: right ? undefined : 1, position: right ? "right" : "left", splitLine: right ? { show: false } : style.splitLine };
  };
  return {
    legend: { type: "scroll", top: 0, left: 0, itemWidth: 14, itemHeight: 9, icon: "roundRect", textStyle: text, pageTextStyle: text },
    grid: { left: 58, right: 62, top: 34, bottom: 24 },
    xAxis: { ...x, type: "category", data: seconds.map((one) => clock(one.at)), splitLine: { show: false }, axisLabel: { ...x.axisLabel, interval: 19 } },
    yAxis: [y(t("serving.requests"), false), y(t("serving.latency_ms"), true)],
    series: seriesOf(seconds, colours).map(({ name, colour, values, line }) => ({
      name, data: values, color: colour, silent: true, type: line ? "line" : "bar", yAxisIndex: line ? 1 : 0,
      stack: line ? undefined : "requests", barCategoryGap: "15%", symbol: "circle", symbolSize: 4, lineStyle: { width: 1.5 }, z: line ? 3 : 2,
    })),
  }; // prettier-ignore
}

/** @param {number} ms */
const clock = (ms) => time(ms).slice(11);

/** @param {{service: ServingService, now: number}} props */
export function TrafficChart({ service, now }) {
  const colours = usePalette();
  const chart = useRef(/** @type {any} */ (null));
  const tip = useSignal(/** @type {Tip | null} */ (null));
  const second = Math.floor(now / 1000);
  const seconds = useMemo(() => secondsOf(service.traffic, second * 1000), [service.traffic, second]);
  const option = useMemo(() => optionOf(seconds, colours), [seconds, colours]);
  const series = seriesOf(seconds, colours);
  const show = (/** @type {PointerEvent} */ event) => {
    const box = /** @type {HTMLElement} */ (event.currentTarget).getBoundingClientRect();
    const at = [event.clientX - box.left, event.clientY - box.top];
    if (!chart.current?.containPixel({ gridIndex: 0 }, at)) return void (tip.value = null);
    const index = Math.round(chart.current.convertFromPixel({ gridIndex: 0 }, at)[0]);
    const x = chart.current.convertToPixel({ xAxisIndex: 0 }, index);
    tip.value = {
      x, y: at[1], line: x, title: clock(seconds[index].at),
      rows: series.map(({ name, colour, values }) => ({ colour, label: name, value: number(values[index]) })),
    }; // prettier-ignore
  };
  const label = t("serving.traffic_of", { service: service.service_id });
  return html`<${ChartFrame} title=${label} name=${`traffic_${service.service_id}`} kind="traffic" label=${label}
    series=${series.map(({ name, values }) => ({ name, count: values.length, ...extremes(values) }))}
    table=${{
      columns: [{ id: "at", label: t("serving.second") }, ...series.map(({ name }, index) => ({ id: `s${index}`, label: name, format: "number" }))],
      rows: seconds.map((one, row) => [time(one.at), ...series.map(({ values }) => values[row] ?? null)]),
    }}
    draw=${(/** @type {"png" | "svg"} */ type) => picture(optionOf(seconds, colours), type)}
  >
    <div class="chart-box" role="img" aria-label=${label} onPointerMove=${show} onPointerLeave=${() => (tip.value = null)}>
      <${Drawing} option=${option} height=${HEIGHT} onReady=${(/** @type {any} */ instance) => (chart.current = instance)} />
      <${Tooltip} tip=${tip} />
    </div>
  <//>`;
}
