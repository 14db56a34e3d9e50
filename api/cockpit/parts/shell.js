// What is around every page: navigation, how the cluster is, what moves between nodes, keys, palette, dialogs.

import { PAGES } from "../pages/index.js";
import { later } from "./lazy.js";
import * as api from "./api.js";
import { Actions, ask, asked, command } from "./action.js";
import { Dialog } from "./dialog.js";
import { html, useEffect, useErrorBoundary } from "./html.js";
import { allKeys, bind, isMac } from "./keys.js";
import { membersOf } from "./members.js";
import { arrived, away, cluster, move } from "./nodes.js";
import { offer, opened, PaletteHost } from "./palette.js";
import { match, go, useRoute } from "./router.js";
import { Status } from "./status.js";
import { store } from "./store.js";
import { live } from "./stream.js";
import { clockOff, language, speak, t, when } from "./words.js";

const NoQuorum = later(() => import("./no_quorum.js"));
const keysShown = store(false);
const look = store(document.documentElement.dataset.look);
look.listen((next) => { document.documentElement.dataset.look = next; localStorage.setItem("look", next); });
const LOOKS = ["system", "light", "dark"];

export const pauseAll = () => ({
  text: t("pause.all"), title: t("pause.all"), capability: "operate", method: "POST", path: "/v1/pause", dry: true, danger: true,
  says: t("pause.says"), body: { reason: t("pause.reason", { name: api.session.get()?.name }) }, did: t("pause.did"),
  cli: command("cluster", "pause", "--reason", t("pause.reason", { name: api.session.get()?.name })), undo: resumeAll(false),
});
export const resumeAll = (undo = true) => ({
  text: t("resume.all"), title: t("resume.all"), capability: "operate", method: "POST", path: "/v1/resume", dry: true, says: t("resume.says"),
  did: t("resume.did"), cli: command("cluster", "resume"), undo: undo ? pauseAll() : null,
});

const clockWords = (node) => t("health.clock", { node: node.node, clock: clockOff(node.clock_off_ms) });
export function healthOf(known, silent) {
  const nodes = membersOf(known, false);
  const missing = nodes.filter((node) => !node.reachable).map((node) => node.node), wrong = nodes.filter((node) => node.clock_is_off);
  const facts = { up: nodes.length - missing.length, nodes: nodes.length, leader: known.leader || t("health.nobody"), missing: missing.join(", "), node: known.node };
  if (silent) return { state: "lost", name: t("health.silent"), facts: t("health.silentFacts", facts) };
  if (!known.quorum) return { state: "lost", name: t("health.noQuorum"), facts: t("health.noQuorumFacts", facts) };
  if (known.difference) return { state: "differs", name: t("health.differs"), facts: t("health.differsFacts", { at: when(known.difference.at), job: known.difference.job || "", detail: known.difference.detail }) };
  if (known.pause) return { state: "paused", name: t("health.paused"), facts: `${known.pause.reason}${known.pause.until ? ` · ${t("health.until", { at: when(known.pause.until) })}` : ""}` };
  if (missing.length) return { state: "degraded", name: t("health.degraded"), facts: t("health.degradedFacts", facts) };
  if (known.overload) return { state: "overloaded", name: t("health.overloaded"), facts: t("health.overloadedFacts", { at: when(known.overload.since) }) };
  if (wrong.length) return { state: "degraded", name: t("health.degraded"), facts: wrong.map(clockWords).join(", ") };
  return { state: "ready", name: t("health.healthy"), facts: t("health.facts", facts) };
}

const Icon = ({ path }) => html`<svg viewBox="0 0 20 20" width="18" height="18" aria-hidden="true"><path d=${path} /></svg>`;

// A phone shows the first pages, and the others behind "More".
const PHONE_PAGES = 4;
const phone = matchMedia("(max-width: 820px)");
const small = store(phone.matches);
phone.addEventListener("change", () => small.set(phone.matches));

