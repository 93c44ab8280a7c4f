/** Online inference of this site: services, models, a request to try. */
import { useData } from "../api.js";
import { html, useEffect } from "../html.js";
import { say, t } from "../i18n.js";
import { mayOperate } from "../jobs.js";
import { Icon } from "../icons.js";
import { setQuery } from "../router.js";
import { useScrollMemory } from "../scroll.js";
import { CopyButton, Empty, ErrorBox, NoticeLine, Spinner, Tabs } from "../ui.js";
import { Models } from "../serving/models.js";
import { Services } from "../serving/services.js";
import { Trial } from "../serving/trial.js";

/** @import {Serving} from "../types.js" */

const PAUSE_MS = 2000;
const START = "distaff up --serving";
const STEPS = `flow model deploy --model-id ID --model-version JOB --cpn-list ...
flow model load -c serve.json
flow model bind -c serve.json`;

/** The serving as it is, again and again while anyone looks. */
function useServing() {
  const found = useData("/serving");
  const { data, error, loading, reload } = found;
  useEffect(() => {
    if (loading) return undefined;
    const again = () => void (document.hidden || reload());
    const timer = setTimeout(again, PAUSE_MS);
    document.addEventListener("visibilitychange", again);
    return () => {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", again);
    };
  }, [data, error, loading, reload]);
  return { .../** @type {{data: Serving | undefined}} */ (found), error, reload };
}

function NotRunning() {
  return html`<div class="panel"><${Empty} icon="play" title=${t("serving.none")} hint=${t("serving.none_hint")}
    action=${html`<div class="sv-start">
      <pre tabindex="0">${START}</pre><${CopyButton} text=${START} />
      <p class="muted">${t("serving.none_then")}</p>
      <pre tabindex="0">${STEPS}</pre><${CopyButton} text=${STEPS} />
    </div>`} /></div>`;
}

/** @param {{serving: Serving}} props */
function Head({ serving }) {
  const { ready, parties, url, in_flight } = serving;
  return html`<span class=${`status tone-${ready ? "good" : "warn"}`} data-ready=${String(ready)}>
      <${Icon} name=${ready ? "circle_check" : "clock"} size=${14} /><span>${ready ? t("serving.ready") : t("serving.not_ready")}</span>
    </span>
    <span class="row sv-url"><span class="mono truncate" title=${url}>${url}</span><${CopyButton} text=${url} /></span>
    <span class="muted">${t("serving.in_flight", { n: in_flight })}</span>
    <ul class="sv-parties" aria-label=${t("serving.parties")}>
      ${parties.map(({ party_id, up }) => html`<li key=${party_id} class=${`chip tone-chip tone-${up ? "good" : "bad"}`} data-up=${String(up)}>
        <${Icon} name=${up ? "check" : "alert"} size=${14} />${up ? t("serving.party_up", { party: party_id }) : t("serving.party_down", { party: party_id })}
      </li>`)}
    </ul>`;
}

/** @param {{serving: Serving, query: Record<string, string>, changed: () => void}} props */
function Running({ serving, query, changed }) {
  const items = [
    { id: "services", label: t("serving.services"), badge: serving.services.length },
    { id: "models", label: t("serving.models"), badge: serving.models.length },
    ...(mayOperate() ? [{ id: "try", label: t("serving.action.try") }] : []),
  ];
  const selected = items.some((item) => item.id === query.tab) ? query.tab : "services";
  return html`${serving.problems.map((problem) => html`<${NoticeLine} key=${say(problem)} level="warn">${say(problem)}<//>`)}
    <${Tabs} items=${items} selected=${selected} label=${t("nav.serving")} onSelect=${(/** @type {string} */ tab) => setQuery({ tab }, { replace: false })}>
      ${selected === "services" && html`<${Services} serving=${serving} changed=${changed} />`}
      ${selected === "models" && html`<${Models} serving=${serving} changed=${changed} />`}
      ${selected === "try" && html`<${Trial} serving=${serving} chosen=${query.service} />`}
    <//>`;
}

/** @param {{query: Record<string, string>}} props */
export function Page({ query }) {
  const { data: serving, error, reload } = useServing();
  useScrollMemory(query.tab, serving != null);
  return html`<div class="sv">
    <div class="page-head"><h1>${t("nav.serving")}</h1>${serving?.running && html`<${Head} serving=${serving} />`}</div>
    <${ErrorBox} error=${error} retry=${reload} />
    ${!serving && !error && html`<${Spinner} />`}
    ${serving && !serving.running && html`<${NotRunning} />`}
    ${serving?.running && html`<${Running} serving=${serving} query=${query} changed=${reload} />`}
  </div>`;
}
