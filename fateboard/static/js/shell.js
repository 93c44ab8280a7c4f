/** What stands around every page: navigation, banner, help, and the page of the route. */

import { del, get } from "./api.js";
import { html, useEffect, useErrorBoundary, useRef, useState } from "./html.js";
import { LANGUAGES, language, setLanguage, t } from "./i18n.js";
import { Logo } from "./icons.js";
import { useKeys } from "./keys.js";
import { connection, flowState } from "./live.js";
import { Banner, useEnded } from "./outage.js";
import { link, navigate, route } from "./router.js";
import { endSession, session } from "./session.js";
import { ShortcutsDialog } from "./shortcuts.js";
import { setTheme, theme } from "./theme.js";
import { Button, ConfirmHost, Empty, ErrorBox, IconButton, Menu, Spinner, Toasts } from "./ui.js";

/** @import {Session} from "./types.js" */

/** Pages by the first word of the address. Each module exports `Page({query})`.
 * @type {Record<string, {load: () => Promise<any>, title: () => string, nav?: string}>} */
const PAGES = Object.assign(Object.create(null), {
  running: { load: () => import("./pages/running.js"), title: () => t("nav.running"), nav: "running" },
  history: { load: () => import("./pages/jobs.js"), title: () => t("nav.jobs"), nav: "history" },
  compare: { load: () => import("./pages/compare.js"), title: () => t("nav.compare"), nav: "compare" },
  serving: { load: () => import("./pages/serving.js"), title: () => t("nav.serving"), nav: "serving" },
  about: { load: () => import("./pages/about.js"), title: () => t("nav.about") },
  dashboard: { load: () => import("./pages/job.js"), title: () => t("nav.job"), nav: "history" },
  details: { load: () => import("./pages/job.js"), title: () => t("nav.job"), nav: "history" },
  disclosure: { load: () => import("./pages/disclosure.js"), title: () => t("nav.disclosure"), nav: "history" },
}); // nothing inherited: an address may say "constructor"
const HOME = "history";
const NAMES_OF_HOME = ["", "login", "index.html"];

/** @param {{error: import("./api.js").ApiError}} props */
export function ApiErrorPage({ error }) {
  return html`<main class="boot"><${ErrorBox} error=${error} retry=${() => location.reload()} /></main>`;
}

/** The module of a page, loaded when it is first shown. @param {string} name */
function useModule(name) {
  const [loaded, setLoaded] = useState({ name: "", module: /** @type {any} */ (null), error: /** @type {any} */ (null) });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let wanted = true;
    PAGES[name]?.load().then(
      (module) => wanted && setLoaded({ name, module, error: null }),
      (error) => wanted && setLoaded({ name, module: null, error }),
    );
    return () => {
      wanted = false;
    };
  }, [name, turn]);
  return { ...(loaded.name === name ? loaded : { module: null, error: null }), retry: () => setTurn(turn + 1) };
}

/** A page that breaks leaves the rest usable. @param {{module: any, query: Record<string, string>}} props */
function Guarded({ module, query }) {
  const [error, again] = useErrorBoundary((problem) => console.error(problem));
  if (error) return html`<${ErrorBox} error=${{ message: t("error.page_broke") }} retry=${again} />`;
  return html`<${module.Page} query=${query} />`;
}

