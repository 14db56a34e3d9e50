// What jobs refer to: its kinds, how it is named, what is done to it. For every page that shows some.

import { command, fed } from "./action.js";
import { html } from "./html.js";
import { at, go, useRoute } from "./router.js";
import { nameOf } from "./jobs.js";
import { t } from "./words.js";

// By the segment of a path: the kind, as a document says at its top.
export const KINDS = { vars: "vars", calendars: "calendar", schedules: "schedule", resources: "resource", boards: "board", hooks: "hook", templates: "template", channels: "channel", routes: "route", sources: "source" };
export const FIRST = {
  vars: "vars: warehouse\nvalues:\n  host: db1.example.org\n  port: 5432\n",
  calendars: "calendar: berlin\nholidays: {country: DE, subdivision: BE}\nexclude: [12-24, 12-31]\n",
  schedules: 'schedule: month-end\ntriggers:\n  - {cron: "0 18 L * *", tz: Europe/Berlin}\n',
  resources: "resource: warehouse\ncount: 1\n",
  boards: "board: stock\nexpires: 7d\n",
  hooks: "hook: deploys\nsecret: deploy-key\nscheme: github\n",
  sources: "source: prd\ngit: {url: ssh://git@git.example.org/jobs.git, ref: refs/heads/main, path: prd}\nprune: 10%\n",
  channels: "channel: ops\nemail: [ops@example.org]\n",
  routes: "route: failures\non: [failed, missed]\nto: [ops]\n",
  templates: "template: reports\ngives:\n  policies: {timeout: 1h}\n  retry: {max: 3}\n",
};

export const objectAt = (one) => at("objects", one.kind, one.namespace, one.name);
export const pathOf = (one, what = "") => `/v1/${one.kind}/${encodeURIComponent(one.name)}${what && `/${what}`}?namespace=${encodeURIComponent(one.namespace)}`;
const inNamespace = (one) => one.namespace === "default" ? [] : ["--namespace", one.namespace];
export const cliOf = (verb, one, ...more) => command(KINDS[one.kind], verb, one.name, ...inNamespace(one), ...more);

// Who refers to something is known by its kind: a job, or an object.
const pageOf = ({ kind, namespace, name }) => {
  const plural = Object.keys(KINDS).find((each) => KINDS[each] === kind);
  return kind === "job" ? at("jobs", namespace, name) : plural ? at("objects", plural, namespace, name) : null;
};
export const Referrer = ({ of }) => html`<span class="note">${of.kind}</span> ${pageOf(of) ? html`<a class="who plain" href=${pageOf(of)}>${nameOf(of)}</a>` : html`<span class="who">${nameOf(of)}</span>`}`;

// Of a refusal: who refers to it.
export const trouble = (error) => error.problem?.referrers?.length ? html`<ul class="plain-list">${error.problem.referrers.map((each) => html`<li key=${`${each.kind} ${each.namespace} ${each.name}`}><${Referrer} of=${each} /></li>`)}
  ${error.problem.more ? html`<li class="note">${t("objects.moreReferrers", { n: error.problem.more })}</li>` : null}</ul>` : null;

// What whoever puts or deletes one has to be allowed.
export const needsOf = (one) => one.kind === "sources" ? "admin" : "edit";

// -- written and deleted -------------------------------------------------------------------------

export const putObject = (one, text, headers, words, says, more = {}) => ({
  text: words, says, title: words, capability: needsOf(one), namespace: one.namespace, method: "PUT", path: pathOf(one), body: text, kind: "application/yaml", headers, dry: true,
  cli: fed(text, "apply", ...inNamespace(one)), did: t("job.putDid", { name: nameOf(one) }), done: () => go(objectAt(one)), trouble, ...more,
});
export const deleteObject = (one, text, done) => ({
  text: t("job.delete"), title: t("job.deleteIt", { name: nameOf(one) }), capability: needsOf(one), namespace: one.namespace, method: "DELETE", path: pathOf(one), dry: true, danger: true,
  headers: one.revision ? { "If-Match": `"${one.revision}"` } : {}, says: t("objects.deleteSays", { name: nameOf(one) }), did: t("job.deleteDid", { name: nameOf(one) }), cli: cliOf("delete", one), done, trouble,
  undo: text && putObject(one, text, { "If-None-Match": "*" }, t("job.putBack"), t("job.putBackSays", { name: nameOf(one) })),
});

// -- the kinds, as tabs --------------------------------------------------------------------------

export function Tabs() {
  const { path } = useRoute();
  const all = [...Object.keys(KINDS), "secrets"];
  const current = all.find((kind) => path === at("objects", kind)) || "vars";
  return html`<nav class="choices tabs" aria-label=${t("objects.kinds")}>${all.map((kind) => html`<a class="button" key=${kind} href=${at("objects", kind)} aria-current=${kind === current ? "page" : undefined}>${t(`kinds.${kind}`)}</a>`)}</nav>`;
}
