/** Versions, where fateflow is, and whose libraries the page is made with. */

import { useData } from "../api.js";
import { zone } from "../format.js";
import { html, useEffect, useState } from "../html.js";
import { t } from "../i18n.js";
import { CopyButton, ErrorBox, NoticeLine, Spinner } from "../ui.js";

/** @import {ServerInfo} from "../types.js" */
/** @typedef {{file: string, name: string, version: string, licence: string}} VendoredFile */

/** One entry for each library, with the files that hold its licence.
 * @param {VendoredFile[]} files */
function libraries(files) {
  const names = [...new Set(files.map((file) => file.name))].sort();
  return names.map((name) => {
    const own = files.filter((file) => file.name === name);
    return { ...own[0], texts: own.map((file) => file.file).filter((file) => file.endsWith(".txt")) };
  });
}

function useManifest() {
  const [files, setFiles] = useState(/** @type {VendoredFile[]} */ ([]));
  useEffect(() => {
    fetch(new URL("vendor/manifest.json", document.baseURI)).then(
      async (answer) => setFiles(await answer.json()),
      () => null,
    );
  }, []);
  return files;
}

/** @param {{info: ServerInfo}} props */
function Facts({ info }) {
  return html`<dl class="facts">
    <dt>${t("about.board")}</dt>
    <dd>${info.board_version}</dd>
    <dt>fateflow</dt>
    <dd>${info.flow_version || "-"}</dd>
    <dt>${t("about.flow_address")}</dt>
    <dd class="row"><span class="mono">${info.flow_url}</span><${CopyButton} text=${info.flow_url} /></dd>
    ${info.party_id && html`<dt>${t("about.party")}</dt><dd>${info.party_id}</dd>`}
    <dt>${t("about.zone")}</dt>
    <dd>${zone()}</dd>
  </dl>`;
}

export function Page() {
  const { data: info, error, reload } = useData("/server");
  const files = useManifest();
  return html`<div class="about">
    <div class="page-head"><h1>${t("nav.about")}</h1></div>
    <section class="panel">
      <div class="panel-head"><h2>${t("about.versions")}</h2></div>
      <div class="panel-body">
        <${ErrorBox} error=${error} retry=${reload} />
        ${info ? html`<${Facts} info=${info} />` : !error && html`<${Spinner} />`}
        ${info && !info.flow_up && html`<${NoticeLine} level="error">${t("outage.flow", { address: info.flow_url })}<//>`}
      </div>
    </section>
    <section class="panel">
      <div class="panel-head"><h2>${t("about.libraries")}</h2></div>
      <div class="panel-body">
        <table class="plain-table">
          <thead>
            <tr>
              <th scope="col">${t("about.library")}</th>
              <th scope="col">${t("about.version")}</th>
              <th scope="col">${t("about.licence")}</th>
            </tr>
          </thead>
          <tbody>
            ${libraries(files).map(
              ({ name, version, licence, texts }) => html`<tr key=${name}>
                <td>${name}</td>
                <td class="tabular">${version}</td>
                <td>
                  ${texts.map(
                    (file, i) => html`<a key=${file} href=${`vendor/${file}`} target="_blank" rel="noreferrer">
                      ${i === 0 ? licence : t("about.notice")}</a
                    >${" "}`,
                  )}
                </td>
              </tr>`,
            )}
          </tbody>
        </table>
      </div>
    </section>
  </div>`;
}
