// What decides whether and when a job's runs start: each policy in effect, who says it, and how it stands for the next tick; admission as a
// picture of the week, blackouts and the steps of failures as lists.

import { html } from "./html.js";
import { Until, When } from "./parts.js";
import { at } from "./router.js";
import { Said } from "./said.js";
import { Status } from "./status.js";
import { Week } from "./week.js";
import { t, tn } from "./words.js";

// The gate that asks a policy; what has none concerns a run that has begun.
const GATES = { overlap: ["overlap"], catchup: ["catchup", "turn"], start_deadline: ["deadline"], admission: ["admission"], blackout: ["blackout"], failures: ["failures"], locks: ["locks"], requires: ["requires"] };
const FIRST = Object.keys(GATES);

const inWords = (value) => Array.isArray(value) ? value.map(inWords).join("; ") : value && typeof value === "object" ? Object.entries(value).map(([name, one]) => `${name}: ${inWords(one)}`).join(", ") : String(value);

// What the job's own text says, by its first words: `definition` is YAML as the cluster writes it.
function saidBy(definition) {
  const block = /^policies:\n((?:[ -].*\n?)*)/m.exec(definition || "")?.[1] || "";
  return new Set([...block.matchAll(/^ {2}(\w+):/gm)].map(([, name]) => name).concat(/^requires:/m.test(definition || "") ? ["requires"] : []));
}

function rowsOf(job, definition) {
  const own = saidBy(definition), taken = (job.defaults?.taken || []).map((place) => place.split("/")).filter(([, top]) => top === "policies").map(([, , name]) => name);
  const all = { ...job.policies, ...(job.requires?.length ? { requires: job.requires } : {}) };
  const rows = Object.entries(all).filter(([, value]) => value !== null && !(Array.isArray(value) && !value.length)).map(([name, value]) => ({ name, value, from: taken.includes(name) ? "namespace" : own.has(name) ? "job" : "built" }));
  const place = (row) => FIRST.includes(row.name) ? FIRST.indexOf(row.name) : FIRST.length;
  return rows.sort((a, b) => place(a) - place(b) || a.name.localeCompare(b.name));
}

// How it stands now: the first of its gates that is closed, else that they are open.
function Now({ name, gates }) {
  const asked = (GATES[name] || []).map((gate) => gates.get(gate)).filter(Boolean), closed = asked.find((gate) => gate.state !== "ready");
  if (!asked.length) return "–";
  return closed ? html`<${Status} state=${closed.state} /> <${Said}>${closed.reason}</${Said}>${closed.opens_at ? html` <span class="note"><${Until} at=${closed.opens_at} /></span>` : null}` : html`<${Status} state="ready">${t("policies.open")}</${Status}> <${Said} class="note">${asked[0].reason}</${Said}>`;
}

const From = ({ row, job }) => row.from === "namespace" ? html`<a href=${at("namespaces", job.namespace)}>${t("policies.namespace", { name: job.namespace })}</a>` : t(`policies.${row.from}`);
const Row = ({ row, job, gates }) => html`<tr><td class="who">${row.name}</td><td><code>${inWords(row.value)}</code></td><td>${html`<${From} row=${row} job=${job} />`}</td><td><${Now} name=${row.name} gates=${gates} /></td></tr>`;

const stands = (one) => Date.now() < Date.parse(one.from) ? "waits" : Date.now() < Date.parse(one.until) ? "paused" : "never";
const Blackouts = ({ of }) => html`<div><h3>${t("policies.blackouts")}</h3><ul class="plain-list">${of.map((one) => html`<li key=${one.from}><${Status} state=${stands(one)}>${t(`blackout.${stands(one)}`)}</${Status}> <${When} at=${one.from} /> – <${When} at=${one.until} /> <span class="note">${one.reason}</span></li>`)}</ul></div>`;

// After so many failures in a row it waits so long: which step holds now.
function Steps({ of, failures }) {
  const steps = Object.entries(of).map(([count, delay]) => [Number(count), delay]).sort(([a], [b]) => a - b), holds = steps.filter(([count]) => count <= failures).at(-1)?.[0];
  return html`<div><h3>${t("policies.steps")}</h3><p class="note">${tn("policies.failed", failures)}</p><ol class="steps">${steps.map(([count, delay]) => html`<li key=${count} aria-current=${count === holds ? "step" : undefined}>${tn("policies.after", count)} <strong>${delay === "pause" ? t("policies.pause") : t("policies.wait", { delay })}</strong></li>`)}</ol></div>`;
}

// Those of its namespace and of everything; its own stands at the top of its page.
const Pauses = ({ of }) => of.map((one) => html`<p class="banner-of" key=${one.namespace}><${Status} state="paused">${one.namespace ? t("job.namespacePaused") : t("job.allPaused")}</${Status}> ${one.reason} <span class="note">${one.actor} ${one.until ? html`${t("policies.until")} <${When} at=${one.until} />` : null}</span></p>`);

export function Policies({ job, definition, explained }) {
  const gates = new Map((explained?.ticks[0]?.gates || []).map((gate) => [gate.gate, gate])), rows = rowsOf(job, definition);
  const said = rows.filter((row) => row.from !== "built"), built = rows.filter((row) => row.from === "built");
  const head = html`<thead><tr>${["policy", "value", "from", "now"].map((name) => html`<th scope="col" key=${name}>${t(`policies.${name}`)}</th>`)}</tr></thead>`;
  const table = (some) => html`<div class="scroll" tabindex="0" role="group" aria-label=${t("policies.title")}><table class="values policies stacked">${head}<tbody>${some.map((row) => html`<${Row} key=${row.name} row=${row} job=${job} gates=${gates} />`)}</tbody></table></div>`;
  const { admission, blackout = [], failures } = job.policies || {};
  return html`<section aria-labelledby="policies-title"><h2 id="policies-title">${t("policies.title")}</h2><div class="card why"><${Pauses} of=${job.paused_by || []} />
    ${said.length ? table(said) : null}${built.length ? html`<details><summary>${tn("policies.more", built.length)}</summary>${table(built)}</details>` : null}
    <div class="pictures">${admission ? html`<${Week} admission=${admission} />` : null}${blackout.length ? html`<${Blackouts} of=${blackout} />` : null}${failures ? html`<${Steps} of=${failures} failures=${job.failures} />` : null}</div></div></section>`;
}
