/** The help dialog: all keys, and where they work. */

import { html } from "./html.js";
import { t } from "./i18n.js";
import { Dialog } from "./ui.js";

/** @returns {{title: string, keys: [string, string][]}[]} */
function groups() {
  return [
    {
      title: t("keys.everywhere"),
      keys: [
        ["g r", t("keys.running")],
        ["g h", t("keys.jobs")],
        ["g c", t("keys.compare")],
        ["g s", t("keys.serving")],
        ["g a", t("keys.about")],
        ["Esc", t("keys.close")],
        ["?", t("keys.help")],
      ],
    },
    {
      title: t("keys.in_lists"),
      keys: [
        ["/", t("keys.filter")],
        ["j k", t("keys.rows")],
        ["Enter", t("keys.open")],
        ["x", t("keys.pick")],
        ["c", t("keys.compare_picked")],
      ],
    },
    {
      title: t("keys.in_job"),
      keys: [
        ["↑ ↓ ← →", t("keys.graph")],
        ["Enter", t("keys.open_component")],
        ["l", t("keys.log")],
        ["f", t("keys.follow")],
      ],
    },
  ];
}

/** @param {{onClose: () => void}} props */
export function ShortcutsDialog({ onClose }) {
  return html`<${Dialog} title=${t("keys.title")} onClose=${onClose}>
    ${groups().map(
      ({ title, keys }) => html`<section class="keys" key=${title}>
        <h3>${title}</h3>
        <dl>
          ${keys.map(
            ([key, what]) => html`<div key=${key}>
              <dt>${key.split(" ").map((one) => html`<kbd>${one}</kbd> `)}</dt>
              <dd>${what}</dd>
            </div>`,
          )}
        </dl>
      </section>`,
    )}
  <//>`;
}
