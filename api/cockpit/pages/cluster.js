// The cluster as this node knows it: members, clocks, disks, formats, certificates, backups, and who leads.

import { Act, api, between, bytes, clockOff, cluster, command, Facts, html, Loading, number, span, Status, t, useNow, useRead, When, whole, word } from "../house.js";
import { Demonstration } from "../parts/demonstration.js";
import { membersOf } from "../parts/members.js";
import { away } from "../parts/nodes.js";

const DISK_LOW_BYTES = 1 << 30, CERTIFICATE_SOON_MS = 30 * 86400000, LEADERS_SHOWN = 12, BEHIND_ENTRIES = 100;

const transfer = (known, node, canUndo = true) => ({
  text: node ? t("cluster.leadIt", { node }) : t("cluster.lead"), title: node ? t("cluster.leadIt", { node }) : t("cluster.lead"), capability: "admin", method: "POST", path: "/v1/cluster/transfer", dry: true,
  body: node ? { node } : {}, says: t("cluster.leadSays", { leader: known.leader || t("health.nobody") }), did: t("cluster.leadDid"), cli: command("cluster", "transfer", ...(node ? ["--to", node] : [])),
  undo: canUndo && node && known.leader && known.leader !== node ? transfer({ ...known, leader: node }, known.leader, false) : null,
});
const remove = (node) => ({
  text: t("cluster.remove"), title: t("cluster.removeIt", { node }), capability: "admin", method: "DELETE", path: `/v1/cluster/members/${encodeURIComponent(node)}`, dry: true, danger: true,
  says: t("cluster.removeSays", { node }), did: t("cluster.removeDid", { node }), cli: command("cluster", "remove", node, "--yes"),
});
const activate = (format) => ({
  text: t("cluster.activate", { format }), capability: "admin", method: "POST", path: "/v1/cluster/format", dry: true, danger: true, body: { format },
  says: t("cluster.activateSays", { format }), did: t("cluster.activateDid", { format }), cli: command("cluster", "activate"),
});
const retime = (known) => ({
  text: t("cluster.retime", { version: known.tzdata_installed }), capability: "admin", method: "POST", path: "/v1/cluster/retime", dry: true, danger: true, body: { tzdata: known.tzdata_installed },
  says: t("cluster.retimeSays", { before: known.tzdata, version: known.tzdata_installed }), did: `${t("cluster.zones")}: ${known.tzdata_installed}`, cli: command("cluster", "retime"),
});

function Member({ node, known, newest }) {
  const state = !node.reachable ? "unreachable" : node.leads ? "leader" : node.here ? node.state : node.voter ? "follower" : "joining";
  const low = node.free_bytes !== null && node.free_bytes < DISK_LOW_BYTES;
  const behind = node.match ? Math.max(...known.peers.map((peer) => peer.match)) - node.match : 0; // the foremost one has all that is committed
  return html`<tr><td><span class="who">${node.node}</span>${node.here ? html` <span class="note">${t("node.here")}</span>` : null}</td><td>${node.zone}</td>
    <td><${Status} state=${state} />${!node.reachable && node.silent_ms ? html` <span class="note">${t("node.silent", { span: span(node.silent_ms) })}</span>` : null}${behind > BEHIND_ENTRIES ? html` <span class="note">${t("cluster.behind", { n: number(behind) })}</span>` : null}</td>
    <td>${node.clock_off_ms === null ? html`<span class="note">${t("cluster.unknown")}</span>` : html`<${Status} state=${node.clock_is_off ? "late" : "ok"}>${node.clock_is_off ? clockOff(node.clock_off_ms) : t("cluster.off", { ms: node.clock_off_ms })}</${Status}>`}</td>
    <td>${node.free_bytes === null ? html`<span class="note">${t("cluster.unknown")}</span>` : html`<${Status} state=${low ? "degraded" : "ok"}>${t("node.free", { bytes: bytes(node.free_bytes) })}</${Status}>`}</td>
    <td class="wide">${node.format_max ? html`${node.format_min}–${node.format_max}${node.format_max < newest ? html` <${Status} state="late">${t("cluster.older")}</${Status}>` : null}` : ""}</td>
    <td class="wide">${node.tzdata || ""}${node.tzdata && node.tzdata !== known.tzdata ? html` <${Status} state="late">${t("cluster.differs")}</${Status}>` : null}</td>
    <td class="wide far"><code>${node.address}</code></td>
    <td class="acts">${node.leads || !node.reachable ? null : html`<${Act} action=${transfer(known, node.node)} label=${t("cluster.leadIt", { node: node.node })} small />`}
      ${node.here ? null : html`<${Act} action=${remove(node.node)} label=${t("cluster.removeIt", { node: node.node })} small />`}</td></tr>`;
}

