// From the API's answers to the page.

import { $, h, rows, status } from "./dom.js";
import { ago, bytes, schedule, span, until, when } from "./words.js";
import { may } from "./api.js";
import * as pulse from "./pulse.js";

export function health(cluster, silent = false) {
  const away = cluster.peers.filter((peer) => !peer.reachable).length;
  const nodes = cluster.peers.length + 1;
  const mark = silent ? status("lost", "No answer") : !cluster.quorum ? status("lost", "No quorum") : away ? status("unplaceable", "Degraded")
    : cluster.pause ? status("paused", "Paused") : cluster.overload ? status("unplaceable", "Overloaded") : status("ready", "Healthy");
  const facts = silent ? `${cluster.node} is silent; below is what it last said` : cluster.quorum
    ? `${nodes - away} of ${nodes} nodes, ${cluster.leader || "nobody"} leads, epoch ${cluster.epoch}`
    : `this node sees ${nodes - away} of ${nodes} nodes and shows what it last knew`;
  const pause = cluster.pause ? ` · everything is paused${cluster.pause.until ? ` until ${when(cluster.pause.until)}` : ""}: ${cluster.pause.reason}` : "";
  const overload = cluster.overload ? ` · more is due than can be started, since ${when(cluster.overload.since)}` : "";
  $("health").replaceChildren(mark, h("span", { class: "facts" }, facts + pause + overload));
  document.title = cluster.quorum && !away && !silent ? "Cronclave" : `${silent ? "No answer" : cluster.quorum ? "Degraded" : "No quorum"} · Cronclave`;
  $("footer").replaceChildren(
    h("span", {}, `${cluster.node} · index ${cluster.index} · ledger `), h("code", {}, cluster.ledger_head.slice(0, 12)),
    h("span", {}, ` · tzdata ${cluster.tzdata} · version ${cluster.version} · `), h("a", { href: "/docs" }, "API"));
}

export function figures(agents, jobs, runs) {
  const here = agents.filter((agent) => agent.connected);
  const busy = here.reduce((sum, agent) => sum + agent.busy, 0);
  const slots = here.reduce((sum, agent) => sum + agent.slots, 0);
  const active = jobs.items.reduce((sum, job) => sum + job.active_runs, 0);
  const failing = jobs.items.filter((job) => job.last_run && ["failed", "timed_out", "lost", "expired"].includes(job.last_run.state));
  const sum = pulse.totals();
  const figure = (name, value, note, look = "") => h("div", { class: `figure ${look}` },
    h("span", { class: "name" }, name), h("span", { class: "value" }, String(value)), h("span", { class: "note" }, note));
  const more = jobs.next_cursor ? "+" : "";
  const strip = h("div", { class: "figure strip" }, h("span", { class: "name" }, pulse.title()), pulse.draw(),
    h("span", { class: "note" }, `${sum.ran} ran, ${sum.skipped + sum.coalesced} skipped or joined, ${sum.missed} missed`));
  $("figures").replaceChildren(
    strip,
    figure("Active runs", active, `of ${jobs.items.length}${more} jobs`),
    figure("Agents", `${here.length}/${agents.length}`, `${busy} of ${slots} slots busy`, here.length ? "" : "alarm"),
    figure("Last run failed", failing.length, failing.length ? failing.slice(0, 2).map((job) => job.name).join(", ") : "nothing to look at",
      failing.length ? "alarm" : ""));
}

export function zones(cluster, agents) {
  const self = { node: cluster.node, zone: cluster.zone, state: cluster.state, reachable: true, here: true,
    free_bytes: cluster.free_bytes, lag_ms: cluster.leader === cluster.node ? 0 : cluster.commit_lag_ms, clock_offset_ms: 0 };
  const peers = cluster.peers.filter((peer) => peer.node !== cluster.node);
  const nodes = [self, ...peers].map((node) => ({ ...node, leads: node.node === cluster.leader }));
  const names = [...new Set([...nodes.map((n) => n.zone), ...agents.map((a) => a.zone)])].sort();
  $("zones").replaceChildren(...names.map((zone) => h("article", { class: "zone" },
    h("h3", {}, zone),
    ...nodes.filter((n) => n.zone === zone).sort((a, b) => a.node.localeCompare(b.node)).map(nodeRow),
    agentRows(agents.filter((agent) => agent.zone === zone)))));
}

