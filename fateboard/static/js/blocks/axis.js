// Tables of which a slider picks the numbers: quantile precision and recall, the confusion matrix.

import { html, useMemo, useState } from "../html.js";
import { integer, number, percent } from "../format.js";
import { say, t } from "../i18n.js";
import { DataTable } from "../table.js";
import { Button, Slider } from "../ui.js";
import { saveText } from "./files.js";
import { csv, saidRow } from "./rows.js";

/** @import {ByAxis, Confusion, ConfusionModel} from "../types.js" */

/** @param {{label: string, positions: number[], selected: number, onSelect: (at: number) => void}} props */
function AxisSlider({ label, positions, selected, onSelect }) {
  return html`<${Slider}
    label=${label}
    min=${0}
    max=${positions.length - 1}
    step=${1}
    value=${selected}
    shown=${number(positions[selected])}
    onInput=${onSelect}
  />`;
}

/** The rows at one position: columns without cells along the axis take a row's values in turn.
 * @param {ByAxis} block @param {number} at */
function rowsAt(block, at) {
  return block.rows.map((row, index) => {
    const fixed = saidRow(row).values();
    return block.columns.map((column) => {
      const along = block.cells[column.id];
      return along ? (along[index]?.[at] ?? null) : (fixed.next().value ?? null);
    });
  });
}

/** @param {{block: ByAxis}} props */
export function AxisTable({ block }) {
  const [moved, setMoved] = useState(/** @type {number | null} */ (null));
  const at = Math.min(moved ?? block.selected, block.positions.length - 1);
  const rows = useMemo(() => rowsAt(block, at), [block, at]);
  return html`<${DataTable}
      title=${block.title}
      columns=${block.columns}
      rows=${rows}
      filename=${block.export_name || block.id}
      actions=${html`<${AxisSlider} label=${say(block.axis)} positions=${block.positions} selected=${at} onSelect=${setMoved} />`}
    />${block.help && html`<p class="b-help">${say(block.help)}</p>`}`;
}

/** Counts of a model at one threshold. @param {ConfusionModel} model @param {number} at */
function countsAt(model, at) {
  const [tn, fp, fn, tp] = [model.tn[at], model.fp[at], model.fn[at], model.tp[at]];
  const total = (tn ?? 0) + (fp ?? 0) + (fn ?? 0) + (tp ?? 0);
  return { tn, fp, fn, tp, total, f1: model.f1[at] };
}

/** @param {{count: number | null | undefined, total: number, right: boolean, what: string}} props */
function Count({ count, total, right, what }) {
  const share = count === null || count === undefined || !total ? null : count / total;
  return html`<td class="is-number b-cm" title=${what}>
    <span class=${`b-cm-fill ${right ? "is-right" : "is-wrong"}`} style=${{ opacity: (share ?? 0) * 0.55 }} aria-hidden="true"></span>
    <span class="b-cm-text">${share === null ? "-" : html`<b>${integer(count)}</b> <small>${percent(share)}</small>`}</span>
  </td>`;
}

/** @param {{model: ConfusionModel, at: number}} props */
function ModelRows({ model, at }) {
  const { tn, fp, fn, tp, total, f1 } = countsAt(model, at);
  const [label, dataset] = [say(model.label), say(model.dataset)];
  return html`<tbody class="b-cm-model" data-model=${label} data-dataset=${dataset}>
    <tr>
      <th scope="rowgroup" rowspan="2" title=${label}><span class="dt-text">${label || "-"}</span></th>
      <td rowspan="2">${dataset || "-"}</td>
      <td rowspan="2" class="is-number" data-f1=${f1 ?? ""}>${number(f1)}</td>
      <th scope="row" class="is-number">0</th>
      <${Count} count=${tn} total=${total} right what=${t("blocks.true_negative")} />
      <${Count} count=${fp} total=${total} right=${false} what=${t("blocks.false_positive")} />
    </tr>
    <tr>
      <th scope="row" class="is-number">1</th>
      <${Count} count=${fn} total=${total} right=${false} what=${t("blocks.false_negative")} />
      <${Count} count=${tp} total=${total} right what=${t("blocks.true_positive")} />
    </tr>
  </tbody>`;
}

/** @param {Confusion} block @param {number} at */
function saveConfusion(block, at) {
  const headings = [t("blocks.model"), t("blocks.dataset"), t("blocks.threshold_short"), "F1", "TN", "FP", "FN", "TP"];
  const rows = block.models.map((model) => {
    const { tn, fp, fn, tp, f1 } = countsAt(model, at);
    return [say(model.label), say(model.dataset), block.thresholds[at], f1, tn, fp, fn, tp].map((value) => value ?? null);
  });
  saveText(`${block.export_name || block.id}.csv`, csv(headings, rows), "text/csv");
}

/** @param {{block: Confusion}} props */
export function ConfusionBlock({ block }) {
  const [moved, setMoved] = useState(/** @type {number | null} */ (null));
  const at = Math.min(moved ?? block.selected, block.thresholds.length - 1);
  const caption = block.title ? say(block.title) : t("blocks.confusion");
  return html`<div class="dt-tools">
      <h3 class="b-title">${caption}</h3>
      <span class="b-grow"></span>
      <${AxisSlider} label=${t("blocks.threshold")} positions=${block.thresholds} selected=${at} onSelect=${setMoved} />
      <${Button} small icon="download" title=${t("blocks.export_csv")} onClick=${() => saveConfusion(block, at)}>CSV<//>
    </div>
    <div class="dt-scroll" tabindex="0" role="group" aria-label=${caption}>
      <table class="b-cm-table" data-threshold=${block.thresholds[at]}>
        <thead>
          <tr>
            <th scope="col">${t("blocks.model")}</th>
            <th scope="col">${t("blocks.dataset")}</th>
            <th scope="col" class="is-number">F1</th>
            <th scope="col" class="is-number">${t("blocks.true_predicted")}</th>
            <th scope="col" class="is-number">0</th>
            <th scope="col" class="is-number">1</th>
          </tr>
        </thead>
        ${block.models.map((model) => html`<${ModelRows} key=${`${say(model.label)}\n${say(model.dataset)}`} model=${model} at=${at} />`)}
      </table>
    </div>
    ${block.help && html`<p class="b-help">${say(block.help)}</p>`}`;
}
