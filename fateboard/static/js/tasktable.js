/** The components of a job as a table: the third form beside graph and timeline. */

import { lasted, useNow } from "./clock.js";
import { look } from "./dag.js";
import { duration, time } from "./format.js";
import { html } from "./html.js";
import { t } from "./i18n.js";
import { Status } from "./ui.js";

/**
 * @param {{dag: import("./types").Dag, tasks: import("./types").Task[], stopped?: string, selected: string,
 *   onSelect: (name: string) => void}} props
 */
export function TaskTable({ dag, tasks, stopped = "", selected, onSelect }) {
  const now = useNow(tasks.some((task) => task.status === "running"));
  const state = new Map(tasks.map((task) => [task.component, task]));
  const again = tasks.some((task) => task.version > 0);
  return html`<div class="tasks" tabindex="0" role="region" aria-label=${t("job.tasks.label")}>
    <table>
      <thead><tr>
        <th scope="col">${t("job.tasks.component")}</th><th scope="col">${t("job.tasks.status")}</th>
        <th scope="col">${t("job.tasks.started")}</th><th scope="col">${t("job.tasks.took")}</th>
        ${again && html`<th scope="col">${t("job.tasks.attempt")}</th>`}
      </tr></thead>
      <tbody>
        ${dag.nodes.map((node) => {
          const task = state.get(node.name);
          const status = look(task?.status, node.need_run);
          return html`<tr key=${node.name} class=${node.name === selected ? "selected" : ""}>
            <th scope="row">
              <button type="button" class="plain" data-component=${node.name} onClick=${() => onSelect(node.name)}>${node.name}</button>
              <small>${node.module}</small>
              ${task?.error && html`<p class="tasks-error">${task.error.split("\n")[0]}</p>`}
            </th>
            <td title=${status === "not_reached" ? stopped : undefined}><${Status} status=${status} /></td>
            <td class="tabular" title=${time(task?.started_ms)}>${time(task?.started_ms).slice(-8)}</td>
            <td class="num">${task ? duration(lasted(task, now)) : "-"}</td>
            ${again && html`<td class="num">${task ? task.version + 1 : "-"}</td>`}
          </tr>`;
        })}
      </tbody>
    </table>
  </div>`;
}