function nodeRow(node) {
  const state = !node.reachable ? "unreachable" : node.leads ? "leader" : node.here ? node.state : "follower";
  const facts = [];
  if (node.here) facts.push("you are here");
  if (node.here && node.lag_ms === null) facts.push("has heard of no leader");
  if (node.lag_ms > 100) facts.push(`${span(node.lag_ms)} behind`);
  if (!node.reachable && node.silent_ms) facts.push(`silent ${span(node.silent_ms)}`);
  if (node.clock_offset_ms && Math.abs(node.clock_offset_ms) > 50) facts.push(`clock ${node.clock_offset_ms} ms`);
  if (node.free_bytes) facts.push(`${bytes(node.free_bytes)} free`);
  const name = node.url && !node.here && /^https?:/.test(node.url) ? h("a", { href: node.url }, node.node) : node.node;
  return h("div", { class: "node" }, h("span", { class: "who" }, name), status(state), h("span", { class: "note" }, facts.join(", ")));
}

function agentRows(agents) {
  if (!agents.length) return h("p", { class: "note none" }, "no agents");
  const shown = agents.slice(0, 12);
  return h("ul", { class: "agents" }, ...shown.map((agent) => h("li", { title: `runs work of kind ${agent.kinds.join(", ")}` },
    h("span", { class: "who" }, agent.name), status(agent.draining ? "draining" : agent.state, agent.connected ? `on ${agent.node}` : agent.state),
    meter(agent))), agents.length > shown.length ? h("li", { class: "note" }, `and ${agents.length - shown.length} more`) : null);
}

function meter(agent) {
  const words = `${agent.busy}/${agent.slots}`;
  const bar = h("meter", { min: 0, max: Math.max(1, agent.slots), value: agent.busy, "aria-label": `${agent.name}: ${words} slots busy` });
  return h("span", { class: "slots" }, bar, h("span", { class: "note" }, `${words} ${agent.pool}`));
}

export function jobs(page, act) {
  rows($("jobs-body"), page.items, (job) => `${job.namespace}/${job.name}`, (job) => JSON.stringify([job, may("run")]), (job) => {
    const name = job.namespace === "default" ? job.name : `${job.namespace}/${job.name}`;
    const label = [h("span", { class: "who" }, name)];
    if (job.description) label.push(h("span", { class: "about wide", title: job.description }, job.description));
    if (job.state !== "active") label.push(status(job.state));
    else if (job.paused_by.length) label.push(status("paused", job.paused_by[0].namespace ? "namespace paused" : "everything paused"));
    if (job.state === "unplaceable") label.push(h("span", { class: "note" }, job.unplaceable_reason));
    const last = job.last_run;
    const tick = job.last_tick;
    return h("tr", {},
      h("td", {}, ...label),
      h("td", { class: "wide" }, h("code", {}, schedule(job.triggers))),
      h("td", {}, last ? h("button", { class: "link", type: "button", "data-name": "last", onclick: () => act.open(last.id) }, status(last.state)) : h("span", { class: "note" }, "never ran"),
        last ? h("span", { class: "note", "data-ago": last.finished || last.started || last.created }) : null),
      h("td", { class: "wide" }, tick ? status(tick.outcome, tick.reason ? `${tick.outcome}, ${tick.reason}` : tick.outcome) : "", tick ? h("span", { class: "note" }, when(tick.at)) : null),
      h("td", { class: "tick" }, job.next_tick && job.state !== "paused" ? h("span", { "data-until": job.next_tick, title: job.next_tick }) : h("span", { class: "note" }, job.state === "paused" ? "paused" : "none")),
      h("td", { class: "acts" },
        may("run") ? h("button", { type: "button", "data-name": "run", "aria-label": `Run ${name} now`, onclick: () => act.run(job) }, "Run") : null,
        may("operate") ? h("button", { type: "button", "data-name": "pause", class: "quiet wide", "aria-label": `${job.state === "paused" ? "Resume" : "Pause"} ${name}`, onclick: () => act.pause(job) }, job.state === "paused" ? "Resume" : "Pause") : null));
  });
  const empty = !page.items.length;
  $("jobs-more").textContent = empty ? "No job matches. The first one: cronclave job apply job.yaml"
    : page.next_cursor ? `The first ${page.items.length} are shown: filter by name for the others.` : "";
  moments();
}

