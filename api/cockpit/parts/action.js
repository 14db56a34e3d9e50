// Something that a person does to the cluster. It is not shown to who may not do it. Before it happens a dialog says what
// will happen, asks the server whether it would (`dry`), and shows the same as a command and as a request; after it, what
// undoes it, where anything does.
//
// An action is a value, so that a button, the palette and a key can all offer it:
//   {text, says, capability, namespace, method, path, body, kind, headers, cli, dry, danger, fields, done(reply), undo: an action, or a function of the reply}
// `fields`: html shown in the dialog, in which `body` and `path` (functions then) are edited. `shown`: the body as others may read it. `trouble(error)`: more of a refusal.
//
// Without a quorum it says so, as long as that lasts, and sends nothing; what was sent before is told of when the cluster answers.
// `alone`: what a node does by itself, a quorum or not.

import * as api from "./api.js";
import { Copy, Dialog } from "./dialog.js";
import { html, useEffect, useState } from "./html.js";
import { away, cluster, look, suspect } from "./nodes.js";
import { Said } from "./said.js";
import { store } from "./store.js";
import { language, learn, t, word } from "./words.js";

export const asked = store(null); // the action whose dialog is open
export const toasts = store([]);
const TOAST_MS = 12000, UNDO_MS = 20000, LOOK_MS = 700; // what can be undone stays longer
let number = 0;

// Of what was done, the last alone is offered to be undone: what came before may be over.
export function toast(text, { undo = null, look = "ok" } = {}) {
  number += 1;
  const one = { id: number, text, undo, look };
  toasts.set([...toasts.get().filter((each) => !each.undo).slice(-2), one]);
  setTimeout(() => toasts.set(toasts.get().filter((each) => each !== one)), undo ? UNDO_MS : TOAST_MS);
}

// Of which namespace it is: `namespace` ("": of several), or what its path names; else of the whole cluster.
const pathOf = (action) => typeof action.path === "function" ? action.path() : action.path;
const placeOf = (action) => action.namespace ?? new URLSearchParams(pathOf(action).split("?")[1]).get("namespace") ?? "*";
export const allowed = (action) => !action.capability || api.may(action.capability, placeOf(action));
export const ask = (action) => { if (allowed(action)) asked.set(action); };

const bodyOf = (action) => typeof action.body === "function" ? action.body() : action.body;
const quote = (text) => /^[\w@%+=:,./-]+$/.test(text) ? text : `'${String(text).replaceAll("'", "'\\''")}'`;
export const command = (...words) => ["cronclave", ...words.filter((each) => each !== null && each !== undefined).map(quote)].join(" ");

// The same as a file that is given, whose text stands in the command: it can be pasted as it is.
export const fed = (text, ...words) => `${command(...words, "-")} <<'END'\n${text}${text.endsWith("\n") ? "" : "\n"}END`;

export function curl(action) {
  const body = action.shown ? action.shown() : bodyOf(action);
  const parts = ["curl", "-X", action.method, "-H", '"Authorization: Bearer $CRONCLAVE_TOKEN"'];
  for (const [name, value] of Object.entries(action.headers || {})) parts.push("-H", quote(`${name}: ${value}`));
  if (body !== undefined) {
    parts.push("-H", `'Content-Type: ${action.kind || "application/json"}'`, "-d", quote(typeof body === "string" ? body : JSON.stringify(body)));
  }
  parts.push(quote(location.origin + pathOf(action)));
  return parts.join(" ");
}

// One key a dialog: pressing again after an answer that got lost does the thing once.
const newKey = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (each) => each.toString(36)).join("-");

async function perform(action, key) {
  const headers = { "Idempotency-Key": key };
  Object.assign(headers, action.headers);
  const reply = await api.send(action.method, pathOf(action), bodyOf(action), { headers, kind: action.kind });
  const undo = typeof action.undo === "function" ? action.undo(reply) : action.undo;
  const did = typeof action.did === "function" ? action.did(reply) : action.did;
  toast(did || t("action.done", { what: action.text }), { undo: undo && allowed(undo) ? undo : null });
  action.done?.(reply);
}

// What went wrong, as the API says it: in English. Of what kind it is, a reader of another language reads in theirs.
const titles = store(language.get() === "en");
function learnTitles() {
  if (!titles.get() && language.get() !== "en") import("../texts_problems.js").then((file) => { learn(file.default); titles.set(true); }, () => {});
}
language.listen(() => titles.set(false));

