/** The notes of a job, edited in place: Enter saves, Escape does not. */

import { put } from "./api.js";
import { html, useEffect, useRef, useState } from "./html.js";
import { t } from "./i18n.js";
import { jobPath, mayOperate } from "./jobs.js";
import { Button, IconButton } from "./ui.js";

/** @import {JobKey} from "./types.js" */

export const NOTES_MOST = 2000;

/** @param {{job: JobKey & {notes: string}, onSaved: (notes: string) => void}} props */
export function Notes({ job, onSaved }) {
  const [editing, setEditing] = useState(false);
  const again = useRef(/** @type {HTMLElement | null} */ (null));
  const end = () => {
    setEditing(false);
    setTimeout(() => again.current?.querySelector("button")?.focus());
  };
  if (editing) {
    return html`<${NotesEditor}
      job=${job}
      onCancel=${end}
      onSaved=${(/** @type {string} */ notes) => {
        onSaved(notes);
        end();
      }}
    />`;
  }
  return html`<span class="notes" ref=${again}>
    <span class="notes-text" title=${job.notes} dir="auto">${job.notes}</span>
    ${mayOperate() &&
    html`<${IconButton} icon="edit" small label=${t("action.edit_notes")} onClick=${() => setEditing(true)} />`}
  </span>`;
}

/** @param {{job: JobKey & {notes: string}, onSaved: (notes: string) => void, onCancel: () => void}} props */
function NotesEditor({ job, onSaved, onCancel }) {
  const [text, setText] = useState(job.notes);
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const field = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  useEffect(() => {
    field.current?.focus();
    field.current?.setSelectionRange(job.notes.length, job.notes.length);
  }, []);
  const over = [...text].length - NOTES_MOST;
  const save = async () => {
    if (over > 0 || busy) return;
    if (text === job.notes) return onCancel();
    setBusy(true);
    setProblem("");
    try {
      await put(`${jobPath(job)}/notes`, { notes: text });
      onSaved(text);
    } catch (error) {
      setProblem(/** @type {Error} */ (error).message);
      setBusy(false);
      field.current?.focus();
    }
  };
  /** @param {KeyboardEvent} event */
  const press = (event) => {
    if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      onCancel();
    } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      save();
    }
  };
  return html`<div class="notes-edit">
    <textarea
      ref=${field}
      rows="1"
      aria-label=${t("jobs.notes_of", { job: job.job_id })}
      aria-invalid=${over > 0 || problem ? "true" : undefined}
      value=${text}
      onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)}
      onKeyDown=${press}
    ></textarea>
    ${problem && html`<p class="field-problem" role="alert">${problem}</p>`}
    ${over > 0 && html`<p class="field-problem" role="alert">${t("notes.too_long", { over, most: NOTES_MOST })}</p>`}
    <div class="row">
      <${Button} small kind="primary" busy=${busy} disabled=${over > 0} onClick=${save}>${t("action.save")}<//>
      <${Button} small kind="quiet" onClick=${onCancel}>${t("action.discard")}<//>
    </div>
  </div>`;
}
