// What of a source is live, what stands in its way, what of it is otherwise; and a look at it now.

import { Act, command } from "./action.js";
import { html } from "./html.js";
import { nameOf } from "./jobs.js";
import { pathOf, Referrer } from "./objects.js";
import { Facts, Loading, When } from "./parts.js";
import { useRead } from "./reads.js";
import { Status } from "./status.js";
import { t } from "./words.js";

const told = (one) => (event) => ["source_asked", "source_reported"].includes(event.type) && event.namespace === one.namespace && event.name === one.name;

const look = (one) => ({
  text: t("sources.sync"), title: t("sources.sync"), says: t("sources.syncSays", { name: nameOf(one) }), capability: "admin", namespace: one.namespace, method: "POST", path: pathOf(one, "sync"), body: {},
  cli: command("source", "sync", one.name, ...(one.namespace === "default" ? [] : ["--namespace", one.namespace])), did: t("sources.syncDid", { name: nameOf(one) }),
});

export function Live({ one }) {
  const { data, error } = useRead(pathOf(one, "state"), { types: told(one) });
  return html`<section aria-labelledby="source-live"><div class="head"><h2 id="source-live">${t("sources.live")}</h2>${data ? html`<${Status} state=${data.state} />` : null}<span class="push"></span><${Act} action=${look(one)} /></div>
    ${!data ? html`<${Loading} error=${error} />` : html`<div class="card">
      <${Facts} of=${[[t("sources.revision"), data.revision && html`<code>${data.revision.slice(0, 12)}</code>`], [t("sources.since"), data.live_at && html`<${When} at=${data.live_at} />`], [t("sources.owns"), data.documents || null],
        [t("sources.last"), data.revision && t("sources.counts", data)], [t("sources.looked"), data.since && html`<${When} at=${data.since} />`]]} />
      ${data.detail ? html`<p class="note">${data.detail}</p>` : null}
      ${data.problems.length ? html`<ul class="plain-list">${data.problems.map((each) => html`<li key=${each}><code>${each}</code></li>`)}</ul>` : null}
      ${data.drifted ? html`<h3>${t("sources.drift", { n: data.drifted })}</h3><ul class="plain-list">${data.drift.map((each) => html`<li key=${`${each.kind} ${each.namespace} ${each.name}`}><${Referrer} of=${each} /> <span class="note">${t(`drift.${each.change.replace(" ", "_")}`)}</span></li>`)}</ul>` : null}
    </div>`}</section>`;
}
