// Secrets: their names, who may use them, how old they are. A value goes in and is never shown; what is typed here is kept nowhere in the page.

import { Act, Ago, api, ask, at, cluster, command, Copy, Facts, html, Loading, Mistake, setQuery, Status, t, tn, useKeys, useNow, useOffers, useQuery, useRead, When } from "../house.js";
import { Namespaces } from "./objects.js";
import { nameOf } from "../parts/jobs.js";
import { Tabs, trouble } from "../parts/objects.js";
import { usePages } from "../parts/pages_of.js";
import { answer } from "../parts/reason.js";
import { LongTable } from "../parts/window.js";

const EVENTS = ["secret_changed", "secret_deleted"], ROW_PIXELS = 46, COLUMNS = 5, PATTERNS_SHOWN = 4;
const pathOf = (one, what = "") => `/v1/secrets/${encodeURIComponent(one.name)}${what && `/${what}`}?namespace=${encodeURIComponent(one.namespace)}`;
const inNamespace = (one) => one.namespace === "default" ? [] : ["--namespace", one.namespace];
const patterns = (text) => text.split(/[\s,]+/).filter(Boolean);

// A value's field: what stands in it is covered, also while it is typed.
function hidden(label) {
  let text = "";
  return { value: () => text, forget: () => { text = ""; }, field: () => html`<label class="field"><span>${label}</span><textarea name="value" class="covered" rows="3" required spellcheck=${false} autocomplete="off" autocapitalize="off" data-1p-ignore data-lpignore="true" onInput=${(event) => { text = event.target.value; }}></textarea>
    <span class="note">${t("secrets.valueSays")}</span></label>` };
}

const shownBody = (body) => ({ ...body, value: "…" });

function put(one, done) {
  const value = hidden(t("secrets.value"));
  const body = () => ({ value: value.value() });
  return {
    text: t("secrets.put"), title: t("secrets.putIt", { name: nameOf(one) }), capability: "admin", namespace: one.namespace, method: "PUT", path: pathOf(one), body, shown: () => shownBody(body()), fields: () => value.field(),
    says: t("secrets.putSays", { version: one.version + 1 }), did: t("secrets.putDid", { name: nameOf(one) }), cli: `${command("secret", "put", one.name, ...inNamespace(one))} < FILE`, done: () => { value.forget(); done(); },
  };
}

function make(done) {
  const name = answer(t("objects.name"), { name: "name" }), space = answer(t("objects.namespace"), { name: "space", first: "default" }), jobs = answer(t("secrets.grants"), { name: "jobs", note: t("secrets.grantsSay") }), value = hidden(t("secrets.value"));
  const one = () => ({ name: name.value(), namespace: space.value() || "default" });
  const body = () => ({ value: value.value(), grants: patterns(jobs.value()) });
  return {
    text: t("secrets.new"), title: t("secrets.new"), capability: "admin", namespace: "", method: "PUT", path: () => pathOf(one()), body, shown: () => shownBody(body()), fields: () => [name.field(), space.field(), value.field(), jobs.field()],
    says: t("secrets.newSays"), did: () => t("secrets.putDid", { name: nameOf(one()) }), cli: () => `${command("secret", "put", name.value() || "NAME", ...inNamespace(one()), ...patterns(jobs.value()).flatMap((each) => ["--job", each]))} < FILE`, done: () => { value.forget(); done(); },
  };
}

function grant(one, done) {
  const add = answer(t("secrets.add"), { name: "add", note: t("secrets.grantsSay") });
  const gone = new Set();
  const body = () => ({ add: patterns(add.value()), remove: [...gone] });
  const toggle = (pattern) => (event) => { if (event.target.checked) gone.delete(pattern); else gone.add(pattern); };
  return {
    text: t("secrets.grant"), title: t("secrets.grantIt", { name: nameOf(one) }), capability: "admin", namespace: one.namespace, method: "POST", path: pathOf(one, "grants"), body, says: t("secrets.grantSays"),
    fields: ({ changed }) => html`${one.grants.length ? html`<fieldset><legend>${t("secrets.grants")}</legend>${one.grants.map((pattern) => html`<label class="check" key=${pattern}><input type="checkbox" defaultChecked onChange=${(event) => { toggle(pattern)(event); changed(); }} /> <code>${pattern}</code></label>`)}</fieldset>` : null}${add.field()}`,
    did: t("secrets.grantDid", { name: nameOf(one) }), done,
    cli: () => command("secret", "grant", one.name, ...inNamespace(one), ...patterns(add.value()).flatMap((each) => ["--job", each]), ...[...gone].flatMap((each) => ["--revoke", each])),
  };
}

const remove = (one, done) => ({
  text: t("job.delete"), title: t("job.deleteIt", { name: nameOf(one) }), capability: "admin", namespace: one.namespace, method: "DELETE", path: pathOf(one), dry: true, danger: true, trouble,
  says: t("secrets.deleteSays", { name: nameOf(one) }), did: t("job.deleteDid", { name: nameOf(one) }), cli: command("secret", "delete", one.name, ...inNamespace(one)), done,
});
const rotate = (done) => ({
  text: t("secrets.rotate"), title: t("secrets.rotate"), capability: "admin", namespace: "*", method: "POST", path: "/v1/cluster/secret-key", dry: true, says: t("secrets.rotateSays"), cli: command("secret", "rotate-key"), done,
  did: (reply) => reply.left ? t("secrets.rotateAgain", { n: reply.resealed }) : t("secrets.rotateDid", { n: reply.resealed, key: reply.key }),
});

