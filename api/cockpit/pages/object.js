// One object: what it is, who refers to it, its text and how that changed.

import { Act, api, at, Copy, Facts, go, html, Loading, schedule, setQuery, Status, t, tn, useKeys, useOffers, useQuery, useRead, When } from "../house.js";
import { Deleted } from "../parts/deleted.js";
import { nameOf } from "../parts/jobs.js";
import { cliOf, deleteObject, KINDS, needsOf, objectAt, pathOf, putObject, Referrer } from "../parts/objects.js";
import { Revisions } from "../parts/revisions.js";
import { Live } from "../parts/sources.js";
import { AskWhy } from "../parts/why.js";
import { Year } from "../parts/year.js";

const mine = (one) => (event) => (event.type === "object_put" || event.type === "object_deleted") && event.kind === KINDS[one.kind] && event.namespace === one.namespace && event.name === one.name;

// A hook names a secret of its own namespace, or NAMESPACE/NAME.
const secretAt = (one) => { const [name, namespace = one.namespace] = one.secret.split("/").reverse(); return `${at("objects", "secrets")}?${new URLSearchParams({ namespace, name })}`; };

// What only this kind has.
const FACTS = {
  vars: () => [],
  calendars: (one) => [[t("objects.weekend"), one.weekend.join(", ") || t("objects.noWeekend")], [t("objects.holidays"), (one.holidays || []).map((each) => [each.country, each.subdivision].filter(Boolean).join("-")).join(", ")],
    [t("objects.known"), one.computed.known_until], [t("objects.package"), one.computed.versions?.holidays]],
  schedules: (one) => [[t("job.schedule"), html`<code>${schedule(one.triggers)}</code>`], [t("objects.substitute"), one.substitute], [t("objects.valid"), one.valid && html`<${When} at=${one.valid.from} /> – <${When} at=${one.valid.until} />`]],
  resources: (one) => [[t("objects.there"), one.rate || one.count]],
  sources: (one) => [[t("sources.from"), html`<code>${one.git ? `${one.git.url} ${one.git.ref} ${one.git.path}` : one.folder || one.store.url}</code>`], [t("sources.every"), one.every], [t("sources.drifting"), t(`drifting.${one.drift}`)], [t("sources.prune"), one.prune || t("sources.noPrune")],
    [t("sources.namespaces"), (one.namespaces || []).join(", ")]],
  boards: (one) => [[t("objects.expires"), one.expires]],
  templates: (one) => [[t("objects.gives"), Object.keys(one.gives).join(", ")]],
  channels: (one) => [[t("notify.to"), one.webhook || one.email.join(", ")], [t("objects.secret"), one.secret && html`<a href=${secretAt(one)}>${one.secret}</a>`]],
  routes: (one) => [[t("notify.about"), one.on.join(", ")], [t("notify.to"), one.to.join(", ")], [t("notify.digest"), one.digest], [t("notify.escalate"), one.escalate && `${one.escalate.after}: ${one.escalate.to.join(", ")}`]],
  hooks: (one) => [[t("objects.scheme"), one.scheme], [t("objects.secret"), html`<a href=${secretAt(one)}>${one.secret}</a>`], [t("objects.tolerance"), one.tolerance]],
};

const Values = ({ of }) => html`<section aria-labelledby="values-title"><div class="head"><h2 id="values-title">${tn("objects.values", Object.keys(of).length)}</h2></div>
  <div class="frame"><table class="values"><thead><tr><th scope="col">${t("objects.name")}</th><th scope="col">${t("objects.value")}</th><th scope="col" class="wide">${t("objects.variable")}</th></tr></thead>
    <tbody>${Object.entries(of).map(([name, value]) => html`<tr key=${name}><td class="who">${name}</td><td><code>${String(value)}</code></td><td class="wide"><code>CRONCLAVE_VAR_${name.toUpperCase()}</code></td></tr>`)}</tbody></table></div></section>`;

