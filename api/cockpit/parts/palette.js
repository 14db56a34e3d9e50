// ⌘K: go to a page, a job, a run, an agent or an object, or do something. Pages add what they offer with `useOffers`.

import * as api from "./api.js";
import { allowed, ask } from "./action.js";
import { Dialog } from "./dialog.js";
import { html, useEffect, useRef, useState } from "./html.js";
import { at, go } from "./router.js";
import { store } from "./store.js";
import { t, word } from "./words.js";

export const opened = store(false);
const offered = new Set(); // functions that give [{text, note, work}]
const FOUND_MAX = 8, TYPED_MS = 120;

export function offer(make) {
  offered.add(make);
  return () => offered.delete(make);
}
// Actions of the view that is shown, while it is.
export function useOffers(actions, inputs) {
  useEffect(() => offer(() => actions.filter(Boolean).filter(allowed).map((action) =>
    ({ text: action.title || action.text, note: t("palette.action"), work: () => ask(action) }))), inputs);
}

async function found(text, signal) {
  const query = new URLSearchParams({ q: text, limit: FOUND_MAX, brief: true });
  const objects = import("./finding_objects.js").then(({ foundObjects }) => foundObjects(text, signal));
  const [jobs, agents, others] = await Promise.all([api.read(`/v1/jobs?${query}`, { signal }), api.read("/v1/agents", { signal }), objects]);
  const fits = (name) => name.toLowerCase().includes(text.toLowerCase());
  return [
    ...jobs.items.map((job) => ({ text: job.name, note: t("palette.job", { namespace: job.namespace }), work: () => go(at("jobs", job.namespace, job.name)) })),
    ...agents.items.filter((agent) => fits(agent.name)).slice(0, FOUND_MAX).map((agent) => (
      { text: agent.name, note: t("palette.agent", { state: word("state", agent.state) }), work: () => go(`${at("agents")}?q=${encodeURIComponent(agent.name)}`) })),
    ...others,
  ];
}

function Palette() {
  const [text, type] = useState("");
  const [things, set] = useState([]);
  const [chosen, choose] = useState(0);
  const list = useRef(null);
  const near = text.trim();
  useEffect(() => {
    set([]);
    choose(0);
    if (!near) return undefined;
    const stop = new AbortController();
    const timer = setTimeout(() => found(near, stop.signal).then(set, () => {}), TYPED_MS);
    return () => { clearTimeout(timer); stop.abort(); };
  }, [near]);
  const known = [...offered].flatMap((make) => make()).filter((each) => each.text.toLowerCase().includes(near.toLowerCase()));
  const run = /^#?(\d{1,18})$/.exec(near);
  const all = [...(run ? [{ text: t("palette.run", { run: run[1] }), note: "", work: () => go(at("runs", run[1])) }] : []), ...known, ...things];
  const current = Math.min(chosen, all.length - 1);
  const close = () => opened.set(false);
  const take = (one) => { close(); one.work(); };
  const key = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && all.length) {
      event.preventDefault();
      const next = (current + step + all.length) % all.length;
      choose(next);
      list.current.children[next]?.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter" && all[current]) {
      event.preventDefault();
      take(all[current]);
    }
  };
  return html`<${Dialog} title=${t("palette.title")} onClose=${close} plain>
    <input class="palette" data-first role="combobox" aria-expanded="true" aria-controls="palette-list" aria-autocomplete="list"
      aria-activedescendant=${current >= 0 ? `palette-${current}` : undefined} aria-label=${t("palette.title")} placeholder=${t("palette.hint")}
      value=${text} onInput=${(event) => type(event.target.value)} onKeyDown=${key} autocomplete="off" spellcheck=${false} />
    <ul id="palette-list" role="listbox" aria-label=${t("palette.title")} ref=${list}>${all.map((one, i) => html`<li key=${`${one.note} ${one.text}`} id=${`palette-${i}`} role="option"
      aria-selected=${String(i === current)} onClick=${() => take(one)} onMouseMove=${() => choose(i)}><span>${one.text}</span><span class="note">${one.note}</span></li>`)}</ul>
    ${all.length ? null : html`<p class="note">${t("palette.none")}</p>`}</${Dialog}>`;
}

export const PaletteHost = () => opened.use() ? html`<${Palette} />` : null;
