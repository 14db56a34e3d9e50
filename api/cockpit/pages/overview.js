// How it all stands: what needs somebody and why, who led when above what ran when, the zones, and what ran last.

import { Ago, at, Bars, between, bytes, Choice, clock, clockOff, cluster, command, Copy, html, isKnown, Loading, lookOf, number, Said, Shape, span, Status, t, tn, Until, useNow, useQuery, useRead, useState, when, word } from "../house.js";
import { jobAt, nameOf, runAt, whyAt } from "../parts/jobs.js";
import { later } from "../parts/lazy.js";
import { Pulse } from "../parts/pulse.js";
import { named, RunHead, RunRow } from "../parts/run_rows.js";
import { Lanes } from "../parts/lanes.js";
import { membersOf } from "../parts/members.js";
import { away } from "../parts/nodes.js";

const AGENTS_SHOWN = 12, BEHIND_MS = 100, LANES = 10, RUNS_READ = 500, FEW = 4;
const RUN_EVENTS = ["run_created", "run_started", "run_ended", "run_held", "run_released", "attempt_unreachable"];
const AGENT_EVENTS = ["agent_connected", "agent_disconnected", "agent_drained", "agent_resumed", "attempt_running", "attempt_ended"];
const ALL_EVENTS = [...RUN_EVENTS, ...AGENT_EVENTS, "job_put", "job_deleted", "job_paused", "job_resumed", "paused", "resumed", "overload_began", "overload_ended", "led", "node_lost", "expectation_unmet", "expectation_met", "expectation_acknowledged"];
const KEPT = 50, LEAST_MS = 120000; // leaderships that are told; the shortest time that is shown
const SPANS = { "5m": 300000, "": 1800000, "6h": 21600000, "24h": 86400000 };
const KINDS = ["unreachable", "late", "unmet", "failing", "waiting"];

const Mine = later(() => import("../parts/approvals.js"));
const APPROVAL_EVENTS = ["approval_asked", "approval_answered", "task_ended"], ASKED_READ = 5;

const Figure = ({ name, value, note, alarm, href }) => html`<a class=${`figure ${alarm ? "alarm" : ""}`} href=${href}>
  <span class="name">${name}</span><span class="value">${value}</span><span class="note">${note}</span></a>`;
const counted = (group) => `${number(group.count)}${group.more ? "+" : ""}`;

function Figures({ agents, told }) {
  const here = agents.filter((agent) => agent.connected);
  const sum = (of) => here.reduce((all, agent) => all + agent[of], 0);
  return html`<section class="figures" aria-label=${t("overview.glance")}><${Pulse} />
    <${Figure} name=${t("overview.running")} value=${number(told.runs.running)} note=${t("overview.pending", { n: number(told.runs.pending) })} href=${`${at("runs")}?state=running`} />
    <${Figure} name=${t("overview.agents")} value=${`${here.length}/${agents.length}`} note=${t("overview.slots", { busy: sum("busy"), slots: sum("slots") })} alarm=${!here.length} href=${at("agents")} />
    <${Figure} name=${t("overview.failing")} value=${counted(told.failing)} note=${told.failing.items.slice(0, 2).map((job) => job.job).join(", ") || t("overview.nothing")}
      alarm=${told.failing.count} href=${`${at("jobs")}?failing=true`} /></section>`;
}

// -- what needs somebody ------------------------------------------------------------------------

const thing = (kind, item) => kind === "waiting" && item.kind === "agent" ? tn("needs.queue", item.count, { what: item.for })
  : kind === "unreachable" ? t("needs.attempt", { task: item.task, job: nameOf(named(item)) }) : item.job ? nameOf(named(item)) : t("needs.deleted");
const target = (kind, item) => kind === "late" ? item.job && whyAt(named(item), item.at) : kind === "failing" || !item.run ? item.job && jobAt(named(item)) : runAt(item.run);
const since = (item) => item.since || item.due || item.started;

