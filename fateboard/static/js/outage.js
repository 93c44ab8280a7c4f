/** The banner: what does not answer, and what the operator should know. */

import { get, outage, recovered } from "./api.js";
import { effect, html, useEffect, useState } from "./html.js";
import { say, t } from "./i18n.js";
import { Icon } from "./icons.js";
import { flowState, subscribe } from "./live.js";
import { link } from "./router.js";
import { toast } from "./ui.js";

/** @import {JobRow, Session} from "./types.js" */

const AGAIN_MS = 3000;

/** Asks while there is an outage whether it is over. */
function useRecovery() {
  const broken = outage.value != null;
  useEffect(() => {
    if (!broken) return;
    const timer = setInterval(async () => {
      const info = await get("/server").catch(() => null);
      if (info?.flow_up) {
        outage.value = null;
        recovered.value += 1;
      } else if (info) {
        outage.value = { who: "flow", text: info.flow_url };
      }
    }, AGAIN_MS);
    return () => clearInterval(timer);
  }, [broken]);
}

/** @param {{session: Session}} props */
export function Banner({ session }) {
  const [closed, setClosed] = useState(false);
  const [address, setAddress] = useState("");
  const problem = outage.value;
  useRecovery();
  useEffect(() => {
    get("/server").then((info) => {
      setAddress(info.flow_url);
      if (!info.flow_up) outage.value = { who: "flow", text: info.flow_url };
    }, () => null);
  }, []);
  const notices = closed ? [] : (session.notices ?? []);
  return html`<div class="banners" aria-live="assertive">
    ${problem &&
    html`<div class="banner banner-bad" data-outage=${problem.who}>
      <${Icon} name="alert" />
      <span>
        ${problem.who === "flow" ? t("outage.flow", { address: address || problem.text }) : t("outage.board")}
        ${" "}<span class="muted">${t("outage.again")}</span>
      </span>
    </div>`}
    ${notices.map(
      (notice) => html`<div class=${`banner banner-${notice.level}`} key=${notice.text.code}>
        <${Icon} name=${notice.level === "info" ? "info" : "alert"} /><span>${say(notice.text)}</span>
        <button type="button" class="icon-button icon-button-small" aria-label=${t("action.close")} onClick=${() => setClosed(true)}>
          <${Icon} name="close" size=${14} />
        </button>
      </div>`,
    )}
  </div>`;
}

effect(() => {
  const state = flowState.value;
  if (state && !state.up) outage.value = { who: "flow", text: state.problem };
  if (state?.up && outage.peek()?.who === "flow") {
    outage.value = null;
    recovered.value = recovered.peek() + 1;
  }
});

const GATHER_MS = 500;

/** Says on every page that a job has ended, with a link to it: once for all parties of it that this
 * site has. @param {boolean} allowed a share link's reader sees one job alone */
export function useEnded(allowed) {
  useEffect(() => {
    if (!allowed) return;
    /** @type {JobRow[]} */
    let gathered = [];
    let timer = 0;
    const tell = () => {
      for (const rows of Object.values(Object.groupBy(gathered, (job) => `${job.job_id} ${job.status}`))) {
        if (rows) tellEnded(rows);
      }
      gathered = [];
    };
    const stop = subscribe("jobs", ({ kind, body }) => {
      if (kind !== "ended") return;
      gathered.push(body);
      clearTimeout(timer);
      timer = setTimeout(tell, GATHER_MS);
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [allowed]);
}

/** @param {JobRow[]} rows of one job */
function tellEnded(rows) {
  const [job] = rows;
  const names = { job: job.job_id, party: rows.map(({ role, party_id }) => `${role} ${party_id}`).join(", ") };
  const href = link("details", { job_id: job.job_id, role: job.role, party_id: job.party_id });
  const action = t("action.view_job");
  if (job.status === "success") toast("success", t("ended.success", names), { href, action });
  else if (job.status === "canceled") toast("info", t("ended.canceled", names), { href, action });
  else toast("warn", t("ended.failed", names), { href, action });
}
