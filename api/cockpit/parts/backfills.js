// Runs of a job for instants that are past: begun with a dry run that follows what is chosen, and cancelled.

import { Mistake } from "./action.js";
import * as api from "./api.js";
import { html, useEffect, useState } from "./html.js";
import { cliOf, jobAt, nameOf, pathOf } from "./jobs.js";
import { go } from "./router.js";
import { number, t, tn, whole, word } from "./words.js";

const TYPED_MS = 300, SHOWN = 6, FLAGS = ["missing_only", "again", "closed"];

export const backfillsAt = (job) => `${jobAt(job)}/backfills`;
export const backfillAt = (job, id) => `${backfillsAt(job)}/${id}`;

// What would come of it, asked anew with each choice.
function Trial({ path, body }) {
  const [told, tell] = useState(null), text = JSON.stringify(body);
  useEffect(() => {
    let asked = true;
    const timer = setTimeout(() => api.send("POST", `${path}&dry_run=true`, JSON.parse(text)).then((found) => asked && tell({ found }), (error) => asked && tell({ error })), TYPED_MS);
    return () => { asked = false; clearTimeout(timer); };
  }, [text]);
  if (!told) return html`<p class="note" role="status">${t("list.wait")}</p>`;
  if (told.error) return html`<${Mistake} error=${told.error} />`;
  const { runs, instants, left_out: left, first } = told.found;
  return html`<div class="trial" role="status"><p><strong>${tn("backfill.would", runs)}</strong> ${tn("backfill.of", instants)}</p>
    ${Object.keys(left).length ? html`<ul class="plain-list">${Object.entries(left).map(([why, n]) => html`<li key=${why} class="note">${number(n)}: ${word("leftout", why)}</li>`)}</ul>` : null}
    ${first.length ? html`<p class="note">${first.slice(0, SHOWN).map(whole).join("; ")}${runs > SHOWN ? " …" : ""}</p>` : null}</div>`;
}

// First that of yesterday, and only what is missing.
export function beginBackfill(job) {
  const yesterday = new Date(Date.now() - 86400000).toISOString().slice(0, 10);
  const timed = (job.triggers || []).filter((one) => one.cron || one.at || one.iso8601 || one.schedule || typeof one.every === "string");
  const asked = { from: yesterday, to: yesterday, trigger: "", max_active: 1, missing_only: true, again: false, closed: false, reason: "" };
  const path = pathOf(job, "backfill");
  const body = () => ({ from: asked.from, to: asked.to, max_active: Number(asked.max_active), ...(asked.trigger ? { trigger: asked.trigger } : {}), ...(asked.reason ? { reason: asked.reason } : {}), ...Object.fromEntries(FLAGS.filter((flag) => asked[flag]).map((flag) => [flag, true])) });
  const fields = ({ changed }) => {
    const set = (name) => (event) => { asked[name] = event.target.type === "checkbox" ? event.target.checked : event.target.value.trim(); changed(); };
    const field = (name, type, more) => html`<label class="field"><span>${t(`backfill.${name}`)}</span><input type=${type} name=${name} defaultValue=${asked[name]} onInput=${set(name)} autocomplete="off" ...${more} /></label>`;
    return html`<div class="both">${field("from", "date", { required: true })}${field("to", "date", { required: true })}</div>
      ${timed.length > 1 ? html`<label class="field"><span>${t("run.trigger")}</span><select name="trigger" onChange=${set("trigger")}><option value="">–</option>${timed.map((one) => html`<option key=${one.id} value=${one.id}>${one.id}</option>`)}</select></label>` : null}
      ${FLAGS.map((flag) => html`<label class="check" key=${flag}><input type="checkbox" name=${flag} checked=${asked[flag]} onChange=${set(flag)} /> ${t(`backfill.${flag}`)}</label>`)}
      ${field("max_active", "number", { min: 1, max: 100, required: true })}${field("reason", "text")}<${Trial} path=${path} body=${body()} />`;
  };
  return {
    text: t("backfill.begin"), title: t("backfill.beginIt", { name: nameOf(job) }), capability: "run", namespace: job.namespace, method: "POST", path, body, fields, says: t("backfill.says"), did: t("backfill.did"),
    cli: () => cliOf("backfill", job, "--from", asked.from, "--to", asked.to, ...(asked.trigger ? ["--trigger", asked.trigger] : []), ...FLAGS.filter((flag) => asked[flag]).map((flag) => `--${flag.replace("_", "-")}`), ...(Number(asked.max_active) > 1 ? ["--max-active", String(asked.max_active)] : []), ...(asked.reason ? ["--reason", asked.reason] : [])),
    done: (made) => go(backfillAt(job, made.id)),
  };
}

export function cancelBackfill(job, one, done) {
  const asked = { runs: false };
  const fields = ({ changed }) => html`<label class="check"><input type="checkbox" name="runs" checked=${asked.runs} onChange=${(event) => { asked.runs = event.target.checked; changed(); }} /> ${t("backfill.runsToo")}</label>`;
  return {
    text: t("backfill.cancel"), title: t("backfill.cancelIt", { id: one.id }), capability: "run", namespace: job.namespace, method: "POST", path: pathOf(job, `backfills/${one.id}/cancel`), dry: true, danger: true,
    body: () => asked.runs ? { runs: true } : {}, fields, says: t("backfill.cancelSays"), did: t("backfill.cancelDid", { id: one.id }), cli: () => cliOf("backfill-cancel", job, String(one.id), ...(asked.runs ? ["--runs"] : [])), done,
  };
}
