// Without a quorum: what is wrong, that nothing is lost, and what to do. Fetched when it is needed, from the node that says so.

import { html } from "./html.js";
import { t } from "./words.js";

export default function NoQuorum({ known }) {
  const peers = known.peers.filter((peer) => peer.node !== known.node);
  const missing = peers.filter((peer) => !peer.reachable);
  const needed = Math.floor((peers.length + 1) / 2) + 1;
  return html`<section class="alarm" role="alert" aria-labelledby="quorum-title">
    <h2 id="quorum-title">${t("quorum.title")}</h2>
    <p>${t("quorum.what", { node: known.node, needed, nodes: peers.length + 1 })}</p>
    <ul>${missing.map((peer) => html`<li key=${peer.node}><strong>${peer.node}</strong> (${peer.zone}, <code>${peer.address}</code>): ${t("quorum.silent")}</li>`)}</ul>
    <p>${t("quorum.safe")}</p>
    <h3>${t("quorum.do")}</h3>
    <ol><li>${t("quorum.start")} <code>cronclave node --config /etc/cronclave/node.toml</code></li>
      <li>${t("quorum.network")}</li>
      <li>${t("quorum.gone")} <code>cronclave cluster recover --help</code></li></ol></section>`;
}
