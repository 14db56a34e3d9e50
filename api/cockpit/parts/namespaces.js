// What is done to namespaces, for every page that shows them.

import * as api from "./api.js";
import { command, fed } from "./action.js";
import { at, go } from "./router.js";
import { answer } from "./reason.js";
import { t } from "./words.js";

export const namespaceAt = (name) => at("namespaces", name);
export const pathOf = (name, what = "") => `/v1/namespaces/${encodeURIComponent(name)}${what && `/${what}`}`;

// -- paused with a reason, until somebody resumes it or an instant comes ---------------------------

const local = (text) => text && !Number.isNaN(Date.parse(text)) ? new Date(text).toISOString() : null; // what a field for dates holds, in the reader's zone

function pause(one, done, undo = true) {
  const reason = answer(t("agents.reason"), { first: t("pause.reason", { name: api.session.get()?.name }) });
  const end = answer(t("namespaces.until"), { name: "until", type: "datetime-local", note: t("namespaces.untilSays") });
  const body = () => ({ reason: reason.value(), ...(local(end.value()) && { until: local(end.value()) }) });
  return {
    text: t("job.pause"), title: t("job.pauseIt", { name: one.namespace }), capability: "operate", namespace: one.namespace, method: "POST", path: pathOf(one.namespace, "pause"), dry: true, body,
    says: t("namespaces.pauseSays", { name: one.namespace }), fields: () => [reason.field(), end.field()], did: t("job.pauseDid", { name: one.namespace }), done,
    cli: () => command("cluster", "pause", "--namespace", one.namespace, "--reason", reason.value(), ...(local(end.value()) ? ["--until", local(end.value())] : [])), undo: undo ? resume(one, done, false) : null,
  };
}
const resume = (one, done, undo = true) => ({
  text: t("job.resume"), title: t("job.resumeIt", { name: one.namespace }), capability: "operate", namespace: one.namespace, method: "POST", path: pathOf(one.namespace, "resume"), dry: true,
  says: t("job.resumeSays", { name: one.namespace }), did: t("job.resumeDid", { name: one.namespace }), done, cli: command("cluster", "resume", "--namespace", one.namespace), undo: undo ? pause(one, done, false) : null,
});
export const togglePause = (one, done) => one.pause ? resume(one, done) : pause(one, done);

// -- written, and taken back ---------------------------------------------------------------------

export const putNamespace = (name, text, headers, words, says, more = {}) => ({
  text: words, says, title: words, capability: "admin", namespace: "*", method: "PUT", path: pathOf(name), body: text, kind: "application/yaml", headers, dry: true,
  cli: fed(text, "namespace", "apply"), did: t("job.putDid", { name }), done: () => go(namespaceAt(name)), ...more,
});
export const deleteNamespace = (one, text, done) => ({
  text: t("namespaces.delete"), title: t("namespaces.deleteIt", { name: one.namespace }), capability: "admin", namespace: "*", method: "DELETE", path: pathOf(one.namespace), dry: true, danger: true,
  headers: { "If-Match": `"${one.revision}"` }, says: t("namespaces.deleteSays", { name: one.namespace }), did: t("job.deleteDid", { name: one.namespace }), cli: command("namespace", "delete", one.namespace), done,
  undo: text && putNamespace(one.namespace, text, { "If-None-Match": "*" }, t("job.putBack"), t("job.putBackSays", { name: one.namespace })),
});
