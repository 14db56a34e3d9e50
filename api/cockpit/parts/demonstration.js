// Breaking things on purpose, in a cluster of `cronclave dev` alone: no other node says that it can be, or does it.

import * as api from "./api.js";
import { ask } from "./action.js";
import { html } from "./html.js";
import { Pulse } from "./pulse.js";
import { useRead } from "./reads.js";
import { Status } from "./status.js";
import { t } from "./words.js";

const PATH = "/v1/demonstration";

const name = (fault) => `${fault.kind === "lose-zone" ? "zone" : fault.kind === "kill-node" ? "node" : fault.kind === "stop-agent" ? "agent" : "clock"}`;
const wish = (fault, stands, undo, done) => ({
  text: t(`demo.${name(fault)}${stands ? "Break" : "Mend"}`, { target: fault.target }), capability: "admin", method: "POST", path: PATH, dry: true, danger: stands, alone: true,
  body: { kind: fault.kind, target: fault.target, stands }, says: t(`demo.${name(fault)}${stands ? "Says" : "MendSays"}`, { target: fault.target, parts: fault.parts.join(", ") }),
  did: t(`demo.${name(fault)}${stands ? "Did" : "MendDid"}`, { target: fault.target }), undo, done,
});

export function Demonstration() {
  const { data, again } = useRead(PATH, { types: ["led", "node_lost", "agent_connected", "agent_disconnected"], every: 3000 });
  if (!data || !api.may("admin", "*")) return null;
  const act = (fault, stands) => ask(wish(fault, stands, stands ? wish(fault, false, null, again) : null, again));
  const faults = data.items;
  const leader = faults.find((fault) => fault.kind === "kill-node" && fault.leads && !fault.stands);
  const broken = faults.filter((fault) => fault.stands);
  const offered = [...faults.filter((fault) => fault.kind === "lose-zone"), ...(leader ? [leader] : []), ...faults.filter((fault) => fault.kind === "stop-agent"),
    ...faults.filter((fault) => fault.kind === "jump-clock" && fault.leads)].filter((fault) => !fault.stands);
  return html`<section class="demo card" aria-labelledby="demo-title"><div class="head"><h2 id="demo-title">${t("demo.title")}</h2><span class="note">${t("demo.about")}</span></div>
    <div class="demo-rows"><div class="buttons">${offered.map((fault) => html`<button type="button" key=${`${fault.kind} ${fault.target}`} disabled=${Boolean(fault.unavailable)} title=${fault.unavailable}
        onClick=${() => act(fault, true)}>${fault === leader ? t("demo.leaderBreak", { target: fault.target }) : t(`demo.${name(fault)}Break`, { target: fault.target })}</button>`)}</div>
      <div class="demo-pulse"><${Pulse} /></div></div>
    ${broken.length ? html`<ul class="plain-list">${broken.map((fault) => html`<li key=${`${fault.kind} ${fault.target}`}><${Status} state="lost">${t(`demo.${name(fault)}Stands`, { target: fault.target })}</${Status}>
      <button type="button" class="small" onClick=${() => act(fault, false)}>${t(`demo.${name(fault)}Mend`, { target: fault.target })}</button></li>`)}</ul>` : null}
    <p class="note">${t("demo.ledger")} <a href="/cockpit/ledger">${t("ledger.title")}</a></p></section>`;
}
