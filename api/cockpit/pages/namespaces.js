// Namespaces: who answers for each, what its jobs may have and how much of that they use, and whether it is paused.

import { Act, api, at, Bars, html, Loading, number, Status, t, tn, useKeys, useNow, useQuery, useRead, Search, When } from "../house.js";
import { namespaceAt, togglePause } from "../parts/namespaces.js";

const EVENTS = ["object_put", "object_deleted", "job_put", "job_deleted", "paused", "resumed"];

// How much of a quota is used; without one, how much there is.
export const Share = ({ n, most, label }) => most === null || most === undefined ? html`${number(n)}` : html`${t("namespaces.of", { n: number(n), most: number(most) })} <${Bars} value=${n} most=${most} label=${label} />`;
export const Used = ({ of }) => html`<${Share} n=${of.jobs} most=${of.quotas?.jobs} label=${t("namespaces.quota")} />`;

function Row({ one, again }) {
  return html`<tr><td><a class="who" href=${namespaceAt(one.namespace)}>${one.namespace}</a>${one.pause ? html` <${Status} state="paused" title=${one.pause.reason} />` : null}
      ${one.description ? html`<span class="about" title=${one.description}>${one.description}</span>` : null}</td>
    <td>${one.owner || html`<span class="note">${one.declared ? "" : t("namespaces.undeclared")}</span>`}</td><td><${Used} of=${one} /></td>
    <td class="wide">${one.pools.join(", ") || html`<span class="note">${t("namespaces.any")}</span>`}</td><td class="wide">${one.changed ? html`<${When} at=${one.changed} /> <span class="note">${one.actor}</span>` : null}</td>
    <td class="acts"><${Act} action=${togglePause(one, again)} label=${togglePause(one, again).title} small /></td></tr>`;
}

export default function Namespaces() {
  useNow(10000);
  const query = useQuery();
  const after = query.after || "";
  const { data, error, again } = useRead(`/v1/namespaces?limit=200${after ? `&cursor=${encodeURIComponent(after)}` : ""}`, { types: EVENTS });
  useKeys({ "/": ["keys.filter", () => document.getElementById("filter").focus()], n: ["namespaces.new", () => document.getElementById("new-object")?.click()] });
  const fits = (one) => !query.q || [one.namespace, one.owner, one.description].some((text) => text.toLowerCase().includes(query.q.toLowerCase()));
  const shown = (data?.items || []).filter(fits);
  return html`<div class="head"><h1>${t("namespaces.title")}</h1>${data ? html`<span class="note" role="status">${tn("namespaces.count", shown.length)}</span>` : null}<${Search} label=${t("namespaces.search")} />
      ${api.may("admin", "*") ? html`<a class="button primary" id="new-object" href=${at("namespaces", "new")}>${t("namespaces.new")}</a>` : null}</div>
    ${!data ? html`<${Loading} error=${error} />` : !shown.length ? html`<p class="card more">${query.q ? t("namespaces.noMatch") : t("namespaces.none")}</p>`
      : html`<div class="frame"><table class="even spaces"><thead><tr><th scope="col">${t("objects.name")}</th><th scope="col">${t("job.owner")}</th><th scope="col">${t("jobs.title")}</th><th scope="col" class="wide">${t("namespaces.pools")}</th><th scope="col" class="wide">${t("job.changed")}</th><th scope="col"><span class="unseen">${t("job.actions")}</span></th></tr></thead>
        <tbody>${shown.map((one) => html`<${Row} key=${one.namespace} one=${one} again=${again} />`)}</tbody></table></div>`}
    ${data?.next_cursor ? html`<p><a class="button" href=${`${at("namespaces")}?after=${encodeURIComponent(data.next_cursor)}`}>${t("namespaces.next")}</a></p>` : null}`;
}
