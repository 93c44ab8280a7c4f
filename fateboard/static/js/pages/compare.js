import { html } from "../html.js";

export function Page() {
  return html`<p>…</p>`;
}