function Row({ one, again }) {
  const shown = one.grants.slice(0, PATTERNS_SHOWN);
  return html`<tr><td><a class="who" href=${`${at("objects", "secrets")}?${new URLSearchParams({ namespace: one.namespace, name: one.name })}`}>${nameOf(one)}</a> <span class="note">${t("secrets.version", { n: one.version })}</span></td>
    <td>${shown.length ? html`<code>${shown.join(", ")}${one.grants.length > shown.length ? ", …" : ""}</code>` : html`<span class="note">${t("secrets.nobody")}</span>`}</td>
    <td><${Ago} at=${one.changed} /> <span class="note wide">${one.actor}</span></td>
    <td class="wide"><code>${one.key}</code></td>
    <td class="acts"><${Act} action=${put(one, again)} label=${t("secrets.putIt", { name: nameOf(one) })} small /><${Act} action=${grant(one, again)} label=${t("secrets.grantIt", { name: nameOf(one) })} small />
      <${Act} action=${remove(one, again)} label=${t("job.deleteIt", { name: nameOf(one) })} small /></td></tr>`;
}

// One alone, with all that can be done to it: its address is what others link to, and on a phone the list has no room for that.
function One({ of, again }) {
  const { data, error, again: anew } = useRead(pathOf(of), { types: EVENTS });
  const done = () => { again(); anew(); };
  if (!data) return html`<${Loading} error=${error} />`;
  return html`<section class="card one-secret" aria-labelledby="one-title"><div class="head"><h2 id="one-title">${nameOf(data)}</h2><span class="note">${t("secrets.version", { n: data.version })}</span><span class="push"></span>
      <${Act} action=${put(data, done)} /><${Act} action=${grant(data, done)} /><${Act} action=${remove(data, () => { again(); setQuery({ name: "" }); })} /></div>
    <${Facts} of=${[[t("secrets.grants"), data.grants.length ? html`<code>${data.grants.join(", ")}</code>` : t("secrets.nobody")], [t("secrets.age"), html`<${When} at=${data.changed} /> ${data.actor}`], [t("secrets.key"), html`<code>${data.key}</code>`]]} /></section>`;
}

function Key() {
  const found = cluster.use()?.secrets;
  if (!found) return null;
  const own = found.keys?.[0];
  return html`<section aria-labelledby="key-title"><div class="head"><h2 id="key-title">${t("secrets.key")}</h2>${own && own === found.current ? html`<${Status} state="ok">${t("secrets.keyGood")}</${Status}>` : html`<${Status} state="late">${own ? t("secrets.keyOther") : t("secrets.keyNone")}</${Status}>`}<span class="push"></span><${Act} action=${rotate()} /></div>
    <${Facts} of=${[[t("secrets.keyCurrent"), found.current && html`<code>${found.current}</code>`], [t("secrets.keyHere"), (found.keys || []).join(", ")], [t("secrets.keyUse"), (found.in_use || []).join(", ")]]} /></section>`;
}

export default function Secrets() {
  useNow(10000);
  const query = useQuery();
  const list = usePages(`/v1/secrets?${new URLSearchParams(query.namespace ? { namespace: query.namespace } : {})}`, EVENTS);
  const add = make(list.again);
  useKeys({ n: ["secrets.new", () => ask(make(list.again))] });
  useOffers([add, rotate()], []);
  return html`<div class="head"><h1>${t("objects.title")}</h1><span class="note" role="status">${list.loading || list.error ? "" : list.whole ? tn("secrets.count", list.known) : tn("secrets.countMore", list.known)}</span><span class="push"></span><${Namespaces} />
      ${api.may("admin") ? html`<button type="button" class="primary" onClick=${() => ask(make(list.again))}>${t("secrets.new")}</button>` : null}</div>
    <${Tabs} />${query.name ? html`<${One} key=${query.name} of=${{ namespace: query.namespace || "default", name: query.name }} again=${list.again} />` : html`<p class="note">${t("about.secrets")}</p>`}
    ${list.error && !list.known ? html`<${Mistake} error=${list.error} />` : html`<${LongTable} list=${list} height=${ROW_PIXELS} label=${t("kinds.secrets")} columns=${COLUMNS}
      empty=${html`<div class="more"><p>${query.namespace ? t("objects.noMatch") : t("secrets.none")}</p>${query.namespace ? null : html`<${Copy} text="cronclave secret put DB_PASSWORD --job nightly-report">CLI</${Copy}>`}</div>`}
      head=${html`<tr><th scope="col">${t("objects.name")}</th><th scope="col">${t("secrets.grants")}</th><th scope="col" class="w-l">${t("secrets.age")}</th><th scope="col" class="wide w-m">${t("secrets.key")}</th><th scope="col" class="w-three"><span class="unseen">${t("job.actions")}</span></th></tr>`}
      row=${(one) => html`<${Row} key=${`${one.namespace} ${one.name}`} one=${one} again=${list.again} />`} />`}
    <${Key} />`;
}