function Need({ kind, item }) {
  const href = target(kind, item);
  return html`<li><${Status} state=${kind}>${t(`needs.${kind}`)}</${Status}>
    <div><p>${href ? html`<a class="who" href=${href}>${thing(kind, item)}</a>` : html`<span class="who">${thing(kind, item)}</span>`}
      ${item.late_seconds ? html` <span class="note">${t("needs.lateBy", { span: span(item.late_seconds * 1000) })}</span>` : since(item) ? html` <span class="note"><${Ago} at=${since(item)} /></span>` : null}</p>
      <p class="note">${kind === "failing" ? html`<a href=${runAt(item.run)}><${Said}>${item.why}</${Said}></a>` : html`<${Said}>${item.why}</${Said}>`}</p></div>
    ${item.command ? html`<${Copy} text=${item.command}>CLI</${Copy}>` : null}</li>`;
}

function Needs({ told, known, agents }) {
  const [whole, open] = useState(false);
  const all = KINDS.flatMap((kind) => told[kind].items.map((item) => [kind, item]));
  const silent = known.peers.filter((peer) => !peer.reachable);
  const missing = agents.filter((agent) => !agent.connected);
  const drained = agents.filter((agent) => agent.draining && agent.connected);
  const wrong = membersOf(known, false).filter((node) => node.clock_is_off);
  const counts = { ...Object.fromEntries(KINDS.map((kind) => [kind, told[kind].count])), disconnected: missing.length, draining: drained.length, clock: wrong.length };
  counts.unreachable += silent.length;
  const count = Object.values(counts).reduce((sum, each) => sum + each, 0), isMore = (kind) => told[kind]?.more ? "+" : "";
  const gaveUp = told.outbox.given_up;
  if (!count && !gaveUp) return html`<section class="card calm-card"><${Shape} look="ok" size="18" /> <p><strong>${t("needs.none")}</strong> <span class="note">${t("needs.noneWhat")}</span></p></section>`;
  const shown = whole ? all : all.slice(0, FEW);
  return html`<section aria-labelledby="needs-title"><div class="head"><h2 id="needs-title">${t("needs.title")}</h2>
      ${Object.keys(counts).filter((kind) => counts[kind]).map((kind) => html`<${Status} key=${kind} state=${kind}>${number(counts[kind])}${isMore(kind)} ${isKnown("needs", kind) ? t(`needs.${kind}`) : word("state", kind)}</${Status}>`)}</div>
    <ul class="needs card">
      ${silent.map((peer) => html`<li key=${peer.node}><${Status} state="unreachable" /><div><p><span class="who">${peer.node}</span> <span class="note">${peer.zone}</span></p>
        <p class="note">${t("needs.node", { span: span(peer.silent_ms || 0) })}</p></div><${Copy} text="cronclave doctor">CLI</${Copy}></li>`)}
      ${wrong.map((node) => html`<li key=${`clock ${node.node}`}><${Status} state="late">${t("needs.clock")}</${Status}><div><p><span class="who">${node.node}</span> <span class="note">${node.zone}</span></p>
        <p class="note">${t("node.clock", { clock: clockOff(node.clock_off_ms) })}</p></div><${Copy} text="cronclave doctor">CLI</${Copy}></li>`)}
      ${missing.length ? html`<li><${Status} state="disconnected" /><div><p><span class="who">${missing.slice(0, FEW).map((agent) => agent.name).join(", ")}</span>
          ${missing.length === 1 && missing[0].disconnected_at ? html` <span class="note"><${Ago} at=${missing[0].disconnected_at} /></span>` : null}</p>
        <p class="note">${tn("needs.agents", missing.length)}</p></div><${Copy} text="cronclave agents list">CLI</${Copy}></li>` : null}
      ${drained.length ? html`<li><${Status} state="draining" /><div><p><span class="who">${drained.slice(0, FEW).map((agent) => agent.name).join(", ")}</span>
          ${drained.length === 1 && drained[0].drain_until ? html` <span class="note"><${Until} at=${drained[0].drain_until} /></span>` : null}</p>
        <p class="note">${tn("needs.drained", drained.length)} ${drained.length === 1 ? drained[0].drain_reason : ""}</p></div><${Copy} text=${command("agents", "resume", drained[0].name)}>CLI</${Copy}></li>` : null}
      ${shown.map(([kind, item]) => html`<${Need} key=${`${kind} ${item.run} ${item.job} ${item.attempt} ${item.at} ${item.id}`} kind=${kind} item=${item} />`)}
      ${gaveUp ? html`<li><${Status} state="failed">${t("needs.notices")}</${Status}><div><p><a class="who" href=${`${at("notifications")}?state=given_up`}>${tn("needs.gaveUp", gaveUp)}</a></p></div><${Copy} text="cronclave notify list">CLI</${Copy}></li>` : null}
    </ul>${all.length > FEW ? html`<p><button type="button" class="small" aria-expanded=${String(whole)} onClick=${() => open(!whole)}>${whole ? t("needs.fewer") : t("needs.more", { n: all.length - FEW })}</button></p>` : null}</section>`;
}

