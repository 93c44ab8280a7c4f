/** Which tables each party brought to the job. */

import { html } from "./html.js";
import { t } from "./i18n.js";

const ORDER = ["guest", "host", "arbiter", "local"];

/** Data sets by role and party, in the order of roles. @param {import("./types").Dataset[]} datasets
 * @returns {{role: string, party: string, tables: {component: string, table: string}[]}[]} */
export function byParty(datasets) {
  const groups = new Map();
  for (const { role, party_id: party, component, table } of datasets) {
    const group = groups.get(`${role} ${party}`) || { role, party, tables: [] };
    group.tables.push({ component, table });
    groups.set(`${role} ${party}`, group);
  }
  const rank = (/** @type {string} */ role) => (ORDER.indexOf(role) + 1 || ORDER.length + 1);
  return [...groups.values()].sort((a, b) => rank(a.role) - rank(b.role));
}

/** @param {{datasets: import("./types").Dataset[], mine: string, onSelect: (component: string) => void}} props
 *   mine: "guest 9999" */
export function Datasets({ datasets, mine, onSelect }) {
  const groups = byParty(datasets);
  if (!groups.length) return html`<p class="muted">${t("job.datasets.none")}</p>`;
  return html`<dl class="datasets">
    ${groups.map(({ role, party, tables }) => html`<div key=${role + party}>
      <dt><span class="role" data-role=${role}>${role}</span> ${party}${mine === `${role} ${party}` && html` <small>${t("job.datasets.mine")}</small>`}</dt>
      ${tables.map(({ component, table }) => html`<dd key=${component}>
        <span class="mono" title=${table}>${table}</span>
        <button type="button" class="plain" onClick=${() => onSelect(component)}>${component}</button>
      </dd>`)}
    </div>`)}
  </dl>`;
}
