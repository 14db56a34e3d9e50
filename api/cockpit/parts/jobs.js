// How jobs and runs are named, and where their pages and commands are: for every page that shows them.

import { command } from "./action.js";
import { at } from "./router.js";

export const nameOf = (job) => job.namespace === "default" ? job.name : `${job.namespace}/${job.name}`;
export const jobAt = (job) => at("jobs", job.namespace, job.name);
export const runAt = (id) => at("runs", String(id));
export const pathOf = (job, what = "") => `/v1/jobs/${encodeURIComponent(job.name)}${what && `/${what}`}?namespace=${encodeURIComponent(job.namespace)}`;
export const inNamespace = (job) => job.namespace === "default" ? [] : ["--namespace", job.namespace];
export const cliOf = (verb, job, ...more) => command("job", verb, job.name, ...inNamespace(job), ...more);
// Where an instant of it is explained; without one, its next tick.
export const whyAt = (job, at) => `${jobAt(job)}/why${at ? `?at=${encodeURIComponent(new Date(at).toISOString().replace(".000Z", "Z"))}` : ""}`;
