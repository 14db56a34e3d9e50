// How it all stands: what needs somebody, the ticks of the last minute, the zones, and what ran last.

import { at, Bars, bytes, cluster, html, Loading, number, span, Status, t, useNow, useRead, word } from "../house.js";
import { Pulse } from "../parts/pulse.js";
import { RunHead, RunRow } from "../parts/run_rows.js";

const AGENTS_SHOWN = 12, CLOCK_OFF_MS = 50, BEHIND_MS = 100;
const JOB_EVENTS = ["job_put", "job_deleted", "job_paused", "job_resumed", "run_created", "run_ended"];
const RUN_EVENTS = ["run_created", "run_started", "run_ended", "attempt_unreachable"];
const AGENT_EVENTS = ["agent_connected", "agent_disconnected", "agent_drained", "agent_resumed", "attempt_running", "attempt_ended"];
const FAILED = ["failed", "timed_out", "lost", "expired"];

const Figure = ({ name, value, note, alarm, href }) => html`<a class=${`figure ${alarm ? "alarm" : ""}`} href=${href}>
  <span class="name">${name}</span><span class="value">${value}</span><span class="note">${note}</span></a>`;

function Figures({ agents, jobs }) {
  const here = agents.filter((agent) => agent.connected);
  const sum = (of) => here.reduce((all, agent) => all + agent[of], 0);
  const active = jobs.items.reduce((all, job) => all + job.active_runs, 0);
  const failing = jobs.items.filter((job) => FAILED.includes(job.last_run?.state));
  const more = jobs.next_cursor ? "+" : "";
  return html`<section class="figures" aria-label=${t("overview.glance")}><${Pulse} />
    <${Figure} name=${t("overview.active")} value=${number(active)} note=${t("overview.ofJobs", { n: `${number(jobs.items.length)}${more}` })} href=${`${at("runs")}?state=running`} />
    <${Figure} name=${t("overview.agents")} value=${`${here.length}/${agents.length}`} note=${t("overview.slots", { busy: sum("busy"), slots: sum("slots") })} alarm=${!here.length} href=${at("agents")} />
    <${Figure} name=${t("overview.failed")} value=${number(failing.length)} note=${failing.slice(0, 2).map((job) => job.name).join(", ") || t("overview.nothing")}
      alarm=${failing.length} href=${`${at("runs")}?state=failed`} /></section>`;
}

function Node({ node }) {
  const state = !node.reachable ? "unreachable" : node.leads ? "leader" : node.here ? node.state : "follower";
  const facts = [];
  if (node.here) facts.push(t("node.here"));
  if (node.here && node.lag_ms === null) facts.push(t("node.noLeader"));
  if (node.lag_ms > BEHIND_MS) facts.push(t("node.behind", { span: span(node.lag_ms) }));
  if (!node.reachable && node.silent_ms) facts.push(t("node.silent", { span: span(node.silent_ms) }));
  if (Math.abs(node.clock_offset_ms || 0) > CLOCK_OFF_MS) facts.push(t("node.clock", { ms: node.clock_offset_ms }));
  if (node.free_bytes) facts.push(t("node.free", { bytes: bytes(node.free_bytes) }));
  return html`<div class="node"><span class="who">${node.node}</span><${Status} state=${state} /><span class="note">${facts.join(", ")}</span></div>`;
}

function Agent({ agent }) {
  const load = t("agent.load", { busy: agent.busy, slots: agent.slots });
  return html`<li title=${t("agent.kinds", { kinds: agent.kinds.join(", ") })}><span class="who">${agent.name}</span>
    <${Status} state=${agent.draining ? "draining" : agent.state}>${agent.draining ? word("state", "draining") : agent.connected ? t("agent.on", { node: agent.node }) : word("state", agent.state)}</${Status}>
    <span class="slots"><${Bars} value=${agent.busy} most=${agent.slots} label=${`${agent.name}: ${load}`} /><span class="note">${load} ${agent.pool}</span></span></li>`;
}

function Zones({ known, agents }) {
  const self = { ...known, reachable: true, here: true, lag_ms: known.leader === known.node ? 0 : known.commit_lag_ms, clock_offset_ms: 0 };
  const nodes = [self, ...known.peers.filter((peer) => peer.node !== known.node)].map((node) => ({ ...node, leads: node.node === known.leader }));
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

function Overview() {
  useNow();
  const known = cluster.use();
  const agents = useRead("/v1/agents", { types: AGENT_EVENTS });
  const jobs = useRead("/v1/jobs?limit=200", { types: JOB_EVENTS });
  const runs = useRead("/v1/runs?limit=25", { types: RUN_EVENTS });
  if (!known || !agents.data || !jobs.data) return html`<h1 class="unseen">${t("overview.title")}</h1><${Loading} error=${agents.error || jobs.error} />`;
  return html`<h1 class="unseen">${t("overview.title")}</h1>
    <${Figures} agents=${agents.data.items} jobs=${jobs.data} />
    <${Zones} known=${known} agents=${agents.data.items} />
    <section aria-labelledby="runs-title"><div class="head"><h2 id="runs-title">${t("overview.runs")}</h2><a href=${at("runs")}>${t("overview.allRuns")}</a></div>
      <div class="frame"><table><thead><${RunHead} /></thead><tbody>${(runs.data?.items || []).map((run) => html`<${RunRow} key=${run.id} run=${run} />`)}</tbody></table>
      ${runs.data && !runs.data.items.length ? html`<p class="more">${t("overview.noRuns")}</p>` : null}</div></section>`;
}

export default { path: "/cockpit", title: "overview.title", key: "o", view: Overview,
  icon: "M3 11.5 10 4l7 7.5M5 10v6.5h10V10" };
