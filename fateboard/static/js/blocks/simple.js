// Blocks that need no chart: key and value, text, raw JSON, a choice, tabs.

import { html, useMemo, useState } from "../html.js";
import { cell, full } from "../format.js";
import { say, t } from "../i18n.js";
import { NoticeLine, Tabs } from "../ui.js";
import { Blocks } from "./index.js";
import { Chooser } from "./filters.js";

/** @import {Choice, Item, KeyValues, Paragraph, Raw, Tabs as TabsOf} from "../types.js" */
/** @import {Context} from "./index.js" */

/** @param {{item: Item}} props */
function Value({ item }) {
  const { value } = item;
  if (value !== null && typeof value === "object") return html`${say(value)}`;
  return html`<span title=${typeof value === "number" ? full(value) : undefined}>${cell(value, item.format ?? "text")}</span>`;
}

/** @param {{block: KeyValues}} props */
export function KeyValuesBlock({ block }) {
  return html`${block.title && html`<h3 class="b-title">${say(block.title)}</h3>`}
    <dl class="b-kv">
      ${block.items.map(
        (item, index) => html`<div key=${index} title=${item.help ? say(item.help) : undefined}>
          <dt>${say(item.label)}</dt>
          <dd><${Value} item=${item} />${item.help && html`<span class="hidden-label"> (${say(item.help)})</span>`}</dd>
        </div>`,
      )}
    </dl>
    ${block.help && html`<p class="b-help">${say(block.help)}</p>`}`;
}

/** @param {{block: Paragraph}} props */
export function TextBlock({ block }) {
  return html`${block.title && html`<h3 class="b-title">${say(block.title)}</h3>`}
    ${(block.level ?? "info") === "info"
      ? html`<p class="b-text">${say(block.text)}</p>`
      : html`<${NoticeLine} level=${block.level}>${say(block.text)}<//>`}`;
}

const MOST_SHOWN = 200_000;

/** @param {string} text */
function indented(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** @param {{block: Raw}} props */
export function JsonBlock({ block }) {
  const [open, setOpen] = useState(false);
  const text = useMemo(() => (open ? indented(block.content) : ""), [open, block.content]);
  return html`<details class="b-json" onToggle=${(/** @type {any} */ event) => setOpen(event.target.open)}>
    <summary>${block.title ? say(block.title) : t("blocks.raw")}</summary>
    <pre tabindex="0" role="group" aria-label=${block.title ? say(block.title) : t("blocks.raw")}>${text.slice(0, MOST_SHOWN)}</pre>
    ${text.length > MOST_SHOWN && html`<p class="b-help">${t("blocks.raw_cut", { n: MOST_SHOWN })}</p>`}
  </details>`;
}

/** @param {{block: Choice, context: Context}} props */
export function ChoiceBlock({ block, context }) {
  const options = useMemo(
    () => block.options.map((option) => ({ id: option.id, label: say(option.label), group: option.group })),
    [block.options],
  );
  const shown = block.selected ?? "";
  const asked = context.path?.[block.id];
  const selected = asked !== undefined && options.some((option) => option.id === asked) ? asked : shown;
  return html`<div class="b-choice">
      ${block.title && html`<h3 class="b-title">${say(block.title)}</h3>`}
      <${Chooser}
        label=${say(block.label)}
        options=${options}
        selected=${selected}
        steps=${options.length > 2}
        onSelect=${(/** @type {string} */ id) => context.choose?.(block.id, id)}
      />
    </div>
    <div class=${selected === shown ? "" : "is-stale"} aria-busy=${selected !== shown}>
      <${Blocks} blocks=${block.blocks ?? []} context=${context} />
    </div>`;
}

/** @param {{block: TabsOf, context: Context}} props */
export function TabsBlock({ block, context }) {
  const [own, setOwn] = useState("");
  const asked = context.path?.[`~${block.id}`] ?? own;
  const item = block.items.find((one) => one.id === asked) ?? block.items[0];
  if (!item) return null;
  const select = (/** @type {string} */ id) => {
    setOwn(id);
    context.choose?.(`~${block.id}`, id);
  };
  return html`${block.title && html`<h3 class="b-title">${say(block.title)}</h3>`}
    <${Tabs}
      items=${block.items.map((one) => ({ id: one.id, label: say(one.label) }))}
      selected=${item.id}
      onSelect=${select}
      label=${block.title ? say(block.title) : undefined}
    >
      <${Blocks} key=${item.id} blocks=${item.blocks} context=${context} />
    <//>`;
}
