// One job: what became of each tick, how long it takes and how late it is, what comes, its tasks, its text and how that changed.

import { Act, Ago, api, at, between, Copy, Facts, go, html, isKnown, Loading, Said, schedule, span, Status, t, tn, Until, useKeys, useMemo, useNow, useOffers, useRead, When, whole, word } from "../house.js";
import { backfillsAt } from "../parts/backfills.js";
import { Chart } from "../parts/chart.js";
import { Deleted } from "../parts/deleted.js";
import { boxesOf, TaskGraph } from "../parts/graph.js";
import { deleteJob, JobState, putJob, runJob, toggleJob } from "../parts/job_actions.js";
import { UnmetOfJob } from "../parts/expectations.js";
import { cliOf, nameOf, pathOf, runAt, whyAt } from "../parts/jobs.js";
import { Instant, localOf } from "../parts/instants.js";
import { Policies } from "../parts/policies.js";
import { Revisions } from "../parts/revisions.js";
import { seriesOf } from "../parts/series.js";
import { cellsOf, Strip } from "../parts/strip.js";
import { RunHead, RunRow } from "../parts/run_rows.js";
import { Awaits, Chain, whyPath } from "../parts/why.js";

const CELLS = 400, RUNS = 200, SHOWN = 8, TAKEN_SHOWN = 100;
const asText = { as: api.text, every: 0 };
const mine = (job) => (event) => event.name === job.name && event.namespace === job.namespace;
const auditOf = (job) => api.may("admin", job.namespace) ? `${at("audit")}?name=${encodeURIComponent(job.name)}&namespace=${encodeURIComponent(job.namespace)}&action=put,delete,pause,resume` : null;

function Ledger({ job }) {
  const { data, error } = useRead(`${pathOf(job, "cells")}&limit=${CELLS}`, { types: mine(job) });
  const cells = useMemo(() => data && cellsOf(data), [data]);
  return html`<section aria-labelledby="ledger-title"><div class="head"><h2 id="ledger-title">${t("job.ledger")}</h2><span class="note">${t("job.ledgerWhat")}</span><a href=${backfillsAt(job)}>${t("backfill.title")}</a></div>
    <div class="card">${!cells ? html`<${Loading} error=${error} />` : cells.length ? html`<${Strip} cells=${cells} label=${t("job.ledger")} why=${(at) => whyAt(job, at)} />` : html`<p class="note">${t("job.noLedger")}</p>`}</div></section>`;
}

function Charts({ job }) {
  const { data } = useRead(`${pathOf(job, "series")}&limit=${RUNS}`, { types: (event) => event.type === "run_ended" && mine(job)(event) });
  const found = useMemo(() => data && seriesOf(data), [data]);
  if (!found || found.times.length < 2) return null;
  const seconds = (value) => span(value * 1000);
  const most = (values) => seconds(Math.max(...values.filter((each) => each !== null)));
  const middle = (values) => { const known = values.filter((each) => each !== null).sort((a, b) => a - b); return known.length ? seconds(known[known.length >> 1]) : "–"; };
  return html`<div class="two"><section aria-labelledby="took-title"><div class="head"><h2 id="took-title">${t("job.took")}</h2><span class="note">${t("job.middle", { middle: middle(found.all), most: most(found.all) })}</span></div>
      <div class="card"><${Chart} label=${t("job.took")} times=${found.times} unit=${seconds} series=${[{ name: t("job.took"), values: found.all, look: "accent" }, ...(found.ends.length ? [{ name: found.ends.map((state) => word("state", state)).join(", "), values: found.failed, look: "bad", points: true }] : [])]} /></div></section>
    <section aria-labelledby="late-title"><div class="head"><h2 id="late-title">${t("job.late")}</h2><span class="note">${t("job.middle", { middle: middle(found.late), most: most(found.late) })}</span></div>
      <div class="card"><${Chart} label=${t("job.late")} times=${found.times} unit=${seconds} series=${[{ name: t("job.late"), values: found.late, look: "run" }]} /></div></section></div>`;
}

