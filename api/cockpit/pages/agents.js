// Agents by zone and pool: who is there, how busy, with what, and whether it takes more.

import { Act, Ago, Bars, Choice, command, html, Loading, number, Search, setQuery, Status, t, tn, Until, useKeys, useNow, useQuery, useRead, word } from "../house.js";
import { jobAt, nameOf, runAt } from "../parts/jobs.js";
import { answer } from "../parts/reason.js";

const EVENTS = ["agent_connected", "agent_disconnected", "agent_drained", "agent_resumed", "attempt_assigned", "attempt_running", "attempt_ended", "attempt_unreachable"];
const WORK_EVENTS = ["attempt_assigned", "attempt_running", "attempt_ended", "attempt_unreachable"];

function drain(agent) {
  const reason = answer(t("agents.reason"));
  const end = answer(t("agents.until"), { name: "until", options: [["", t("agents.untilResumed")], ...[1, 4, 24].map((hours) => [`${hours}h`, tn("agents.hours", hours)])] });
  const body = () => ({ ...(reason.value() && { reason: reason.value() }), ...(end.value() && { until: new Date(Date.now() + parseInt(end.value(), 10) * 3_600_000).toISOString() }) });
  return {
    text: t("agents.drain"), title: t("agents.drainIt", { name: agent.name }), capability: "operate", method: "POST", path: `/v1/agents/${encodeURIComponent(agent.name)}/drain`, dry: true,
    says: t("agents.drainSays", { name: agent.name, n: agent.busy }), fields: () => [reason.field(), end.field()], body,
    did: t("agents.drainDid", { name: agent.name }), cli: () => command("agents", "drain", agent.name, ...(reason.value() ? ["--reason", reason.value()] : []), ...(end.value() ? ["--until", `+${end.value()}`] : [])), undo: resume(agent),
  };
}
const resume = (agent) => ({
  text: t("agents.resume"), title: t("agents.resumeIt", { name: agent.name }), capability: "operate", method: "POST", path: `/v1/agents/${encodeURIComponent(agent.name)}/resume`, dry: true,
  says: t("agents.resumeSays", { name: agent.name }), did: t("agents.resumeDid", { name: agent.name }), cli: command("agents", "resume", agent.name),
});

function Work({ agent }) {
  const { data, error } = useRead(`/v1/agents/${encodeURIComponent(agent.name)}/work`, { types: WORK_EVENTS, every: 5000 });
  useNow();
  if (!data) return html`<${Loading} error=${error} />`;
  if (!data.items.length) return html`<p class="note">${t("agents.nothing")}</p>`;
  return html`<ul class="plain-list">${data.items.map((one) => html`<li key=${one.attempt}><${Status} state=${one.unreachable ? "unreachable" : one.state} />
    <a href=${`${runAt(one.run)}?task=${encodeURIComponent(one.task)}&attempt=${one.number}`}>#${one.run}</a>
    <a class="who plain" href=${jobAt({ namespace: one.namespace, name: one.job })}>${nameOf({ namespace: one.namespace, name: one.job })}</a>
    <span class="note">${one.task}${one.member ? ` (${one.member})` : ""} · ${one.started ? html`<${Ago} at=${one.started} />` : t("agents.notStarted")}</span></li>`)}
    ${data.next_cursor ? html`<li class="note">${t("agents.moreWork")}</li>` : null}</ul>`;
}

function Row({ agent, open }) {
  const state = agent.draining ? "draining" : agent.state;
  const load = t("agent.load", { busy: agent.busy, slots: agent.slots });
  const about = [agent.version, ...Object.entries(agent.labels).map(([name, value]) => `${name}=${value}`)].filter(Boolean);
  return html`<tr class=${open ? "opened" : ""}><td><button type="button" class="fold" aria-expanded=${open} onClick=${() => setQuery({ open: open ? "" : agent.name })}>
      <span aria-hidden="true">${open ? "▾" : "▸"}</span> <span class="who">${agent.name}</span></button></td>
    <td><${Status} state=${state}>${word("state", state)}</${Status}> <span class="note">${agent.draining && (agent.drain_reason || agent.drain_until) ? html`${agent.drain_reason} ${agent.drain_until ? html`<${Until} at=${agent.drain_until} />` : null}`
      : agent.connected ? t("agent.on", { node: agent.node }) : html`<${Ago} at=${agent.disconnected_at} />`}</span></td>
    <td><${Bars} value=${agent.busy} most=${agent.slots} label=${`${agent.name}: ${load}`} /> <span class="note">${load}</span></td>
    <td class="wide"><span class="note">${agent.kinds.join(", ")}</span></td>
    <td class="wide"><span class="note">${about.join(" · ")}</span></td>
    <td class="acts"><${Act} action=${agent.draining ? resume(agent) : drain(agent)} label=${agent.draining ? t("agents.resumeIt", { name: agent.name }) : t("agents.drainIt", { name: agent.name })} small /></td></tr>
    ${open ? html`<tr class="detail"><td colspan="6"><${Work} agent=${agent} /></td></tr>` : null}`;
}

export default function Agents() {
  const query = useQuery();
  const { data, error } = useRead("/v1/agents", { types: EVENTS });
  useNow(5000);
  useKeys({ "/": ["keys.filter", () => document.getElementById("filter").focus()] });
  if (!data) return html`<h1>${t("agents.title")}</h1><${Loading} error=${error} />`;
  const wanted = data.items.filter((agent) => (!query.q || agent.name.includes(query.q) || agent.zone.includes(query.q) || agent.pool.includes(query.q))
    && (!query.state || (query.state === "draining" ? agent.draining : query.state === agent.state)));
  const groups = new Map();
  for (const agent of wanted) {
    const key = `${agent.zone}\n${agent.pool}`;
    groups.set(key, [...(groups.get(key) || []), agent]);
  }
  const sum = (agents, of) => agents.reduce((all, agent) => all + (agent.connected ? agent[of] : 0), 0);
  return html`<div class="head"><h1>${t("agents.title")}</h1>
      <span class="note" role="status">${tn("agents.count", wanted.length)} · ${t("overview.slots", { busy: number(sum(wanted, "busy")), slots: number(sum(wanted, "slots")) })}</span>
      <${Search} label=${t("agents.search")} />
      <${Choice} name="state" label=${t("agents.state")} options=${[["", t("agents.allStates")], ...["connected", "draining", "disconnected"].map((state) => [state, word("state", state)])]} /></div>
    ${[...groups].sort(([a], [b]) => a.localeCompare(b)).map(([key, agents]) => {
      const [zone, pool] = key.split("\n");
      return html`<section key=${key} aria-label=${`${zone}, ${pool}`}><div class="head"><h2>${zone}</h2><span class="note">${t("agents.pool", { pool })} · ${t("overview.slots", { busy: number(sum(agents, "busy")), slots: number(sum(agents, "slots")) })}</span></div>
        <div class="frame"><table class="even"><thead><tr><th scope="col">${t("agents.agent")}</th><th scope="col">${t("agents.how")}</th><th scope="col">${t("agents.load")}</th><th scope="col" class="wide">${t("agents.kinds")}</th>
          <th scope="col" class="wide">${t("agents.about")}</th><th scope="col"><span class="unseen">${t("job.actions")}</span></th></tr></thead>
          <tbody>${agents.map((agent) => html`<${Row} key=${agent.name} agent=${agent} open=${query.open === agent.name} />`)}</tbody></table></div></section>`;
    })}
    ${wanted.length ? null : html`<p class="card note">${data.items.length ? t("agents.noMatch") : html`${t("agents.none")} <code>cronclave agents join</code>`}</p>`}`;
}