/** @param {{name: string, query: Record<string, string>}} props */
function CurrentPage({ name, query }) {
  const { module, error, retry } = useModule(name);
  if (!PAGES[name]) {
    return html`<${Empty}
      title=${t("page.unknown")}
      hint=${t("page.unknown_hint")}
      action=${html`<${Button} href=${link(HOME)}>${t("page.to_jobs")}<//>`}
    />`;
  }
  if (error) return html`<${ErrorBox} error=${{ message: t("error.page_not_loaded") }} retry=${retry} />`;
  if (!module) return html`<${Spinner} />`;
  return html`<${Guarded} key=${name} module=${module} query=${query} />`;
}

async function signOut() {
  await del("/session").catch(() => null);
  endSession();
  navigate("login");
}

function Connection() {
  const words = { live: t("live.live"), polling: t("live.polling"), down: t("live.down") };
  const state = connection.value;
  return html`<span class=${`connection connection-${state}`} role="status" title=${words[state]}>
    <span class="connection-dot" aria-hidden="true"></span><span class="connection-word">${words[state]}</span>
  </span>`;
}

/** @param {{page: string, children?: any, current: boolean}} props */
function NavLink({ page, children, current }) {
  return html`<a class="nav-link" href=${link(page)} aria-current=${current ? "page" : undefined}>${children}</a>`;
}

function LanguageMenu() {
  const names = /** @type {(keyof typeof LANGUAGES)[]} */ (Object.keys(LANGUAGES));
  return html`<${Menu}
    label=${t("nav.language")}
    icon="language"
    align="right"
    items=${names.map((name) => ({
      id: name,
      label: LANGUAGES[name],
      checked: language.value === name,
      onSelect: () => setLanguage(name),
    }))}
  />`;
}

function ThemeMenu() {
  const choices = /** @type {const} */ ([
    ["system", t("theme.system")],
    ["light", t("theme.light")],
    ["dark", t("theme.dark")],
  ]);
  return html`<${Menu}
    label=${t("nav.theme")}
    icon=${theme.value === "system" ? "screen" : theme.value === "dark" ? "moon" : "sun"}
    align="right"
    items=${choices.map(([name, label]) => ({
      id: name,
      label,
      checked: theme.value === name,
      onSelect: () => setTheme(name),
    }))}
  />`;
}

/** @param {{session: Session}} props */
function UserMenu({ session: who }) {
  const access = { viewer: t("access.viewer"), operator: t("access.operator"), admin: t("access.admin") };
  const items = [
    { id: "about", label: t("nav.about"), icon: "info", onSelect: () => navigate("about") },
    ...(who.local ? [] : [null, { id: "out", label: t("login.sign_out"), icon: "external", onSelect: signOut }]),
  ];
  const name = who.local ? t("nav.local") : who.user || t("nav.guest");
  return html`<${Menu}
    label=${`${name} · ${access[who.access] ?? who.access}`}
    icon="user"
    text=${name}
    kind="quiet"
    align="right"
    items=${items}
  />`;
}

/** Whether this site runs online inference, asked again when fateflow is back.
 * @param {boolean} asking */
function useHasServing(asking) {
  const [has, setHas] = useState(false);
  const up = flowState.value?.up ?? true;
  useEffect(() => {
    if (asking && up) get("/server").then((info) => info.flow_up && setHas(info.serving), () => null);
  }, [asking, up]);
  return has;
}

/** @param {{current: string, who: Session, help: () => void, skip: () => void}} props */
function Bar({ current, who, help, skip }) {
  const hasServing = useHasServing(!who.job);
  return html`<header class="bar">
    <button type="button" class="skip" onClick=${skip}>${t("nav.skip")}</button>
    <a class="brand" href=${link(HOME)} aria-label=${t("nav.home")}><${Logo} /><span>Distaff</span></a>
    ${!who.job &&
    html`<nav aria-label=${t("nav.main")} class="bar-nav">
      <${NavLink} page="running" current=${current === "running"}>${t("nav.running")}<//>
      <${NavLink} page="history" current=${current === "history"}>${t("nav.jobs")}<//>
      <${NavLink} page="compare" current=${current === "compare"}>${t("nav.compare")}<//>
      ${hasServing && html`<${NavLink} page="serving" current=${current === "serving"}>${t("nav.serving")}<//>`}
    </nav>`}
    <div class="spread"></div>
    <${Connection} />
    <div class="bar-tools">
      <${IconButton} icon="help" label=${t("nav.help")} onClick=${help} />
      <${LanguageMenu} />
      <${ThemeMenu} />
      <${UserMenu} session=${who} />
    </div>
  </header>`;
}

const PAGES_OF_ONE_JOB = ["dashboard", "details", "disclosure", "about"];

/** The page that an address leads to: a share link's reader sees one job alone.
 * @param {string} page @param {Session} who */
function pageFor(page, who) {
  if (who.job && !PAGES_OF_ONE_JOB.includes(page)) return "dashboard";
  return NAMES_OF_HOME.includes(page) ? HOME : page;
}

/** @param {Session} who */
function sharedJob(who) {
  const [job_id, role, party_id] = (who.job ?? "").split("/");
  return { job_id, role, party_id };
}

export function Shell() {
  const [help, setHelp] = useState(false);
  const main = useRef(/** @type {HTMLElement | null} */ (null));
  const who = /** @type {Session} */ (session.value);
  const { page, query } = route.value;
  const name = pageFor(page, who);
  const title = PAGES[name]?.title() ?? t("page.unknown");
  useEnded(!who.job);
  useEffect(() => {
    if (name !== page) navigate(name, who.job ? sharedJob(who) : {}, { replace: true });
  }, [name, page]);
  useEffect(() => {
    document.title = query.job_id ? `${query.job_id} · Distaff` : `${title} · Distaff`;
  }, [title, query.job_id]);
  useKeys({
    "?": () => setHelp(true),
    "g r": () => navigate("running"),
    "g h": () => navigate("history"),
    "g c": () => navigate("compare"),
    "g s": () => navigate("serving"),
    "g a": () => navigate("about"),
  });
  const skip = () => main.current?.focus();
  return html`<${Bar} current=${PAGES[name]?.nav ?? ""} who=${who} help=${() => setHelp(true)} skip=${skip} />
    <${Banner} session=${who} />
    <main ref=${main} tabindex="-1" class=${`page page-${name}`}>
      ${name === page && html`<${CurrentPage} name=${name} query=${query} />`}
    </main>
    <${Toasts} />
    <${ConfirmHost} />
    ${help && html`<${ShortcutsDialog} onClose=${() => setHelp(false)} />`}`;
}
