/** Bars of the disclosure page: by kind, by component, by the other party. */

import { byKind, going, grouped, peerOf, sum } from "../disclosures.js";
import { bytes, integer } from "../format.js";
import { html, useState } from "../html.js";
import { t } from "../i18n.js";
import { Icon } from "../icons.js";
import { keyQuery } from "../jobheader.js";
import { link } from "../router.js";

/** @typedef {import("../types").Disclosed} Disclosed */
/** @typedef {"size" | "count"} Measure */

/** @param {string} kind */
export function kindWord(kind) {
  if (kind === "plain") return t("disclosure.kind.plain");
  if (kind === "masked") return t("disclosure.kind.masked");
  if (kind === "share") return t("disclosure.kind.share");
  if (kind === "ciphertext") return t("disclosure.kind.ciphertext");
  return kind || t("disclosure.kind.call");
}

/** @param {string} kind @param {"out" | "in"} direction */
export function kindHelp(kind, direction) {
  if (kind === "plain") return direction === "out" ? t("disclosure.help.plain_out") : t("disclosure.help.plain_in");
  if (kind === "masked") return t("disclosure.help.masked");
  if (kind === "share") return t("disclosure.help.share");
  if (kind === "ciphertext") return t("disclosure.help.ciphertext");
  return t("disclosure.help.call");
}

/** @param {number} count */
export function messageCount(count) {
  return count === 1 ? t("disclosure.message_one") : t("disclosure.messages", { n: integer(count) });
}

/** @param {number} value @param {Measure} measure */
const shown = (value, measure) => (measure === "size" ? bytes(value) : messageCount(value));

/** One bar, a piece for each kind. @param {{kinds: import("../disclosures").ByKind, of: number, measure: Measure}} props */
export function KindBar({ kinds, of, measure }) {
  const pieces = Object.entries(kinds).filter(([, one]) => one[measure] > 0);
  if (!pieces.length || !of) return html`<div class="kind-bar" aria-hidden="true"></div>`;
  const words = pieces.map(([kind, one]) => `${kindWord(kind)}: ${shown(one[measure], measure)}`).join(", ");
  return html`<div class="kind-bar" role="img" aria-label=${words}>
    ${pieces.map(([kind, one]) => html`<i key=${kind} data-kind=${kind || "call"} style=${`flex-grow:${one[measure] / of}`} title=${`${kindWord(kind)}: ${shown(one[measure], measure)}`}></i>`)}
  </div>`;
}

/** Received to the left, sent to the right, of each component. @param {{lines: Disclosed[], job: import("../types").JobRow}} props */
export function ByComponent({ lines, job }) {
  const [measure, setMeasure] = useState(/** @type {Measure} */ ("size"));
  const groups = grouped([...going(lines, "out"), ...going(lines, "in")], (line) => line.component).map(({ name, lines: some }) => ({
    name, out: going(some, "out"), in: going(some, "in"),
  }));
  groups.sort((a, b) => sum(b.out)[measure] - sum(a.out)[measure] || sum(b.in)[measure] - sum(a.in)[measure]);
  const most = Math.max(1, ...groups.flatMap((group) => [sum(group.out)[measure], sum(group.in)[measure]]));
  const series = groups.map((group) => ({ name: group.name, out: sum(group.out), in: sum(group.in) }));
  return html`<section class="card card-padded by-component" aria-label=${t("disclosure.by_component")} data-kind="bars" data-series=${JSON.stringify(series)}>
    <h3><${Icon} name="chart" />${t("disclosure.by_component")}<span class="grow"></span>
      <div class="segments" role="group" aria-label=${t("disclosure.measure")}>
        <button type="button" aria-pressed=${measure === "size"} onClick=${() => setMeasure("size")}>${t("disclosure.measure.size")}</button>
        <button type="button" aria-pressed=${measure === "count"} onClick=${() => setMeasure("count")}>${t("disclosure.measure.count")}</button>
      </div></h3>
    <div class="sides" role="table" aria-label=${t("disclosure.by_component")}>
      <div role="row" class="sides-head"><span role="columnheader">${t("disclosure.in")}</span><span role="columnheader">${t("disclosure.column.component")}</span><span role="columnheader">${t("disclosure.out")}</span></div>
      ${groups.map((group) => html`<div role="row" key=${group.name}>
        <${Side} lines=${group.in} most=${most} measure=${measure} left />
        <span role="cell" class="sides-name"><a href=${link("details", { ...keyQuery(job), component: group.name, tab: "messages" })} title=${group.name}>${group.name}</a></span>
        <${Side} lines=${group.out} most=${most} measure=${measure} />
      </div>`)}
    </div>
  </section>`;
}

/** @param {{lines: Disclosed[], most: number, measure: Measure, left?: boolean}} props */
function Side({ lines, most, measure, left = false }) {
  const value = sum(lines)[measure];
  return html`<span role="cell" class=${`side ${left ? "side-left" : ""}`}>
    <span class="side-bar" style=${`width:${(78 * value) / most}%`}><${KindBar} kinds=${byKind(lines)} of=${value} measure=${measure} /></span>
    <span class="tabular">${value ? (measure === "size" ? bytes(value) : integer(value)) : "-"}</span>
  </span>`;
}

/** What went to each party and came from it. @param {{lines: Disclosed[], us: string}} props */
export function Peers({ lines, us }) {
  const groups = grouped([...going(lines, "out"), ...going(lines, "in")], peerOf).filter((group) => group.name);
  return html`<section class="card card-padded peers" aria-label=${t("disclosure.peers")}>
    <h3><${Icon} name="users" />${t("disclosure.peers")}</h3>
    <ul>${groups.map(({ name, lines: some }) => html`<li key=${name}>
      ${/** @type {const} */ (["out", "in"]).map((direction) => {
        const part = going(some, direction);
        const total = sum(part);
        const ends = direction === "out" ? [us, name] : [name, us];
        return html`<div class="peer" key=${direction} data-direction=${direction}>
          <span class="peer-ends"><b>${ends[0]}</b> <${Icon} name="arrow_right" size=${14} /> <b>${ends[1]}</b></span>
          <${KindBar} kinds=${byKind(part)} of=${total.size} measure="size" />
          <span class="tabular muted">${bytes(total.size)} · ${messageCount(total.count)}</span>
        </div>`;
      })}
    </li>`)}</ul>
  </section>`;
}
