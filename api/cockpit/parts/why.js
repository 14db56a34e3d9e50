// Why something ran, did not, or waits, as the cluster tells it (GET …/explain): the chain of causes in their order, from the definition of
// that time to what became of it, and the command that helps. One part for every page on which somebody would ask why.

import { Copy } from "./dialog.js";
import { html, useState } from "./html.js";
import { jobAt, pathOf, runAt } from "./jobs.js";
import { Loading, Until, When } from "./parts.js";
import { useRead } from "./reads.js";
import { at as place } from "./router.js";
import { Said } from "./said.js";
import { Status } from "./status.js";
import { t, tn, word } from "./words.js";

// -- where to look -------------------------------------------------------------------------------

const objects = (kind) => (value) => String(value).split(" ").map((one) => { const [path, pin] = one.split("@"); return html`<a key=${one} href=${place("objects", kind, ...path.split("/"))}>${path}</a>${pin ? ` ${pin}` : ""} `; });
const LINKS = {
  run: (value) => html`<a href=${runAt(value)}>#${value}</a>`,
  job: (value) => { const [namespace, name] = value.split("/"); return html`<a href=${jobAt({ namespace, name })}>${value}</a>`; },
  audit: (value) => html`<a href=${place("audit")}>${value}</a>`,
  calendars: objects("calendars"), schedule: objects("schedules"), substitute: objects("schedules"),
};
const UNTOLD = ["agent", "attempt", "outcome"]; // numbers that no page knows, and what the words beside them say
const Refs = ({ of, but }) => Object.entries(of).filter(([name, value]) => !UNTOLD.includes(name) && !but.includes(value)).map(([name, value]) =>
  html` <span class="note" key=${name}>${word("ref", name)} ${LINKS[name] ? LINKS[name](value) : value}</span>`);

// -- an expression, part by part -----------------------------------------------------------------

const isLiteral = (part) => part.text === String(part.value) || part.text === `'${part.value}'` || part.text === `"${part.value}"`;
const LOOKS = new Map([[true, "ok"], [false, "none"], [null, "wait"]]);
const cameTo = (value) => value === null ? t("run.isUnknown") : value === true ? t("run.isTrue") : value === false ? t("run.isFalse") : String(value);

// What lies below the first of these parts, and what follows it beside it.
const below = (parts) => { const next = parts.slice(1).findIndex((part) => part.depth <= parts[0].depth); return next < 0 ? [parts.slice(1), []] : [parts.slice(1, next + 1), parts.slice(next + 1)]; };

export function Tree({ parts }) {
  const items = [];
  for (let rest = parts.filter((part) => !isLiteral(part) || part.depth === 0); rest.length;) {
    const [inner, after] = below(rest);
    const { text, value } = rest[0];
    items.push(html`<li key=${parts.length - rest.length}>${LOOKS.has(value) ? html`<${Status} look=${LOOKS.get(value)}>${cameTo(value)}</${Status}>` : html`<code class="came">${cameTo(value)}</code>`} <code>${text}</code>
      ${inner.length ? html`<${Tree} parts=${inner} />` : null}</li>`);
    rest = after;
  }
  return html`<ul class="tree">${items}</ul>`;
}

// -- the chain -----------------------------------------------------------------------------------

const SHOWN = ["definition", "schedule", "cause", "outcome"]; // also where they are open
const isPlain = (link) => link.passed && !link.at && !Object.keys(link.refs).length && !SHOWN.includes(link.gate);

const TIMES = ["time", "outcome"]; // they say when, not why

// Gates that let it pass and have nothing to say are one line between the others.
function grouped(chain) {
  const found = [];
  for (const link of chain) {
    if (isPlain(link) && Array.isArray(found.at(-1))) found.at(-1).push(link);
    else found.push(isPlain(link) ? [link] : link);
  }
  return found.map((each) => each.length === 1 ? each[0] : each);
}