function Navigation({ current }) {
  const all = PAGES.filter((page) => page.icon);
  const shown = small.use() ? PHONE_PAGES : all.length;
  const isHere = (page) => page.path === current || (current.startsWith(`${page.path}/`) && page.path !== PAGES[0].path);
  const entry = (page) => html`<li key=${page.path}><a href=${page.path} aria-current=${isHere(page) ? "page" : undefined}><${Icon} path=${page.icon} /><span>${t(page.title)}</span></a></li>`;
  const more = all.slice(shown);
  return html`<nav class="pages" aria-label=${t("shell.pages")}><ul>${all.slice(0, shown).map(entry)}${more.length ? html`<li key="more">
    <${Details} key=${current} kind="others"><summary class=${more.some(isHere) ? "here" : ""}><${Icon} path="M4.5 10h.1M10 10h.1M15.5 10h.1" /><span>${t("shell.more")}</span></summary><ul>${more.map(entry)}</ul></${Details}></li>` : null}</ul></nav>`;
}

function Bar() {
  const known = cluster.use();
  const gone = away.use();
  const stream = live.use();
  const health = known && healthOf(known, gone !== null);
  return html`<header class="bar">
    <a class="brand" href=${PAGES[0].path}><img src="/assets/icon.svg" alt="" width="22" height="22" /><span>Cronclave</span></a>
    <p class="health" role="status" aria-live="polite">${health ? html`<${Status} state=${health.state}>${health.name}</${Status}> <span class="facts">${health.facts}</span>` : null}</p>
    <div class="tools">
      <span class=${`live ${stream.state}`}>${stream.state === "live" ? t("shell.live") : stream.state === "away" ? t("shell.reconnecting") : ""}</span>
      <button type="button" class="search" onClick=${() => opened.set(true)} aria-keyshortcuts="Control+K Meta+K">${t("shell.search")} <kbd>${isMac ? "⌘K" : "Ctrl K"}</kbd></button>
      <${Menu} />
    </div></header>`;
}

// Opens over what is around it, and closes when the focus leaves it or by Escape.
const Details = ({ kind, children }) => html`<details class=${kind} onFocusOut=${(event) => { if (!event.currentTarget.contains(event.relatedTarget)) event.currentTarget.open = false; }}
  onKeyDown=${(event) => { if (event.key === "Escape") { event.currentTarget.open = false; event.currentTarget.firstElementChild.focus(); } }}>${children}</details>`;

function Menu() {
  const session = api.session.use();
  const chosen = look.use();
  return html`<${Details} kind="menu">
    <summary aria-label=${t("shell.menu")}><span class="who">${session?.name}</span></summary>
    <div>
      <p class="note">${t("shell.role", { role: session?.role })}</p>
      <label>${t("shell.look")}<select value=${chosen} onChange=${(event) => look.set(event.target.value)}>${LOOKS.map((each) => html`<option value=${each}>${t(`look.${each}`)}</option>`)}</select></label>
      <label>${t("shell.language")}<select value=${language.get()} onChange=${(event) => speak(event.target.value)}><option value="en">English</option><option value="de">Deutsch</option></select></label>
      <button type="button" onClick=${() => keysShown.set(true)}>${t("shell.keys")} <kbd>?</kbd></button>
      <a href="/docs" target="_blank" rel="noopener">${t("shell.api")}</a>
      <button type="button" onClick=${api.end}>${t("shell.leave")}</button>
    </div></${Details}>`;
}

// Calm words while the page looks for another node, and for a moment after it has found one.
function Moving() {
  const gone = away.use();
  const came = arrived.use();
  if (gone) return html`<p class=${`banner ${gone.next ? "calm" : ""}`} role="alert">${t("away.silent", { node: gone.node })} ${gone.next
    ? html`${t("away.next", { node: gone.next.node })} <button type="button" class="small" onClick=${() => move(gone.next)}>${t("away.go", { node: gone.next.node })}</button>`
    : t("away.nobody")}</p>`;
  if (came) return html`<p class="banner calm" role="status">${t("away.came", { node: came.from })}</p>`;
  return null;
}