// -- who led, above what ran --------------------------------------------------------------------

function leaders(told, from, now) {
  const bars = [], gaps = [];
  for (const each of told.leaderships) {
    const began = Date.parse(each.began), ended = each.ended ? Date.parse(each.ended) : null;
    const before = each.vacant_since ? Date.parse(each.vacant_since) : began;
    bars.push({ key: each.epoch, from: began, to: ended, look: `node-${Math.abs([...each.node].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0) | 0, 7)) % 4}`, text: each.node,
      title: t("times.led", { node: each.node, zone: each.zone, epoch: each.epoch, at: when(each.began) }) });
    if (before < began) gaps.push({ key: `gap ${each.epoch}`, from: before, to: began, look: "gap", title: t("times.gap", { span: span(began - before), at: when(each.began) }) });
  }
  const seen = gaps.filter((gap) => gap.to > from && gap.from < now);
  return { bars: [...bars, ...gaps], changes: seen.length, worst: Math.max(0, ...seen.map((gap) => gap.to - gap.from)) };
}

function lanesOf(runs, now) {
  const jobs = new Map();
  for (const run of runs) {
    const name = nameOf(named(run));
    if (!jobs.has(name)) jobs.set(name, { name, href: jobAt(named(run)), bars: [] });
    const from = Date.parse(run.started || run.due || run.created), to = run.finished ? Date.parse(run.finished) : now;
    const took = run.finished && run.started ? span(between(run.started, run.finished)) : t("times.still");
    jobs.get(name).bars.push({ key: run.id, from, to, look: lookOf(run.state), href: runAt(run.id), quiet: true,
      title: t("times.run", { run: run.id, job: name, state: word("state", run.state), at: clock(from), took }) });
  }
  const bad = (lane) => lane.bars.some((bar) => bar.look === "bad");
  return [...jobs.values()].sort((a, b) => bad(b) - bad(a) || b.bars.length - a.bars.length);
}

function Times({ told }) {
  const query = useQuery();
  const wide = SPANS[query.span] ? query.span : "";
  const now = useNow(wide === "5m" || !wide ? 1000 : 10000);
  const first = told.leaderships.at(-1), young = !wide && first && told.leaderships.length < KEPT ? Date.parse(first.began) - LEAST_MS / 10 : 0;
  const from = Math.max(now - SPANS[wide], Math.min(young, now - LEAST_MS)); // of a cluster that is younger than that, its life
  const minute = Math.floor(from / 60000) * 60000;
  const { data } = useRead(`/v1/runs?brief=true&limit=${RUNS_READ}&since=${new Date(minute).toISOString()}`, { types: RUN_EVENTS });
  const led = leaders(told, from, now);
  const lanes = lanesOf(data?.items || [], now);
  const label = t("times.title");
  return html`<section aria-labelledby="times-title"><div class="head"><h2 id="times-title">${label}</h2>
      <span class="note">${led.changes ? tn("times.changes", led.changes, { span: span(led.worst) }) : t("times.noChange")}</span>
      <span class="push"></span><${Choice} name="span" label=${t("times.span")} options=${Object.keys(SPANS).map((each) => [each, t(`span.${each || "half"}`)])} /></div>
    <div class="card"><${Lanes} label=${label} from=${from} to=${now} lanes=${[{ name: t("times.leader"), kind: "leaders", bars: led.bars }, ...lanes.slice(0, LANES)]} />
      <p class="note">${lanes.length > LANES ? t("times.more", { n: lanes.length - LANES }) : ""} ${data?.next_cursor ? t("times.newest", { n: RUNS_READ }) : ""} ${!lanes.length && data ? t("times.none") : ""}</p></div></section>`;
}

// -- zones --------------------------------------------------------------------------------------

