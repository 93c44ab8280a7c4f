/** The parameters that a component ran with, and which of them were changed. */

import { useData } from "./api.js";
import { html, useState } from "./html.js";
import { t } from "./i18n.js";
import { JsonTree, same } from "./jsontree.js";
import { CopyButton, Empty, ErrorBox, IconButton, SearchBox, Spinner, Toggle } from "./ui.js";

/** How many members differ from the defaults. @param {any} parameters @param {any} defaults */
export function countChanged(parameters, defaults) {
  return Object.entries(parameters).filter(([name, value]) => name in defaults && !same(value, defaults[name])).length;
}

/** @param {{path: string}} props path: of the component in the API */
export function ParametersView({ path }) {
  const { data, error, loading, reload } = useData(`${path}/parameters`);
  const [sought, setSought] = useState("");
  const [changedOnly, setChangedOnly] = useState(false);
  const [fold, setFold] = useState({ turn: 0, open: 1 });
  if (error) return html`<${ErrorBox} error=${error} retry=${reload} />`;
  if (!data) return loading ? html`<${Spinner} />` : null;
  const known = Object.keys(data.defaults || {}).length > 0;
  if (!Object.keys(data.parameters).length) {
    return html`<${Empty} icon="list" title=${t("job.parameters.none")} hint=${t("job.parameters.none_hint")} />`;
  }
  const all = fold.open > 1;
  return html`<div class="parameters">
    <div class="job-bar">
      <${SearchBox} value=${sought} onInput=${setSought} label=${t("job.parameters.filter")} />
      ${known && html`<${Toggle} on=${changedOnly} onChange=${setChangedOnly} label=${t("job.parameters.changed", { n: countChanged(data.parameters, data.defaults) })} />`}
      <span class="grow"></span>
      <${IconButton} icon=${all ? "chevron_up" : "chevron_down"} label=${all ? t("job.tree.fold_all") : t("job.tree.unfold_all")}
        onClick=${() => setFold({ turn: fold.turn + 1, open: all ? 1 : 99 })} />
      <${CopyButton} text=${JSON.stringify(data.parameters, null, 2)} label=${t("job.copy_json")} small=${false} />
    </div>
    <p class="parameters-module"><span>${t("job.parameters.module")}</span> <strong>${data.module}</strong></p>
    <${JsonTree} value=${data.parameters} defaults=${known ? data.defaults : undefined} ...${{ sought, changedOnly }} open=${fold.open} fold=${fold.turn} />
  </div>`;
}
