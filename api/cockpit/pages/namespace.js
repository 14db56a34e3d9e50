// One namespace: what its jobs may have and use, who may do what in it, its pause, its text and how that changed. And that text, edited.

import { Act, api, at, Copy, command, Facts, go, html, Loading, Status, t, useEffect, useKeys, useNow, useOffers, useRead, useState, When, word } from "../house.js";
import { deleteNamespace, namespaceAt, pathOf, putNamespace, togglePause } from "../parts/namespaces.js";
import { Revisions } from "../parts/revisions.js";
import { nameIn, TextEditor } from "../parts/text_editor.js";
import { Share, Used } from "./namespaces.js";
import { changes } from "./object_editor.js";

const EVENTS = ["object_put", "object_deleted", "job_put", "job_deleted", "paused", "resumed"];
const FIRST = "namespace: finance\ndescription: Closing, invoices, payments\nowner: finance-oncall\npools: [etl, web]\nquotas: {jobs: 200}\n";
const PEOPLE = ["viewer", "operator", "submitter", "approver", "admin"]; // agents and nodes have none in a namespace
const mine = (name) => (event) => event.type.startsWith("object_") && event.kind === "namespace" && event.name === name;

function Roles({ name }) {
  const { data, error } = useRead("/v1/tokens", { types: ["token_withdrawn"] });
  const roleOf = (token) => token.roles[name] || token.roles["*"];
  const here = (data?.items || []).filter((token) => PEOPLE.includes(roleOf(token)));
  return html`<section aria-labelledby="roles-title"><div class="head"><h2 id="roles-title">${t("namespaces.roles")}</h2><a href=${at("access")}>${t("access.title")}</a></div><div class="card">${!data ? html`<${Loading} error=${error} />`
    : here.length ? html`<ul class="plain-list">${here.map((token) => html`<li key=${token.name}><span class="who">${token.name}</span> ${roleOf(token)} <span class="note">${token.roles[name] ? word("may", token.roles[name]) : t("namespaces.everywhere")}</span></li>`)}</ul>` : html`<p class="note">${t("namespaces.noRoles")}</p>`}</div></section>`;
}

function Whole({ one, again }) {
  useNow(10000);
  const name = one.namespace, query = `?namespace=${encodeURIComponent(name)}`;
  const text = useRead(one.declared ? `${pathOf(name, "definition")}?revision=${one.revision}` : null, { as: api.text, every: 0 });
  const edit = at("namespaces", name, "edit"), mayEdit = api.may("admin", "*");
  const actions = [togglePause(one, again), ...(one.declared ? [deleteNamespace(one, text.data, () => go(at("namespaces")))] : [])];
  useOffers(actions, [one.revision, Boolean(one.pause), text.data]);
  useKeys({ e: ["job.edit", () => mayEdit && go(edit)] }, [name]);
  return html`<div class="title"><div class="head"><h1>${name}</h1>${one.pause ? html`<${Status} state="paused" />` : null}${one.following ? html`<${Status} state="running">${t("namespaces.following")}</${Status}>` : null}<span class="push"></span><${Act} action=${actions[0]} />
      ${mayEdit ? html`<a class="button" href=${edit}>${one.declared ? t("job.edit") : t("namespaces.declare")}</a>` : null}${actions[1] ? html`<${Act} action=${actions[1]} />` : null}</div>
    ${one.description ? html`<p class="intro">${one.description}</p>` : null}
    ${one.pause ? html`<p class="banner-of">${one.pause.reason} <span class="note">${one.pause.actor} · <${When} at=${one.pause.since} />${one.pause.until ? html` · ${t("health.until", { at: "" })}<${When} at=${one.pause.until} />` : ""}</span></p>` : null}
    ${one.declared ? null : html`<p class="note">${t("namespaces.undeclaredSays")}</p>`}</div>
    <${Facts} of=${[[t("job.owner"), one.owner], [t("jobs.title"), html`<a href=${`${at("jobs")}${query}`}><${Used} of=${one} /></a>`], [t("namespaces.pools"), one.pools.join(", ") || t("namespaces.any")], [t("namespaces.runAs"), one.run_as.join(", ") || t("namespaces.any")],
      [t("namespaces.before"), one.before && html`<code>${one.before}</code>`], [t("namespaces.after"), one.after && html`<code>${one.after}</code>`],
      [t("namespaces.plan"), `${t("namespaces.planSays", { tz: one.plan.tz, begin: one.plan.begin })}${one.plan.auto_close ? `, ${t("namespaces.autoClose", { after: one.plan.auto_close })}` : ""}`], [t("namespaces.active"), html`<a href=${`${at("runs")}${query}&state=pending,running`}><${Share} n=${one.active_runs} most=${one.quotas.active_runs} label=${t("namespaces.active")} /></a>`], [t("namespaces.starts"), one.quotas.starts_per_minute],
      [t("job.changed"), one.changed && html`<${When} at=${one.changed} /> ${one.actor}`]]} />
    <p class="links"><a href=${`${at("jobs")}${query}`}>${t("jobs.title")}</a> <a href=${`${at("runs")}${query}`}>${t("runs.title")}</a> <a href=${`${at("objects")}${query}`}>${t("objects.title")}</a> <a href=${`${at("objects", "secrets")}${query}`}>${t("kinds.secrets")}</a></p>
    ${api.may("admin", name) ? html`<${Roles} name=${name} />` : null}
    ${one.declared ? html`<${Revisions} path=${(what) => pathOf(name, what)} current=${one.revision} types=${mine(name)} audit=${api.may("admin", name) ? `${at("audit")}?kind=namespace&name=${encodeURIComponent(name)}` : null} />` : null}
    <${Copy} text=${command("namespace", "get", name, "-o", "yaml")}>CLI</${Copy}>`;
}