function Coming({ one }) {
  const { data, error } = useRead(`${pathOf(one, "next")}&count=6`, { types: ["object_put", "object_deleted"] });
  return html`<section aria-labelledby="next-title"><h2 id="next-title">${t("job.next")}</h2><div class="card">${!data ? html`<${Loading} error=${error} />`
    : data.items.length ? html`<ol class="coming">${data.items.map((tick) => html`<li key=${`${tick.at} ${tick.trigger}`}><${When} at=${tick.at} /> <span class="note">${tick.trigger}</span></li>`)}</ol>` : html`<p class="note">${t("job.noTick")}</p>`}</div></section>`;
}

function Referrers({ one }) {
  const after = useQuery().after || "";
  const { data, error } = useRead(`${pathOf(one, "referrers")}&limit=100${after ? `&cursor=${encodeURIComponent(after)}` : ""}`, { types: ["job_put", "job_deleted", "object_put", "object_deleted"] });
  return html`<section aria-labelledby="refer-title"><h2 id="refer-title">${t("objects.referrers")}</h2><div class="card">${!data ? html`<${Loading} error=${error} />`
    : data.items.length ? html`<ul class="plain-list referrers">${data.items.map((each) => html`<li key=${`${each.kind} ${each.namespace} ${each.name}`}><${Referrer} of=${each} /></li>`)}</ul>` : html`<p class="note">${t("objects.noReferrers")}</p>`}
    ${data?.next_cursor ? html`<p><button type="button" class="small" onClick=${() => setQuery({ after: data.next_cursor }, { push: true })}>${t("objects.nextReferrers")}</button></p>` : null}</div></section>`;
}

const told = (one, ...types) => (event) => types.includes(event.type) && event.namespace === one.namespace && event.name === one.name;

// Who takes some of a resource tells of runs, whatever their namespace.
const takes = (one) => (event) => event.type === "task_queued" || (["locks_taken", "locks_given_back"].includes(event.type) && event.resources.includes(`${one.namespace}/${one.name}`));

// What came to an object by and by: `row` makes the cells of an item, `lead` says something of them all.
function Came({ one, what, types, heads, row, none, lead }) {
  const { data, error } = useRead(`${pathOf(one, what)}&limit=50`, { types });
  const title = `${what}-title`;
  return html`<section aria-labelledby=${title}><h2 id=${title}>${t(`objects.${what}`)}</h2><div class="card">${data && lead ? html`<p class="note">${lead(data)}</p>` : null}${!data ? html`<${Loading} error=${error} />`
    : data.items.length ? html`<table class="values stacked"><thead><tr>${heads.map((head) => html`<th scope="col" key=${head}>${t(`objects.${head}`)}</th>`)}</tr></thead>
      <tbody>${data.items.map((each) => html`<tr key=${each.serial || each.delivery || `${each.run} ${each.task}`}>${row(each).map((cell) => html`<td>${cell}</td>`)}</tr>`)}</tbody></table>`
    : html`<p class="note">${t(none)}</p>`}</div></section>`;
}

const Takers = ({ one, what, none, lead, why = null }) => html`<${Came} one=${one} what=${what} types=${takes(one)} none=${none} lead=${lead} heads=${["run", "job", "task", "taken", "since", ...(why ? ["why"] : [])]}
  row=${(each) => [html`<a href=${at("runs", String(each.run))}>#${each.run}</a>`, html`<a href=${at("jobs", each.namespace, each.job)}>${nameOf({ namespace: each.namespace, name: each.job })}</a>`, each.task || t("objects.whole"), each.amount, html`<${When} at=${each.since} />`, ...(why ? [why(each)] : [])]} />`;

