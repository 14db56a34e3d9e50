// What is done to jobs, and how they are named: for every page that shows them.

import { command } from "./action.js";
import { at, go } from "./router.js";
import { html } from "./html.js";
import { Status } from "./status.js";
import { t } from "./words.js";

export const nameOf = (job) => job.namespace === "default" ? job.name : `${job.namespace}/${job.name}`;
export const jobAt = (job) => at("jobs", job.namespace, job.name);
export const runAt = (id) => at("runs", String(id));
export const pathOf = (job, what = "") => `/v1/jobs/${encodeURIComponent(job.name)}${what && `/${what}`}?namespace=${encodeURIComponent(job.namespace)}`;
const inNamespace = (job) => job.namespace === "default" ? [] : ["--namespace", job.namespace];
export const cliOf = (verb, job, ...more) => command("job", verb, job.name, ...inNamespace(job), ...more);

export const runJob = (job) => ({
  text: t("job.run"), title: t("job.runNow", { name: nameOf(job) }), capability: "run", method: "POST", path: pathOf(job, "runs"), body: {}, dry: true,
  says: t("job.runSays", { name: nameOf(job) }), did: t("job.runDid", { name: nameOf(job) }), cli: cliOf("run", job), done: (run) => go(runAt(run.id)),
});
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
  if (job.paused_by?.length) return html`<${Status} state="paused" title=${job.paused_by[0].reason}>${job.paused_by[0].namespace ? t("job.namespacePaused") : t("job.allPaused")}</${Status}>`;
  return all ? html`<${Status} state="active" />` : null;
}