const placesOf = (group) => [t("graph.group"), group.retry && t("graph.retry", { n: group.retry.delays ? group.retry.delays.length : group.retry.max }), group.repeat && t("graph.repeat", { n: group.repeat.max }), group.sticky && t("graph.sticky"), group.max_parallel && t("graph.parallel", { n: group.max_parallel }), group.admission && t("graph.windows", { windows: group.admission.windows.join(", ") }), ...(group.locks || []).map((lock) => lock.resource || lock)].filter(Boolean).join(" · ");
const membersOf = ({ all, n }) => t("graph.members", { n: all ? t("graph.agents") : n || t("graph.items") });
const workOf = (task) => [word("work", Object.keys(task).find((field) => task[field] !== null && isKnown("work", field))), task.fanout && membersOf(task.fanout), ...(task.locks || []).map((lock) => lock.resource || lock)].filter(Boolean).join(" · ");
const graphOf = (job) => [...boxesOf(job).values()].map(({ box, ...at }) => ({ ...at, note: box.tasks ? placesOf(box) : workOf(box) }));

// What has no instants of its own happens: a boot, an end of a run, a delivery, a notice, a file.
const hears = (trigger) => trigger.startup || trigger.after || trigger.webhook || trigger.notice || trigger.file || trigger.all_of || trigger.every?.delay;
const noNext = (job) => t(job.state !== "disabled" && (job.triggers || []).some(hears) ? "job.noNextHears" : "job.noNext");

function Coming({ job }) {
  const { data, error } = useRead(`${pathOf(job, "next")}&count=${SHOWN}`, { types: mine(job) });
  return html`<section aria-labelledby="next-title"><h2 id="next-title">${t("job.next")}</h2><div class="card">${!data ? html`<${Loading} error=${error} />` : html`
    ${data.paused || data.pauses.length ? html`<p><${Status} state="paused">${t("job.nextPaused")}</${Status}></p>` : null}
    ${data.items.length ? html`<ol class="coming">${data.items.map((tick) => html`<li key=${`${tick.at} ${tick.trigger}`}><a class="plain" href=${whyAt(job, tick.at)}><time datetime=${tick.at}>${whole(tick.at)}</time></a> <span class="note"><${Until} at=${tick.due} /></span></li>`)}</ol>` : html`<p class="note">${noNext(job)}</p>`}`}</div></section>`;
}

// What the next tick has to pass, as the cluster asks it itself, and what else may make a run. Any other instant has a page of its own.
function Why({ job, explained: { data, error } }) {
  const tick = data?.ticks[0];
  return html`<section aria-labelledby="why-title"><div class="head"><h2 id="why-title">${t("job.why")}</h2>${tick ? html`<a class="note" href=${whyAt(job, tick.at)}><${When} at=${tick.at} /></a>` : null}</div><div class="card why">
    ${data ? html`<${Chain} told=${tick || data} outcome=${tick ? tick.outcome : "waits"} job=${job} />` : html`<${Loading} error=${error} />`}
    <${Instant} id="instant" label=${t("why.another")} value=${localOf(new Date().toISOString())} set=${(instant) => go(whyAt(job, instant))} /></div></section>
    ${data ? html`<${Awaits} told=${data} />` : null}`;
}

// What holds for it since its namespace says so, and not it itself.
const valueAt = (job, pointer) => pointer.split("/").slice(1).reduce((value, name) => value?.[name.replaceAll("~1", "/").replaceAll("~0", "~")], job);

function Taken({ job }) {
  const { taken = [], off = [] } = job.defaults || {};
  if (!taken.length && !off.length) return null;
  return html`<section aria-labelledby="taken-title"><details class="card"><summary id="taken-title">${tn("job.taken", taken.length)}</summary>
    <p><a href=${at("namespaces", job.namespace)}>${job.namespace}</a></p><table class="table-of values"><tbody>${taken.slice(0, TAKEN_SHOWN).map((place) => html`<tr key=${place}><td><code>${place.slice(1).replaceAll("/", ".")}</code></td><td><code>${JSON.stringify(valueAt(job, place))}</code></td></tr>`)}
      ${off.slice(0, TAKEN_SHOWN).map((place) => html`<tr key=${place}><td><code>${place.slice(1).replaceAll("/", ".")}</code></td><td class="note">${t("job.off")}</td></tr>`)}</tbody></table>
    <${Copy} text=${`${cliOf("get", job)} --effective`}>CLI</${Copy}></details></section>`;
}

function Recent({ job }) {
  const { data } = useRead(`/v1/runs?job=${encodeURIComponent(job.name)}&namespace=${encodeURIComponent(job.namespace)}&limit=${SHOWN}`, { types: mine(job) });
  if (!data?.items.length) return null;
  return html`<section aria-labelledby="runs-title"><div class="head"><h2 id="runs-title">${t("job.runs")}</h2><a href=${`${at("runs")}?job=${encodeURIComponent(job.name)}&namespace=${encodeURIComponent(job.namespace)}`}>${t("overview.allRuns")}</a></div>
    <div class="frame"><table><thead><${RunHead} /></thead><tbody>${data.items.map((run) => html`<${RunRow} key=${run.id} run=${run} />`)}</tbody></table></div></section>`;
}