// What only this kind has, beside its facts: what other systems sent to a hook in the last day, what stands on a board, who has some of a resource.
const CAME = {
  sources: (one) => html`<${Live} one=${one} />`,
  hooks: (one) => html`<${Came} one=${one} what="deliveries" types=${told(one, "delivered")} heads=${["came", "delivery", "cameOf"]} none="objects.noDeliveries"
    row=${(each) => [html`<${When} at=${each.at} />`, html`<code>${each.delivery}</code>`, html`<ul class="plain-list">${each.firings.map((firing) => html`<li key=${`${firing.job} ${firing.trigger}`}><a href=${at("jobs", one.namespace, firing.job)}>${firing.job}</a>${" "}
      ${firing.outcome ? html`<${Status} state=${firing.outcome} /> ${firing.reason}` : html`<a href=${at("runs", String(firing.run))}>#${firing.run}</a>`}</li>`)}</ul>`]} />`,
  boards: (one) => html`<${Came} one=${one} what="notices" types=${told(one, "notice_posted", "notice_deleted")} heads=${["key", "came", "owner", "expires"]} none="objects.noNotices"
    row=${(each) => [html`<code>${each.key}</code>`, html`<${When} at=${each.posted} />`, each.poster, html`<${When} at=${each.expires} />`]} />`,
  resources: (one) => html`<${Takers} one=${one} what="holders" none="objects.noHolders" lead=${({ amount, free, period }) => t(period ? "objects.left" : "objects.free", { n: free, of: amount, period })} />
    <${Takers} one=${one} what="waiters" none="objects.noWaiters" why=${(each) => html`<${AskWhy} run=${each.run} task=${each.task} />`} />`,
};

const auditOf = (one) => api.may("admin", one.namespace) ? `${at("audit")}?name=${encodeURIComponent(one.name)}&namespace=${encodeURIComponent(one.namespace)}&kind=${KINDS[one.kind]}` : null;

function Whole({ one, again }) {
  const text = useRead(`${pathOf(one, "definition")}&revision=${one.revision}`, { as: api.text, every: 0 });
  const edit = at("objects", one.kind, one.namespace, one.name, "edit");
  const remove = deleteObject(one, text.data, () => go(at("objects", one.kind)));
  useOffers([remove], [one.revision, text.data]);
  useKeys({ e: ["job.edit", () => api.may(needsOf(one), one.namespace) && go(edit)] }, [one.name]);
  return html`<div class="title"><p class="note"><a href=${at("objects", one.kind)}>${t(`kinds.${one.kind}`)}</a></p><div class="head"><h1>${nameOf(one)}</h1>${one.enabled === false ? html`<${Status} state="disabled" />` : null}
      <span class="push"></span>${api.may(needsOf(one), one.namespace) ? html`<a class="button" href=${edit}>${t("job.edit")}</a>` : null}<${Act} action=${remove} /></div>
    ${one.description ? html`<p class="intro">${one.description}</p>` : null}</div>
    <${Facts} of=${[...FACTS[one.kind](one), [t("job.owner"), one.owner], [t("objects.labels"), Object.entries(one.labels).map(([name, value]) => `${name}=${value}`).join(", ")],
      [t("job.changed"), html`<${When} at=${one.changed} /> ${one.actor}`], [t("job.source"), one.kind === "sources" ? null : one.source]]} />
    ${one.kind === "vars" ? html`<${Values} of=${one.values} />` : null}
    ${one.kind === "calendars" ? html`<${Year} calendar=${one} />` : null}
    ${one.kind === "schedules" ? html`<${Coming} one=${one} />` : null}
    ${CAME[one.kind]?.(one)}
    <${Referrers} one=${one} />
    <${Revisions} path=${(what) => pathOf(one, what)} current=${one.revision} types=${mine(one)} audit=${auditOf(one)} />
    <${Copy} text=${cliOf("history", one)}>CLI</${Copy}>`;
}

export default function ObjectPage({ kind, namespace, name }) {
  const one = { kind, namespace, name };
  const { data, error, again } = useRead(KINDS[kind] ? pathOf(one) : null, { types: mine(one) });
  if (!KINDS[kind]) return html`<h1>${t("shell.missing")}</h1><p>${t("shell.missingWhat")} <a href=${at("objects")}>${t("objects.title")}</a></p>`;
  const list = html`<p class="note"><a href=${at("objects", kind)}>${t(`kinds.${kind}`)}</a></p>`;
  if (!data && error?.status === 404) return html`<${Deleted} name=${nameOf(one)} path=${(what) => pathOf(one, what)} types=${mine(one)} says="objects.deletedBy" audit=${auditOf(one)} error=${error} more=${list}
    back=${(text, headers) => putObject(one, text, headers, t("job.putBack"), t("job.putBackSays", { name: nameOf(one) }))}>${list}</${Deleted}>`;
  if (!data) return html`<h1>${nameOf(one)}</h1><${Loading} error=${error} />`;
  return html`<${Whole} key=${objectAt(one)} one=${{ ...data, kind }} again=${again} />`;
}
