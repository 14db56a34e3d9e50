// What jobs refer to, a list for each kind: the server filters and pages, the window holds what is in view.

import { api, at, Choice, html, Mistake, Search, schedule, Status, t, tn, useKeys, useQuery, useRead, When } from "../house.js";
import { nameOf } from "../parts/jobs.js";
import { KINDS, objectAt, Tabs } from "../parts/objects.js";
import { usePages } from "../parts/pages_of.js";
import { LongTable } from "../parts/window.js";

const EVENTS = ["object_put", "object_deleted"], FILTERS = ["q", "namespace", "labels", "source"];
const ROW_PIXELS = 46, COLUMNS = 4, NAMES_MAX = 6;

// What it is, in a line.
const SAYS = {
  vars: (one) => Object.entries(one.values).slice(0, NAMES_MAX).map(([name, value]) => `${name}=${value}`).join(", ") + (Object.keys(one.values).length > NAMES_MAX ? ", …" : ""),
  calendars: (one) => [...(one.holidays || []).map((each) => [each.country, each.subdivision].filter(Boolean).join("-")), ...(one.exclude || []).slice(0, NAMES_MAX)].join(", "),
  schedules: (one) => one.triggers.length ? schedule(one.triggers) : t("objects.nothingFires"),
  resources: (one) => one.rate || (one.count === 1 ? t("objects.lock") : t("objects.amount", { n: one.count })),
  templates: (one) => Object.keys(one.gives).join(", "),
  sources: (one) => one.git ? `${one.git.url} ${one.git.ref} ${one.git.path}` : one.folder || one.store.url,
  channels: (one) => one.webhook || one.email.join(", "),
  routes: (one) => `${one.on.join(", ")} → ${one.to.join(", ")}`,
  boards: (one) => t("objects.stays", { span: one.expires }),
  hooks: (one) => t("objects.signed", { scheme: one.scheme, secret: one.secret }),
};

function Row({ one }) {
  return html`<tr><td><a class="who" href=${objectAt(one)}>${nameOf(one)}</a>${one.enabled === false ? html` <${Status} state="disabled" />` : null}
      ${one.description ? html`<span class="about" title=${one.description}>${one.description}</span>` : null}</td>
    <td><code>${SAYS[one.kind](one)}</code></td><td class="wide">${one.owner || (one.kind !== "sources" && one.source) || ""}</td>
    <td><${When} at=${one.changed} /> <span class="note wide">${one.actor}</span></td></tr>`;
}

// One of those in which there is something; the filter is in the address.
export function Namespaces() {
  const { data } = useRead("/v1/namespaces?limit=500", { types: ["object_put", "job_put"] });
  const asked = useQuery().namespace || "";
  const names = [...new Set(["default", ...(data?.items || []).map((one) => one.namespace), ...(asked ? [asked] : [])])].sort();
  return html`<${Choice} name="namespace" label=${t("objects.namespace")} options=${[["", t("objects.allNamespaces")], ...names.map((name) => [name, name])]} />`;
}

export default function Objects({ kind: asked }) {
  const kind = asked || "vars";
  const query = useQuery();
  const filters = new URLSearchParams();
  for (const name of FILTERS) if (query[name]) filters.set(name, query[name]);
  const list = usePages(`/v1/${kind}?${filters}`, EVENTS);
  useKeys({ "/": ["keys.filter", () => document.getElementById("filter").focus()], n: ["objects.new", () => document.getElementById("new-object")?.click()] });
  if (!KINDS[kind]) return html`<h1>${t("shell.missing")}</h1><${Tabs} />`;
  const make = api.may("edit") ? html`<a class="button primary" id="new-object" href=${at("objects", kind, "new")}>${t("objects.new")}</a>` : null;
  const empty = html`<div class="more"><p>${filters.size ? t("objects.noMatch") : t("objects.none")} ${filters.size ? null : t(`about.${kind}`)}</p></div>`;
  return html`<div class="head"><h1>${t("objects.title")}</h1><span class="note" role="status">${list.loading || list.error ? "" : list.whole ? tn("objects.count", list.known) : tn("objects.countMore", list.known)}</span>
      <${Search} label=${t("objects.search")} /><${Namespaces} />${make}</div>
    <${Tabs} />
    ${list.error && !list.known ? html`<${Mistake} error=${list.error} />` : html`<${LongTable} key=${kind} list=${list} height=${ROW_PIXELS} label=${t(`kinds.${kind}`)} columns=${COLUMNS} empty=${empty}
      head=${html`<tr><th scope="col">${t("objects.name")}</th><th scope="col">${t("objects.says")}</th><th scope="col" class="wide w-l">${t("objects.owner")}</th><th scope="col" class="w-l">${t("job.changed")}</th></tr>`}
      row=${(one) => html`<${Row} key=${`${one.namespace} ${one.name}`} one=${{ ...one, kind }} />`} />`}`;
}