// `told`: of explain, with chain and help; `gates`: what each says now; `outcome`: what it came to; `job`, `run`: whose page it is.
export function Chain({ told, gates = told.gates || [], outcome = null, job = null, run = null }) {
  const now = new Map(gates.map((gate) => [gate.gate, gate]));
  const stateOf = (link) => link.gate === "outcome" ? outcome || (link.passed ? "ran" : "waits") : link.passed ? "ready" : now.get(link.gate)?.state || (outcome && outcome !== "pending" ? "never" : "waits");
  return html`<ol class="chain">${grouped(told.chain).map((link) => Array.isArray(link) ? html`<li key=${link[0].gate} class="opened-gates"><details><summary>${tn("why.open", link.length)}</summary>
      <ul>${link.map((each) => html`<li key=${each.gate}><${Status} state="ready">${word("gate", each.gate)}</${Status}> <${Said} class="note">${each.because}</${Said}></li>`)}</ul></details></li>`
    : html`<li key=${link.gate} class=${link.passed || TIMES.includes(link.gate) ? "" : "closed-gate"}><${Status} state=${stateOf(link)}>${word("gate", link.gate)}<span class="unseen">, ${word("state", stateOf(link))}</span></${Status}>
      <p><${Said}>${link.because}</${Said}> ${link.at ? html`<span class="note"><${When} at=${link.at} /></span>` : null}${!link.passed && now.get(link.gate)?.opens_at ? html` <span class="note"><${Until} at=${now.get(link.gate).opens_at} /></span>` : null}<${Refs} of=${link.refs} but=${[job && `${job.namespace}/${job.name}`, run]} /></p></li>`)}</ol>
    ${told.help ? html`<div class="helps"><span>${t("why.helps")}</span><${Copy} text=${told.help}>CLI</${Copy}></div>` : null}`;
}

// Why a run, or one task of it, does not go on, or came to what it came to.
export function WhyRun({ run, task, member }) {
  const asked = new URLSearchParams({ ...(task ? { task } : {}), ...(member ? { member } : {}) });
  const { data, error } = useRead(`/v1/runs/${encodeURIComponent(run)}/explain${task ? `?${asked}` : ""}`, { types: (event) => String(event.run) === String(run), every: 5000 });
  if (!data) return html`<${Loading} error=${error} />`;
  const gates = [...data.gates, ...data.tasks.flatMap((one) => one.gates)];
  return html`<${Chain} told=${data} gates=${gates} outcome=${data.chain.at(-1)?.gate === "outcome" ? data.state : null} />`;
}

// The same where it is not asked for by everybody: it is read when somebody opens it.
export function AskWhy({ run, task, member }) {
  const [isOpen, open] = useState(false);
  return html`<details class="ask-why" onToggle=${(event) => open(event.currentTarget.open)}><summary>${t("why.why")}</summary>${isOpen ? html`<${WhyRun} run=${run} task=${task} member=${member} />` : null}</details>`;
}

// -- where an instant is explained ---------------------------------------------------------------

export const whyPath = (job, at) => `${pathOf(job, "explain")}${at ? `&at=${encodeURIComponent(at)}` : ""}`;

// What a trigger without instants waits for: a delivery or a notice, or ends of other jobs, of which some may have come.
const Heard = (one) => html`<li key=${`${one.trigger} ${one.plan_date}`}><${Status} state=${one.verdict || (one.value ? "ready" : "waits")} title=${one.trigger} /> <div>${one.after ? html`${one.plan_date ? html`<span class="note">${one.plan_date}</span>` : null}<${Tree} parts=${one.parts} />` : html`<${Said}>${one.said}</${Said}>`}
  ${one.lacks?.length ? html`<p class="note">${t("job.lacks", { what: one.lacks.join(", ") })}</p>` : null}${(one.gates || []).filter((gate) => gate.state !== "ready").map((gate) => html`<p><${Said} class="note">${gate.reason}</${Said}></p>`)}
  ${(one.heard || []).map((end) => html`<p class="note" key=${end.job}>${end.job}: <a href=${runAt(end.run)}>#${end.run}</a> <${Status} state=${end.state} /> <${When} at=${end.ended} /></p>`)}</div></li>`;

export function Awaits({ told }) {
  const heard = [...told.awaits, ...told.conditions];
  return heard.length ? html`<section aria-labelledby="awaits-title"><h2 id="awaits-title">${t("job.awaits")}</h2><div class="card why"><ul class="gates">${heard.map(Heard)}</ul></div></section>` : null;
}
