// Access: the tokens of this cluster, who may what with them, and their ends. A secret is shown once, when it is made.

import { Act, api, at, command, Copy, Dialog, html, Loading, Mistake, setQuery, Status, t, tn, useQuery, useRead, useState, When, word } from "../house.js";

const PEOPLE = ["viewer", "operator", "submitter", "approver", "admin"], ROLES = [...PEOPLE, "agent", "join-agent", "join-node"], DAY_S = 86400, BOUND = ["agent", "join-agent", "join-node"];
const LIVES = [["", 0], ["day", DAY_S], ["week", 7 * DAY_S], ["year", 365 * DAY_S]];

const revoke = (token, done) => ({
  text: t("access.revoke"), title: t("access.revokeIt", { name: token.name }), capability: "admin", namespace: Object.keys(token.roles)[0], method: "DELETE", path: `/v1/tokens/${encodeURIComponent(token.name)}`, danger: true, dry: true,
  says: t("access.revokeSays", { name: token.name }), did: t("access.revokeDid", { name: token.name }), cli: command("token", "revoke", token.name), done,
});

function Make({ onMade, onClose }) {
  const [form, fill] = useState({ name: "", role: "viewer", life: "", holder: "", namespaces: "" });
  const [error, fail] = useState(null);
  const [busy, work] = useState(false);
  const set = (name) => (event) => fill({ ...form, [name]: event.target.value });
  const isJoin = form.role.startsWith("join");
  const body = { name: form.name, role: form.role };
  if (form.life && !isJoin) body.ttl_s = LIVES.find(([name]) => name === form.life)[1];
  const namespaces = form.namespaces.split(/[\s,]+/).filter(Boolean), scoped = PEOPLE.includes(form.role) && namespaces.length > 0;
  if (scoped) body.namespaces = namespaces;
  if (form.holder && BOUND.includes(form.role)) body.holder = form.holder;
  const wrong = (name) => error?.errors?.find((one) => one.pointer.split("/")[1] === name)?.detail;
  const submit = async (event) => {
    event.preventDefault();
    work(true);
    fail(null);
    try {
      onMade(await api.send("POST", "/v1/tokens", body));
    } catch (problem) {
      fail(problem);
      work(false);
    }
  };
  return html`<${Dialog} title=${t("access.make")} onClose=${onClose}><form class="ask" onSubmit=${submit}>
    <p>${t("access.makeSays")}</p>
    <label class="field"><span>${t("access.name")}</span><input type="text" data-first value=${form.name} onInput=${set("name")} required maxlength="63" autocomplete="off" spellcheck=${false} aria-invalid=${Boolean(wrong("name"))} />
      ${wrong("name") ? html`<span class="error">${wrong("name")}</span>` : null}</label>
    <label class="field"><span>${t("access.role")}</span><select value=${form.role} onChange=${set("role")}>${ROLES.map((role) => html`<option value=${role} key=${role}>${role}</option>`)}</select><span class="note">${word("may", form.role)}</span></label>
    ${PEOPLE.includes(form.role) ? html`<label class="field"><span>${t("access.namespaces")}</span><input type="text" value=${form.namespaces} onInput=${set("namespaces")} required=${!api.may("admin", "*")} autocomplete="off" spellcheck=${false} aria-invalid=${Boolean(wrong("namespaces"))} /><span class="note">${t("access.namespacesSay")}</span>
      ${wrong("namespaces") ? html`<span class="error">${wrong("namespaces")}</span>` : null}</label>` : null}
    ${isJoin ? null : html`<label class="field"><span>${t("access.life")}</span><select value=${form.life} onChange=${set("life")}>${LIVES.map(([name]) => html`<option value=${name} key=${name}>${name ? t(`life.${name}`) : t("life.ever")}</option>`)}</select></label>`}
    ${BOUND.includes(form.role) ? html`<label class="field"><span>${t("access.holder")}</span><input type="text" value=${form.holder} onInput=${set("holder")} autocomplete="off" /><span class="note">${t("access.holderSays")}</span></label>` : null}
    <${Mistake} error=${error} />
    <div class="buttons"><button type="submit" class="primary" disabled=${busy}>${t("access.make")}</button><button type="button" onClick=${onClose}>${t("dialog.cancel")}</button></div>
    <details><summary>${t("action.same")}</summary><${Copy} text=${command("token", "create", "--role", form.role, ...(scoped ? namespaces.flatMap((name) => ["--namespace", name]) : []), form.name || "NAME")}>CLI</${Copy}></details></form></${Dialog}>`;
}