export function Mistake({ error }) {
  const known = titles.use();
  const kind = String(error?.problem?.type || "").split("/").at(-1);
  useEffect(() => { if (kind) learnTitles(); }, [kind, known]);
  if (!error) return null;
  if (error instanceof api.Silence) return html`<p class="error" role="alert">${t("error.silence")}</p>`;
  const ours = language.get() !== "en" && known && kind;
  return html`<p class="error" role="alert">${ours ? html`<strong>${word("problem", kind)}:</strong> ` : null}<${Said} class="told">${error.message}</${Said}>
    ${error.hint ? html` <${Said}>${error.hint}</${Said}>` : null}</p>`;
}

function ActionDialog({ action }) {
  const [error, fail] = useState(null);
  const [busy, work] = useState(false);
  const [key] = useState(newKey);
  const [, draw] = useState(0); // `fields` has changed the body
  const [trial, tried] = useState(null); // what the dry run answered
  const close = () => asked.set(null);
  useEffect(() => {
    if (!action.dry) return;
    const path = `${pathOf(action)}${pathOf(action).includes("?") ? "&" : "?"}dry_run=true`;
    api.send(action.method, path, bodyOf(action), { kind: action.kind, headers: action.headers }).then(tried, fail);
  }, [action]);
  const known = cluster.use(), gone = away.use();
  const [late, wait] = useState(false); // it was sent, and nobody has answered yet
  useEffect(() => {
    wait(false);
    if (!busy) return undefined;
    const timer = setInterval(() => { wait(true); look(); }, LOOK_MS);
    return () => clearInterval(timer);
  }, [busy]);
  const stuck = Boolean(known && !known.quorum && !action.alone) || gone !== null;
  const submit = async (event) => {
    event.preventDefault();
    work(true);
    fail(null);
    try {
      await perform(action, key);
      close();
    } catch (problem) {
      if (problem instanceof api.Silence) suspect();
      fail(problem);
      work(false);
    }
  };
  return html`<${Dialog} title=${action.title || action.text} onClose=${close}>
    <form onSubmit=${submit} class="ask">
      <p>${typeof action.says === "function" ? action.says(trial) : action.says}</p>
      ${action.fields ? html`<${action.fields} changed=${() => draw((n) => n + 1)} />` : null}
      <${Mistake} error=${error} />${error && action.trouble?.(error)}
      ${stuck ? html`<p class="error" role="alert">${busy ? t("action.stuckSent") : t("action.stuck")}</p>` : late ? html`<p class="note" role="status">${t("action.late")}</p>` : null}
      <div class="buttons">
        <button type="submit" class=${action.danger ? "danger" : "primary"} data-first disabled=${busy || stuck}>${action.text.replace(/\s*…$/, "")}</button>
        <button type="button" onClick=${close}>${t("dialog.cancel")}</button>
      </div>
      <details><summary>${t("action.same")}</summary>
        ${action.cli ? html`<${Copy} text=${typeof action.cli === "function" ? action.cli() : action.cli}>CLI</${Copy}>` : null}
        <${Copy} text=${curl(action)}>curl</${Copy}>
      </details>
    </form></${Dialog}>`;
}

// The one place where dialogs and toasts are drawn.
export function Actions() {
  const action = asked.use();
  const shown = toasts.use();
  const dismiss = (one) => toasts.set(toasts.get().filter((each) => each !== one));
  return html`${action ? html`<${ActionDialog} key=${action.title || action.text} action=${action} />` : null}
    <div class="toasts" role="status" aria-live="polite">${shown.map((one) => html`<p class=${`toast ${one.look}`} key=${one.id}>
      <span>${one.text}</span>
      ${one.undo ? html`<button type="button" onClick=${() => { dismiss(one); ask(one.undo); }}>${one.undo.text}</button>` : null}
      <button type="button" class="quiet" aria-label=${t("dialog.close")} onClick=${() => dismiss(one)}>×</button></p>`)}</div>`;
}

export const Act = ({ action, small = false, label }) => allowed(action) ? html`<button type="button" class=${small ? "small" : ""}
  aria-label=${label} onClick=${() => ask(action)}>${action.text}</button>` : null;
