// Who changed what: what people decided, and programs with a token, the latest first.

import { api, at, Choice, html, Mistake, Search, t, tn, useQuery, When, word } from "../house.js";
import { jobAt, nameOf, runAt } from "../parts/jobs.js";
import { KINDS } from "../parts/objects.js";
import { usePages } from "../parts/pages_of.js";
import { LongTable } from "../parts/window.js";

const EVENTS = ["job_put", "job_deleted", "job_paused", "job_resumed", "paused", "resumed", "run_created", "run_ended", "agent_drained", "agent_resumed", "token_withdrawn", "object_put", "object_deleted", "secret_changed", "secret_deleted"];
const ACTIONS = ["put", "delete", "pause", "resume", "run", "cancel", "resolve", "drain", "release", "open", "close", "add", "remove", "transfer", "backup"];
const CHANGES = "put,delete,pause,resume";
const ROW_PIXELS = 46, COLUMNS = 5;
const value = (one) => one === null ? "–" : typeof one === "number" ? t("job.revision", { n: one }) : one;

function What({ entry }) {
  const name = entry.namespace ? nameOf({ namespace: entry.namespace, name: entry.name }) : entry.name;
  const plural = Object.keys(KINDS).find((each) => KINDS[each] === entry.kind);
  const page = !entry.name ? null : entry.kind === "namespace" ? at("namespaces", entry.name) : !entry.namespace ? null : ["job", "run"].includes(entry.kind) ? jobAt(entry) : plural ? at("objects", plural, entry.namespace, entry.name) : null;
  return html`<span class="note">${entry.kind}</span> ${page ? html`<a class="who plain" href=${page}>${name}</a>` : html`<span class="who">${name}</span>`}
    ${entry.run ? html` <a href=${runAt(entry.run)}>#${entry.run}</a>` : null}`;
}

const Row = ({ entry }) => html`<tr><td><${When} at=${entry.at} /></td>
  <td><span class="who">${entry.actor || t("audit.node")}</span> <span class="note wide">${entry.address}${entry.session ? ` · ${t("audit.browser")}` : ""}</span></td>
  <td>${word("did", entry.action)}</td><td><${What} entry=${entry} /></td>
  <td class="wide"><span class="note" title=${entry.reason}>${entry.before === null && entry.after === null ? entry.reason : `${value(entry.before)} → ${value(entry.after)}`}</span></td></tr>`;

export default function Audit() {
  const query = useQuery();
  const filters = new URLSearchParams();
  for (const name of ["actor", "action", "kind", "namespace", "name", "run", "since", "until"]) if (query[name]) filters.set(name, query[name]);
  const list = usePages(`/v1/audit?${filters}`, EVENTS);
  const choices = [["", t("audit.allActions")], [CHANGES, t("audit.changes")], ...ACTIONS.map((action) => [action, word("did", action)])];
  return html`<div class="head"><h1>${t("audit.title")}</h1>
      <span class="note" role="status">${list.loading || list.error ? "" : list.whole ? tn("audit.count", list.known) : tn("audit.countMore", list.known)}</span>
      <${Search} name="name" label=${t("audit.search")} /><${Search} name="actor" id="actor" label=${t("audit.byActor")} />
      <${Choice} name="action" label=${t("audit.action")} options=${choices} /></div>
    ${list.error?.status === 403 ? html`<p class="card">${t("access.adminOnly", { role: api.session.use()?.role })} ${list.error.hint}</p>` : list.error ? html`<${Mistake} error=${list.error} />`
      : html`<${LongTable} list=${list} height=${ROW_PIXELS} label=${t("audit.title")} columns=${COLUMNS}
        head=${html`<tr><th scope="col" class="w-m">${t("audit.at")}</th><th scope="col">${t("audit.who")}</th><th scope="col" class="w-m">${t("audit.action")}</th><th scope="col">${t("audit.what")}</th><th scope="col" class="wide">${t("audit.change")}</th></tr>`}
        empty=${html`<p class="more">${t("audit.none")}</p>`} row=${(entry) => html`<${Row} key=${entry.number} entry=${entry} />`} />`}`;
}