export default function Namespace({ namespace }) {
  const { data, error, again } = useRead(pathOf(namespace), { types: EVENTS });
  if (!data) return html`<h1>${namespace}</h1><${Loading} error=${error} />${error?.status === 404 ? html`<p><a href=${at("namespaces")}>${t("namespaces.title")}</a></p>` : null}`;
  return html`<${Whole} key=${namespace} one=${data} again=${again} />`;
}

// -- its text ------------------------------------------------------------------------------------

const Named = ({ title, id, names, more }) => names?.length ? html`<section aria-labelledby=${id}><h2 id=${id}>${title}</h2><p class="note">${names.join(", ")}${more ? ", …" : ""}</p></section>` : null;

function Editor({ one, first }) {
  const isNew = one === null || !one.declared;
  const [Changes] = useState(() => changes(isNew ? null : first, null));
  const headers = isNew ? { "If-None-Match": "*" } : { "If-Match": `"${one.revision}"` };
  const named = (text) => one?.namespace || nameIn(text, "namespace") || "unnamed";
  const actionOf = (_, text) => putNamespace(named(text), text, headers, t("editor.save"), isNew ? t("namespaces.saysNew", { name: named(text) }) : t("objects.saysChange", { name: named(text), from: one.revision, to: one.revision + 1 }), {
    undo: (reply) => isNew ? deleteNamespace(reply, null, () => go(at("namespaces"))) : putNamespace(named(text), first, { "If-Match": `"${reply.revision}"` }, t("job.putBack"), t("job.putBackSays", { name: named(text) })) });
  return html`<${TextEditor} first=${first} title=${isNew ? t("namespaces.new") : t("editor.edit", { name: one.namespace })} note=${isNew ? "" : t("job.revision", { n: one.revision })} label=${t("objects.text")}
    schema="/v1/schemas/namespace" fields=${t("objects.fields")} request=${(text) => ({ path: pathOf(named(text)), headers })} revision=${one?.revision} actionOf=${actionOf} cancel=${one ? namespaceAt(one.namespace) : at("namespaces")}
    preview=${({ preview, text }) => html`<${Changes} preview=${preview} text=${text} /><${Named} id="outside-title" title=${t("namespaces.outside")} names=${preview.outside} /><${Named} id="follow-title" title=${t("namespaces.follow")} names=${preview.follow} more=${preview.follow_more} />`} />`;
}

export function Edit({ namespace }) {
  const [opened, open] = useState(null);
  const [error, fail] = useState(null);
  useEffect(() => {
    api.read(pathOf(namespace)).then(async (one) => open({ one, text: one.declared ? await api.text(pathOf(namespace, "definition")) : `namespace: ${namespace}\nowner: \n` })).catch(fail);
  }, []);
  if (!opened) return html`<h1>${namespace}</h1><${Loading} error=${error} />`;
  return html`<${Editor} one=${opened.one} first=${opened.text} />`;
}

export const New = () => html`<${Editor} one=${null} first=${FIRST} />`;
