/** Signing in. It stands in for whatever page was asked for, whose address stays as it is. */

import { get, post } from "../api.js";
import { html, useEffect, useRef, useState } from "../html.js";
import { LANGUAGES, language, setLanguage, t } from "../i18n.js";
import { Logo } from "../icons.js";
import { route } from "../router.js";
import { beginSession, signedOut } from "../session.js";
import { Button, ErrorBox, IconButton, NoticeLine } from "../ui.js";

/** Seconds that are left until a time, once a second. @param {number} until ms */
function useCountdown(until) {
  const [now, setNow] = useState(Date.now());
  const left = Math.max(0, Math.ceil((until - now) / 1000));
  useEffect(() => {
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 250);
    return () => clearInterval(timer);
  }, [until]);
  return left;
}

/** What signing in came to, and when it may be tried again. */
function useSignIn() {
  const [error, setError] = useState(/** @type {any} */ (null));
  const [busy, setBusy] = useState(false);
  const [until, setUntil] = useState(0);
  /** @param {string} user @param {string} password */
  const signIn = async (user, password) => {
    setBusy(true);
    setError(null);
    try {
      const who = await post("/session", { username: user, password });
      beginSession(who?.user ? who : await get("/session"));
    } catch (problem) {
      const { retryAfter = 0 } = /** @type {any} */ (problem);
      if (retryAfter) setUntil(Date.now() + retryAfter * 1000);
      setError(problem);
      setBusy(false);
    }
  };
  return { error, busy, wait: useCountdown(until), signIn };
}

/** @param {{value: string, onInput: (text: string) => void, missing: boolean, inputRef: any}} props */
function PasswordField({ value, onInput, missing, inputRef }) {
  const [shown, setShown] = useState(false);
  return html`<div class="field">
    <label class="field-label" for="password">${t("login.password")}</label>
    <div class="password">
      <input
        id="password"
        ref=${inputRef}
        name="password"
        type=${shown ? "text" : "password"}
        autocomplete="current-password"
        value=${value}
        aria-invalid=${missing ? "true" : undefined}
        aria-describedby=${missing ? "password-missing" : undefined}
        onInput=${(/** @type {any} */ event) => onInput(event.currentTarget.value)}
      />
      <${IconButton}
        icon=${shown ? "eye_off" : "eye"}
        label=${shown ? t("login.hide_password") : t("login.show_password")}
        onClick=${() => setShown(!shown)}
      />
    </div>
    ${missing && html`<p class="field-problem" id="password-missing">${t("login.password_missing")}</p>`}
  </div>`;
}

export function LoginPage() {
  const [user, setUser] = useState("");
  const [password, setPassword] = useState("");
  const [tried, setTried] = useState(false);
  const first = useRef(/** @type {HTMLInputElement | null} */ (null));
  const second = useRef(/** @type {HTMLInputElement | null} */ (null));
  const { error, busy, wait, signIn } = useSignIn();
  useEffect(() => first.current?.focus(), []);
  useEffect(() => {
    document.title = `${t("login.title")} · Distaff`;
  }, [language.value]);
  useEffect(() => {
    if (error) second.current?.select();
  }, [error]);
  /** @param {Event} event */
  const submit = (event) => {
    event.preventDefault();
    setTried(true);
    if (!user) return first.current?.focus();
    if (!password) return second.current?.focus();
    if (!wait && !busy) signIn(user, password);
  };
  const deeper = !["", "login"].includes(route.value.page);
  const userMissing = tried && !user;
  return html`<main class="login">
    <form class="login-card panel" onSubmit=${submit} noValidate>
      <div class="login-head">
        <${Logo} size=${36} />
        <h1>${t("login.title")}</h1>
        <p class="muted">${t("login.subtitle")}</p>
      </div>
      ${signedOut.value === "expired"
        ? html`<${NoticeLine} level="info">${t("login.expired")}<//>`
        : deeper && html`<${NoticeLine} level="info">${t("login.then_back")}<//>`}
      <div class="field">
        <label class="field-label" for="user">${t("login.user")}</label>
        <input
          id="user"
          ref=${first}
          name="username"
          type="text"
          autocomplete="username"
          autocapitalize="none"
          spellcheck=${false}
          value=${user}
          aria-invalid=${userMissing ? "true" : undefined}
          aria-describedby=${userMissing ? "user-missing" : undefined}
          onInput=${(/** @type {any} */ event) => setUser(event.currentTarget.value)}
        />
        ${userMissing && html`<p class="field-problem" id="user-missing">${t("login.user_missing")}</p>`}
      </div>
      <${PasswordField} value=${password} onInput=${setPassword} missing=${tried && !!user && !password} inputRef=${second} />
      ${wait > 0
        ? html`<${NoticeLine} level="warn">${t("login.wait", { seconds: wait })}<//>`
        : html`<${ErrorBox} error=${error} />`}
      <${Button} type="submit" kind="primary" busy=${busy} disabled=${wait > 0}>${t("login.sign_in")}<//>
    </form>
    <p class="login-languages">
      ${/** @type {(keyof typeof LANGUAGES)[]} */ (Object.keys(LANGUAGES)).map(
        (name) => html`<button
          type="button"
          key=${name}
          class="button button-quiet button-small"
          lang=${name}
          aria-pressed=${String(language.value === name)}
          onClick=${() => setLanguage(name)}
        >
          ${LANGUAGES[name]}
        </button>`,
      )}
    </p>
  </main>`;
}
