// Small things that many pages show.

import { html, useEffect, useRef, useState } from "./html.js";
import { setQuery, useQuery } from "./router.js";
import { Mistake } from "./action.js";
import { t, when, whole, ago, until } from "./words.js";

export const When = ({ at }) => at ? html`<time datetime=${at} title=${whole(at)}>${when(at)}</time>` : null;
export const Ago = ({ at }) => at ? html`<time datetime=${at} title=${whole(at)}>${ago(at)}</time>` : null;
export const Until = ({ at }) => at ? html`<time datetime=${at} title=${whole(at)}>${until(at)}</time>` : null;

// A list of names and values; those without a value are left out.
export const Facts = ({ of }) => html`<dl class="facts-list">${of.filter(([, value]) => value !== null && value !== undefined && value !== "").map(([name, value]) =>
  html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;

export const Loading = ({ error }) => error ? html`<${Mistake} error=${error} />` : html`<p class="note" role="status">${t("list.wait")}</p>`;

// A text field whose value stands in the address under `name`; what is typed arrives there a moment later.
const TYPED_MS = 200;
export function Search({ name = "q", label, id = "filter" }) {
  const asked = useQuery()[name] || "";
  const [text, type] = useState(asked);
  const timer = useRef(null);
  useEffect(() => { if (!timer.current) type(asked); }, [asked]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const input = (event) => {
    const value = event.target.value;
    type(value);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => { timer.current = null; setQuery({ [name]: value }); }, TYPED_MS);
  };
  return html`<label class="filter grow"><span class="unseen">${label}</span>
    <input id=${id} type="search" value=${text} placeholder=${label} onInput=${input} autocomplete="off" spellcheck=${false} /></label>`;
}

// One of a few, in the address. `options`: [[value, text]], the first means that the name is not in the address.
export function Choice({ name, label, options }) {
  const value = useQuery()[name] || "";
  return html`<label class="filter"><span class="unseen">${label}</span>
    <select value=${value} onChange=${(event) => setQuery({ [name]: event.target.value }, { push: true })}>
      ${options.map(([each, text]) => html`<option value=${each} key=${each}>${text}</option>`)}</select></label>`;
}

export const Bars = ({ value, most, label }) => html`<meter min="0" max=${Math.max(1, most)} value=${value} aria-label=${label}></meter>`;