function Leaders() {
  const { data } = useRead("/v1/overview", { types: ["led", "node_lost"], every: 30000 });
  if (!data?.leaderships?.length) return null;
  return html`<section aria-labelledby="leaders-title"><h2 id="leaders-title">${t("cluster.leaders")}</h2><div class="frame" tabindex="0" role="group" aria-labelledby="leaders-title"><table><thead><tr><th scope="col">${t("cluster.epoch")}</th><th scope="col">${t("cluster.node")}</th>
    <th scope="col">${t("cluster.zone")}</th><th scope="col">${t("cluster.began")}</th><th scope="col">${t("cluster.gap")}</th></tr></thead><tbody>${data.leaderships.slice(0, LEADERS_SHOWN).map((one) => html`<tr key=${one.epoch}>
      <td>${one.epoch}</td><td class="who">${one.node}</td><td>${one.zone}</td><td><${When} at=${one.began} /></td>
      <td>${one.vacant_since ? span(between(one.vacant_since, one.began)) : ""}</td></tr>`)}</tbody></table></div></section>`;
}

function Certificates({ known }) {
  const all = Object.entries(known.certificates || {});
  if (!all.length) return html`<p class="note">${t("cluster.noTls")}</p>`;
  return html`<ul class="plain-list">${all.map(([use, ends]) => {
    const left = Date.parse(ends) - Date.now();
    return html`<li key=${use}><${Status} state=${left < 0 ? "failed" : left < CERTIFICATE_SOON_MS ? "late" : "ok"}>${use}</${Status}> <span>${t("cluster.until", { at: whole(ends) })}</span>
      ${left < CERTIFICATE_SOON_MS ? html` <code>cronclave cluster cert renew DIR</code>` : null}</li>`;
  })}</ul>`;
}

export default function Cluster() {
  const known = cluster.use(), gone = away.use();
  useNow();
  if (!known) return html`<h1>${t("cluster.title")}</h1><${Loading} />`;
  const nodes = membersOf(known, gone !== null).sort((a, b) => a.node.localeCompare(b.node));
  const newest = Math.max(...nodes.map((node) => node.format_max || 0));
  const common = Math.min(...nodes.map((node) => node.format_max || 0));
  const restore = known.restore;
  return html`<div class="head"><h1>${t("cluster.title")}</h1><span class="note"><code>${known.cluster}</code></span><span class="push"></span><${Act} action=${transfer(known, null)} /></div>
    ${known.demonstration ? html`<${Demonstration} />` : null}
    <${Facts} of=${[[t("cluster.leader"), known.leader || t("health.nobody")], [t("cluster.epoch"), known.epoch], [t("cluster.term"), known.term], [t("cluster.index"), known.index], [t("cluster.lag"), known.commit_lag_ms === null ? t("cluster.unknown") : `${known.commit_lag_ms} ms`],
      [t("cluster.log"), t("cluster.logHas", { bytes: bytes(known.log_bytes), n: number(known.log_entries) })], [t("cluster.version"), known.version], [t("cluster.zones"), known.tzdata], [t("cluster.longest"), `${known.longest_turn_ms} ms`]]} />
    <section aria-labelledby="members-title"><h2 id="members-title">${t("cluster.members")}</h2><div class="frame"><table class="members"><thead><tr>${["node", "zone", "state", "clock", "disk"].map((name) => html`<th scope="col" key=${name}>${t(`cluster.${name}`)}</th>`)}
      <th scope="col" class="wide">${t("cluster.format")}</th><th scope="col" class="wide">tzdata</th><th scope="col" class="wide far">${t("cluster.address")}</th><th scope="col"><span class="unseen">${t("job.actions")}</span></th></tr></thead>
      <tbody>${nodes.map((node) => html`<${Member} key=${node.node} node=${node} known=${known} newest=${newest} />`)}</tbody></table></div>
      <p class="note">${t("cluster.join")} <code>cronclave cluster join</code></p>
      ${known.tzdata_installed > known.tzdata ? html`<${Act} action=${retime(known)} />` : null}</section>
    <div class="columns">
      <section class="card" aria-labelledby="formats-title"><h2 id="formats-title">${t("cluster.formats")}</h2>
        <p>${t("cluster.formatNow", { format: known.format, common })}</p>
        ${known.format_target > known.format ? html`<p><${Status} state="running">${t("cluster.migrates", { format: known.format_target })}</${Status}></p>` : null}
        ${common > known.format && known.format_target <= known.format ? html`<${Act} action=${activate(common)} />` : null}</section>
      <section class="card" aria-labelledby="certificates-title"><h2 id="certificates-title">${t("cluster.certificates")}</h2><${Certificates} known=${known} /></section>
      <section class="card" aria-labelledby="backups-title"><h2 id="backups-title">${t("cluster.backups")}</h2><p>${t("cluster.backupSays")}</p>
        ${api.may("admin", "*") ? html`<p class="buttons"><a class="button" href="/v1/cluster/backup" download=${`cronclave-${known.index}.db`}>${t("cluster.backup")}</a></p>` : null}<p><code>cronclave cluster backup state.db</code></p>
        ${restore ? html`<p><${Status} state=${restore.phase === "done" ? "ok" : "running"}>${t("cluster.restored", { n: restore.number, phase: word("restore", restore.phase) })}</${Status}>
          ${restore.agents_awaited ? html` <span class="note">${t("cluster.awaited", { n: restore.agents_awaited })}</span>` : null}</p>` : null}</section>
    </div>
    <${Leaders} />`;
}
