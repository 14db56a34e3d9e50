// What is done to jobs, for the pages on which it can be.

import { fed } from "./action.js";
import { html, useId } from "./html.js";
import { cliOf, inNamespace, jobAt, nameOf, pathOf, runAt } from "./jobs.js";
import { go } from "./router.js";
import { Status } from "./status.js";
import { t } from "./words.js";

// -- a run by hand, with its parameters ----------------------------------------------------------

// A list may be written with commas; what cannot be read is sent as it is, and refused with words.
const asJson = (text) => { try { return JSON.parse(text); } catch { return text; } };
const TYPED = {
  integer: Number, number: Number, boolean: (text) => text === "true", map: asJson,
  list: (text) => text.trim().startsWith("[") ? asJson(text) : text.split(",").map((each) => each.trim()),
  enum: (text, param) => param.enum.find((each) => String(each) === text) ?? text,
};
const typed = (param, text) => TYPED[param.type]?.(text, param) ?? text;
const shown = (value) => typeof value === "object" ? JSON.stringify(value) : value;
const SUCH = { date: "2026-12-31, plan_date - 1 workday", datetime: "2026-12-31T23:00:00Z, tick - 1 day", duration: "1h30m", list: "a,b", map: '{"a": 1}' };

function Param({ name, param, value, set }) {
  const id = useId();
  const options = param.type === "boolean" ? ["true", "false"] : param.enum?.map(String);
  const fallback = param.default === null || param.default === undefined ? t("param.none") : t("param.default", { value: shown(param.default) });
  const change = (event) => set(event.target.value);
  return html`<div class="field"><label for=${id}>${name} ${param.required ? html`<span class="note">${t("param.required")}</span>` : null}</label>
    ${options ? html`<select id=${id} value=${value} required=${param.required} onChange=${change}><option value="">${fallback}</option>${options.map((each) => html`<option key=${each} value=${each}>${each}</option>`)}</select>`
      : html`<input id=${id} type=${param.type === "integer" || param.type === "number" ? "number" : "text"} step=${param.type === "integer" ? "1" : "any"} value=${value} placeholder=${fallback} required=${param.required} onInput=${change} autocomplete="off" />`}
    ${SUCH[param.type] ? html`<p class="note">${t("param.such", { type: param.type, such: SUCH[param.type] })}</p>` : null}
    ${param.description ? html`<p class="note">${param.description}</p>` : null}</div>`;
}

// What was typed, as the API takes it; fields that were left empty are not said.
export const filled = (params, given) => Object.fromEntries(Object.entries(given).filter(([name, text]) => params[name] && text !== "").map(([name, text]) => [name, typed(params[name], text)]));
export const Params = ({ of, given, changed }) => Object.entries(of).map(([name, param]) => html`<${Param} key=${name} name=${name} param=${param} value=${given[name] ?? ""} set=${(text) => { given[name] = text; changed(); }} />`);

export function runJob(job) {
  const params = Object.entries(job.params || {});
  const given = {};
  const values = () => filled(job.params, given);
  const fields = ({ changed }) => html`<${Params} of=${job.params} given=${given} changed=${changed} />`;
  return {
    text: t("job.run"), title: t("job.runNow", { name: nameOf(job) }), capability: "run", method: "POST", path: pathOf(job, "runs"),
    body: () => params.length ? { params: values() } : {}, dry: !params.some(([, param]) => param.required), fields: params.length ? fields : null,
    says: params.length ? t("job.runParams", { name: nameOf(job) }) : t("job.runSays", { name: nameOf(job) }), did: t("job.runDid", { name: nameOf(job) }),
    cli: () => cliOf("run", job, ...Object.entries(values()).flatMap(([name, value]) => ["--param", `${name}=${shown(value)}`])), done: (run) => go(runAt(run.id)),
  };
}

// -- pause, resume, delete -----------------------------------------------------------------------

export const pauseJob = (job, undo = true) => ({
  text: t("job.pause"), title: t("job.pauseIt", { name: nameOf(job) }), capability: "operate", method: "POST", path: pathOf(job, "pause"), dry: true,
  says: t("job.pauseSays", { name: nameOf(job) }), did: t("job.pauseDid", { name: nameOf(job) }), cli: cliOf("pause", job), undo: undo ? resumeJob(job, false) : null,
});
export const resumeJob = (job, undo = true) => ({
  text: t("job.resume"), title: t("job.resumeIt", { name: nameOf(job) }), capability: "operate", method: "POST", path: pathOf(job, "resume"), dry: true,
  says: t("job.resumeSays", { name: nameOf(job) }), did: t("job.resumeDid", { name: nameOf(job) }), cli: cliOf("resume", job), undo: undo ? pauseJob(job, false) : null,
});
export const toggleJob = (job) => job.state === "paused" ? resumeJob(job) : pauseJob(job);

// How a job stands, where that is not simply active.
export function JobState({ job, all = false }) {
  if (job.state === "unplaceable") return html`<${Status} state="unplaceable" title=${job.unplaceable_reason} />`;
  if (job.state === "paused") return html`<${Status} state="paused" title=${job.pause_reason} />`;
  if (job.state === "disabled") return html`<${Status} state="disabled" title=${t("job.disabled")} />`;
  if (job.paused_by?.length) return html`<${Status} state="paused" title=${job.paused_by[0].reason}>${job.paused_by[0].namespace ? t("job.namespacePaused") : t("job.allPaused")}</${Status}>`;
  return all ? html`<${Status} state="active" />` : null;
}

// `definition`: of what is deleted, in YAML, by which it can be put back.
export const deleteJob = (job, definition, done) => ({
  text: t("job.delete"), title: t("job.deleteIt", { name: nameOf(job) }), capability: "edit", method: "DELETE", path: pathOf(job), dry: true, danger: true,
  headers: { "If-Match": `"${job.revision}"` }, says: t("job.deleteSays", { name: nameOf(job) }), did: t("job.deleteDid", { name: nameOf(job) }), cli: cliOf("delete", job), done,
  undo: definition && putJob(job, definition, { "If-None-Match": "*" }, t("job.putBack"), t("job.putBackSays", { name: nameOf(job) })),
});
export const putJob = (job, definition, headers, text, says, more = {}) => ({
  text, says, title: text, capability: "edit", method: "PUT", path: pathOf(job), body: definition, kind: "application/yaml", headers, dry: true,
  cli: fed(definition, "job", "apply", ...inNamespace(job)), did: t("job.putDid", { name: nameOf(job) }), done: () => go(jobAt(job)), ...more,
});