function attemptsOf(run) {
  return Object.values(run.tasks).flatMap((task) => task.attempts);
}

export function runs(page, act) {
  rows($("runs-body"), page.items, (run) => run.id, (run) => JSON.stringify(run), (run) => {
    const attempts = attemptsOf(run);
    const agents = [...new Set(attempts.map((attempt) => attempt.agent))].join(", ");
    const stuck = attempts.some((attempt) => attempt.unreachable);
    const ms = run.started && run.finished ? Date.parse(run.finished) - Date.parse(run.started) : null;
    return h("tr", {},
      h("td", {}, h("button", { class: "link", type: "button", "data-name": "open", "aria-label": `Open run ${run.id}`, onclick: () => act.open(run.id) }, `#${run.id}`)),
      h("td", {}, h("span", { class: "who" }, run.job)),
      h("td", {}, status(run.state), stuck ? status("unreachable", "agent unreachable") : null),
      h("td", { class: "wide" }, run.tick ? `tick ${when(run.tick)}` : run.cause),
      h("td", { class: "wide" }, agents),
      h("td", {}, run.started ? when(run.started) : h("span", { class: "note" }, "not yet")),
      h("td", { class: "wide number" }, ms === null ? "" : span(ms)),
      h("td", { class: "wide number" }, run.exit_code === null ? "" : String(run.exit_code)));
  });
}

export function runFacts(run) {
  $("run-title").replaceChildren(`Run ${run.id} of ${run.job} `, status(run.state));
  const line = (name, value) => value ? [h("dt", {}, name), h("dd", {}, value)] : [];
  const attempts = Object.entries(run.tasks).flatMap(([task, facts]) => facts.attempts.map((attempt) =>
    h("tr", {}, h("td", {}, task), h("td", {}, `${attempt.number}`), h("td", {}, status(attempt.state)), h("td", {}, attempt.agent),
      h("td", {}, attempt.zone), h("td", {}, when(attempt.started)), h("td", {}, attempt.exit_code === null ? "" : String(attempt.exit_code)),
      h("td", {}, attempt.reason || ""))));
  const table = attempts.length ? h("div", { class: "frame" }, h("table", {}, h("thead", {}, h("tr", {}, ...["Task", "Attempt", "State", "Agent", "Zone", "Started", "Exit", "Reason"].map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, ...attempts))) : h("p", { class: "note" }, "No attempt yet.");
  $("run-facts").replaceChildren(h("dl", {}, ...line("Tick", run.tick), ...line("Trigger", run.trigger), ...line("Cause", run.cause),
    ...line("Created", run.created), ...line("Finished", run.finished), ...line("Reason", run.reason), ...line("Revision", String(run.revision))), table);
}

// Countdowns move between refreshes.
export function moments() {
  for (const node of document.querySelectorAll("[data-until]")) node.textContent = until(node.dataset.until);
  for (const node of document.querySelectorAll("[data-ago]")) node.textContent = ago(node.dataset.ago);
}
