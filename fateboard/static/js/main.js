/** Where the board starts: messages, who is signed in, then the page of the address. */

import { get } from "./api.js";
import { effect, html, render } from "./html.js";
import { language, loadMessages, ready } from "./i18n.js";
import { followTabs, session } from "./session.js";
import { ApiErrorPage, Shell } from "./shell.js";
import { Spinner } from "./ui.js";
import { LoginPage } from "./pages/login.js";

const AGAIN_MS = 2000;

/** Asks until it is answered. @param {() => Promise<unknown>} ask */
async function insist(ask) {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof TypeError) && /** @type {any} */ (error).status !== 0) throw error;
      document.getElementById("boot-problem")?.removeAttribute("hidden");
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }
}

async function whoIsThere() {
  try {
    session.value = await get("/session");
  } catch (error) {
    if (/** @type {any} */ (error).status !== 401) throw error;
    session.value = null;
  }
}

function Boot() {
  // Messages are not here yet: this one sentence is written in both languages.
  return html`<main class="boot">
    <${Spinner} small />
    <p id="boot-problem" hidden>The board does not answer. Trying again… 看板没有响应，正在重试……</p>
  </main>`;
}

function App() {
  if (!ready.value || session.value === undefined) return html`<${Boot} />`;
  if (session.value === null) return html`<${LoginPage} />`;
  // Drawn anew in another language: charts and tables keep what they made of words.
  return html`<${Shell} key=${`${language.value} ${session.value.user}`} />`;
}

const root = /** @type {HTMLElement} */ (document.getElementById("app"));
render(html`<${App} />`, root);
followTabs(() => get("/session"));
insist(() => Promise.all([loadMessages(), whoIsThere()])).catch((error) =>
  render(html`<${ApiErrorPage} error=${error} />`, root),
);

effect(() => {
  document.documentElement.lang = language.value;
});