const Made = ({ made, onClose }) => html`<${Dialog} title=${t("access.made", { name: made.name })} onClose=${onClose}><p>${t("access.once")}</p><${Copy} text=${made.token}>${t("access.token")}</${Copy}>
  ${made.warning ? html`<p><${Status} state="late">${made.warning}</${Status}></p>` : null}<div class="buttons"><button type="button" data-first onClick=${onClose}>${t("dialog.close")}</button></div></${Dialog}>`;

// What it is where, and what that means.
const Roles = ({ token }) => Object.entries(token.roles).map(([name, role]) => html`<div key=${name}>${role}${name === "*" ? "" : html` ${t("access.in", { name })}`} <span class="note wide">${word("may", role)}</span></div>`);

export default function Access() {
  const query = useQuery();
  const { data, error, again } = useRead("/v1/tokens", { types: ["token_withdrawn"] });
  const [made, show] = useState(null);
  const me = api.session.use();
  const head = html`<div class="head"><h1>${t("access.title")}</h1>${data ? html`<span class="note" role="status">${tn("access.count", data.items.length)}</span>` : null}<span class="push"></span>
    ${api.may("admin") ? html`<a class="button" href=${at("audit")}>${t("audit.title")}</a>` : null}${api.may("admin") ? html`<button type="button" class="primary" onClick=${() => setQuery({ make: "yes" })}>${t("access.make")}</button>` : null}</div>`;
  if (!data) return html`${head}${error?.status === 403 ? html`<p class="card">${t("access.adminOnly", { role: me?.role })} ${error.hint}</p>` : html`<${Loading} error=${error} />`}`;
  return html`${head}
    <div class="frame"><table class="even"><thead><tr>${["name", "role", "for", "created", "expires"].map((name) => html`<th scope="col" key=${name} class=${name === "created" || name === "for" ? "wide" : ""}>${t(`access.${name}`)}</th>`)}<th scope="col"><span class="unseen">${t("job.actions")}</span></th></tr></thead>
      <tbody>${data.items.map((token) => html`<tr key=${token.name}><td><span class="who">${token.name}</span>${token.name === me?.name ? html` <span class="note">${t("access.you")}</span>` : null}</td>
        <td><${Roles} token=${token} /></td>
        <td class="wide">${token.holder || (token.pool ? t("agents.pool", { pool: token.pool }) : "")}${token.uses !== null ? html` <span class="note">${tn("access.uses", token.uses)}</span>` : null}</td>
        <td class="wide"><${When} at=${token.created} /></td>
        <td>${token.expires ? html`<${Status} state=${Date.parse(token.expires) < Date.now() ? "expired" : "waiting"}><${When} at=${token.expires} /></${Status}>` : html`<span class="note">${t("life.ever")}</span>`}</td>
        <td class="acts"><${Act} action=${revoke(token, again)} label=${t("access.revokeIt", { name: token.name })} small /></td></tr>`)}</tbody></table></div>
    <p class="note">${t("access.sessions")}</p>
    ${query.make === "yes" && !made ? html`<${Make} onMade=${(token) => { setQuery({ make: "" }); show(token); again(); }} onClose=${() => setQuery({ make: "" })} />` : null}
    ${made ? html`<${Made} made=${made} onClose=${() => show(null)} />` : null}`;
}