function Keys() {
  if (!keysShown.use()) return null;
  const shown = (key) => key.split(" ").map((stroke) => html`<kbd>${stroke.replace("mod+k", isMac ? "⌘K" : "Ctrl K")}</kbd> `);
  return html`<${Dialog} title=${t("shell.keys")} onClose=${() => keysShown.set(false)}>
    <table class="keys"><tbody>${allKeys().map((one) => html`<tr key=${one.key}><td>${shown(one.key)}</td><td>${t(one.text)}</td></tr>`)}</tbody></table></${Dialog}>`;
}

// One page that breaks takes neither the shell nor the other pages with it.
function Page({ page, params }) {
  const [error] = useErrorBoundary((each) => console.error(each));
  if (error) return html`<section class="alarm" role="alert"><h1>${t("shell.broken")}</h1><p><code>${String(error.message || error)}</code></p>
    <p><button type="button" onClick=${() => location.reload()}>${t("shell.reload")}</button></p></section>`;
  return html`<${page.view} ...${params} />`;
}

function Missing() {
  return html`<h1>${t("shell.missing")}</h1><p>${t("shell.missingWhat")} <a href=${PAGES[0].path}>${t(PAGES[0].title)}</a></p>`;
}

export function Shell() {
  const { path } = useRoute();
  const known = cluster.use();
  const gone = away.use();
  let params = null;
  const page = PAGES.find((each) => (params = match(each.path, path)));
  useEffect(() => {
    const undo = [
      bind("mod+k", "keys.palette", () => { if (!asked.get()) opened.set(!opened.get()); }),
      bind("?", "keys.keys", () => keysShown.set(true)),
      ...PAGES.filter((each) => each.key).map((each) => bind(`g ${each.key}`, each.title, () => go(each.path))),
      offer(() => PAGES.filter((each) => each.icon).map((each) => ({ text: t(each.title), note: t("palette.page"), work: () => go(each.path) }))),
      offer(() => (api.may("operate", "*") ? [cluster.get()?.pause ? resumeAll() : pauseAll()] : []).map((action) => ({ text: action.text, note: t("palette.action"), work: () => ask(action) }))),
      offer(() => LOOKS.map((each) => ({ text: `${t("shell.look")}: ${t(`look.${each}`)}`, note: t("palette.setting"), work: () => look.set(each) }))),
      offer(() => [{ text: t("shell.leave"), note: t("palette.action"), work: api.end }]),
    ];
    return () => undo.forEach((each) => each());
  }, []);
  const health = known && healthOf(known, gone !== null);
  const name = page ? t(page.title) : t("shell.missing");
  const thing = params && Object.values(params).at(-1);
  useEffect(() => {
    const bad = health && health.state !== "ready" ? `${health.name} · ` : "";
    document.title = `${bad}${thing ? `${thing} · ` : ""}${name} · Cronclave`;
  }, [health?.name, name, thing]);
  return html`<a class="skip" href="#main">${t("shell.skip")}</a>
    <${Bar} /><${Moving} />
    <div class="frame-of-all"><${Navigation} current=${path} />
      <main id="main" tabindex="-1">
        ${known && !known.quorum ? html`<${NoQuorum} known=${known} />` : null}
        ${page ? html`<${Page} key=${path} page=${page} params=${params} />` : html`<${Missing} />`}
      </main></div>
    <footer class="foot">${known ? html`<span>${known.node} · ${t("foot.index", { index: known.index })} · ${t("foot.ledger")} <code>${known.ledger_head.slice(0, 12)}</code> · tzdata ${known.tzdata} · ${t("foot.version", { version: known.version })}</span>` : null}</footer>
    <${PaletteHost} /><${Keys} /><${Actions} />`;
}