function Node({ node }) {
  const state = !node.reachable ? "unreachable" : node.leads ? "leader" : node.here ? node.state : "follower";
  const facts = [];
  if (node.here) facts.push(t("node.here"));
  if (node.here && node.lag_ms === null) facts.push(t("node.noLeader"));
  if (node.lag_ms > BEHIND_MS) facts.push(t("node.behind", { span: span(node.lag_ms) }));
  if (!node.reachable && node.silent_ms) facts.push(t("node.silent", { span: span(node.silent_ms) }));
  if (node.free_bytes) facts.push(t("node.free", { bytes: bytes(node.free_bytes) }));
  return html`<div class="node"><span class="who">${node.node}</span><${Status} state=${state} />${node.clock_is_off ? html`<${Status} state="late">${t("node.clock", { clock: clockOff(node.clock_off_ms) })}</${Status}>` : null}<span class="note">${facts.join(", ")}</span></div>`;
}

function Agent({ agent }) {
  const load = t("agent.load", { busy: agent.busy, slots: agent.slots });
  return html`<li title=${t("agent.kinds", { kinds: agent.kinds.join(", ") })}><span class="who">${agent.name}</span>
    <${Status} state=${agent.draining ? "draining" : agent.state}>${agent.draining ? word("state", "draining") : agent.connected ? t("agent.on", { node: agent.node }) : word("state", agent.state)}</${Status}>
    <span class="slots"><${Bars} value=${agent.busy} most=${agent.slots} label=${`${agent.name}: ${load}`} /><span class="note">${load} ${agent.pool}</span></span></li>`;
}

function Zones({ known, agents }) {
  const gone = away.use(), nodes = membersOf(known, gone !== null);
  const zones = [...new Set([...nodes.map((node) => node.zone), ...agents.map((agent) => agent.zone)])].sort();
  return html`<section aria-labelledby="zones-title"><h2 id="zones-title">${t("overview.zones")}</h2><div class="zones">${zones.map((zone) => {
    const there = agents.filter((agent) => agent.zone === zone);
    return html`<article class="zone" key=${zone}><h3>${zone}</h3>
      ${nodes.filter((node) => node.zone === zone).sort((a, b) => a.node.localeCompare(b.node)).map((node) => html`<${Node} key=${node.node} node=${node} />`)}
      ${there.length ? html`<ul class="agents">${there.slice(0, AGENTS_SHOWN).map((agent) => html`<${Agent} key=${agent.name} agent=${agent} />`)}
        ${there.length > AGENTS_SHOWN ? html`<li class="note">${t("overview.moreAgents", { n: there.length - AGENTS_SHOWN })}</li>` : null}</ul>`
        : html`<p class="note none">${t("overview.noAgents")}</p>`}</article>`;
  })}</div></section>`;
}

function Recent() {
  const runs = useRead("/v1/runs?limit=12", { types: RUN_EVENTS });
  return html`<section aria-labelledby="runs-title"><div class="head"><h2 id="runs-title">${t("overview.runs")}</h2><a href=${at("runs")}>${t("overview.allRuns")}</a></div>
    <div class="frame"><table><thead><${RunHead} /></thead><tbody>${(runs.data?.items || []).map((run) => html`<${RunRow} key=${run.id} run=${run} />`)}</tbody></table>
    ${runs.data && !runs.data.items.length ? html`<p class="more">${t("overview.noRuns")}</p>` : null}</div></section>`;
}

function Overview() {
  const known = cluster.use();
  const agents = useRead("/v1/agents", { types: AGENT_EVENTS });
  const all = useRead("/v1/overview", { types: ALL_EVENTS, every: 5000 });
  const asked = useRead(`/v1/approvals?mine=true&limit=${ASKED_READ}`, { types: APPROVAL_EVENTS });
  const title = html`<h1 class="unseen">${t("overview.title")}</h1>`;
  if (!known || !agents.data || !all.data) return html`${title}<${Loading} error=${agents.error || all.error} />`;
  return html`${title}<${Figures} agents=${agents.data.items} told=${all.data} />
    ${asked.data?.items.length ? html`<${Mine} told=${asked.data} />` : null}<${Needs} told=${all.data} known=${known} agents=${agents.data.items} /><${Times} told=${all.data} />
    <${Zones} known=${known} agents=${agents.data.items} /><${Recent} />`;
}

export default { path: "/cockpit", title: "overview.title", key: "o", view: Overview,
  icon: "M3 11.5 10 4l7 7.5M5 10v6.5h10V10" };