function Whole({ job, again }) {
  useNow();
  const text = useRead(`${pathOf(job, "definition")}&revision=${job.revision}`, asText);
  const explained = useRead(whyPath(job), { types: mine(job), every: 5000 });
  const name = nameOf(job);
  const edit = at("jobs", job.namespace, job.name, "edit");
  const actions = [runJob(job), { ...toggleJob(job), done: again }, deleteJob(job, text.data, () => go(at("jobs")))];
  useOffers(actions, [job.revision, job.state, text.data]);
  useKeys({ e: ["job.edit", () => api.may("edit", job.namespace) && go(edit)] }, [job.name]);
  const tasks = useMemo(() => graphOf(job), [job]);
  const last = job.last_run;
  return html`<div class="title"><div class="head"><h1>${name}</h1><${JobState} job=${job} all />
      <span class="push"></span>${actions.slice(0, 2).map((action) => html`<${Act} key=${action.text} action=${action} />`)}
      ${api.may("edit", job.namespace) ? html`<a class="button" href=${edit}>${t("job.edit")}</a>` : null}<${Act} action=${actions[2]} /></div>
    ${job.description ? html`<p class="intro">${job.description}</p>` : null}
    ${job.left_behind ? html`<p class="error">${t("job.leftBehind", { template: job.left_behind.template })} <${Said} class="told">${job.left_behind.why}</${Said}></p>` : null}
    ${job.state === "unplaceable" ? html`<p class="error"><${Said} class="told">${job.unplaceable_reason}</${Said}></p>` : job.pause_reason ? html`<p class="note">${job.pause_reason}</p>` : job.state === "disabled" ? html`<p class="note">${t("job.disabled")}</p>` : null}</div>
    <${Facts} of=${[[t("job.schedule"), html`<code>${schedule(job.triggers)}</code>`], [t("job.lastRun"), last && html`<a class="plain" href=${runAt(last.id)}><${Status} state=${last.state} /></a> <${Ago} at=${last.finished || last.started || last.created} />`],
      [t("job.lastTook"), last?.started && last.finished ? span(between(last.started, last.finished)) : null], [t("job.nextTick"), job.next_tick && job.state !== "paused" ? html`<${Until} at=${job.next_tick} />` : null],
      [t("job.activeRuns"), job.active_runs || null], [t("job.failures"), job.failures || null], [t("job.changed"), html`<${When} at=${job.changed} />${job.actor ? ` ${job.actor}` : ""}`], [t("job.owner"), job.owner], [t("job.criticality"), word("criticality", job.criticality)], [t("job.source"), job.source]]} />
    <${UnmetOfJob} job=${job} /><${Ledger} job=${job} /><${Charts} job=${job} />
    <div class="two"><${Coming} job=${job} />
      <${Why} job=${job} explained=${explained} /></div>
    <${Policies} job=${job} definition=${text.data} explained=${explained.data} />
    ${tasks.length > 1 ? html`<section aria-labelledby="graph-title"><h2 id="graph-title">${tn("graph.label", tasks.length)}</h2><div class="card"><${TaskGraph} tasks=${tasks} /></div></section>` : null}
    <${Taken} job=${job} /><${Recent} job=${job} />
    <${Revisions} path=${(what) => pathOf(job, what)} current=${job.revision} types=${(event) => event.type.startsWith("job_") && mine(job)(event)} audit=${auditOf(job)} />`;
}

// A job that was deleted: what became of it stays readable, and it can be put back.
const Gone = ({ job, error }) => html`<${Deleted} name=${nameOf(job)} path=${(what) => pathOf(job, what)} types=${mine(job)} says="job.deletedBy" audit=${auditOf(job)} error=${error}
    back=${(text, headers) => putJob(job, text, headers, t("job.putBack"), t("job.putBackSays", { name: nameOf(job) }))}><${Ledger} job=${job} /><${Recent} job=${job} /></${Deleted}>`;

export default function Job({ namespace, name }) {
  const job = { namespace, name };
  const { data, error, again } = useRead(pathOf(job), { types: mine(job) });
  if (!data) return error?.status === 404 ? html`<${Gone} job=${job} error=${error} />` : html`<h1>${nameOf(job)}</h1><${Loading} error=${error} />`;
  return html`<${Whole} job=${data} again=${again} />`;
}

