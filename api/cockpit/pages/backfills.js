// Runs of a job for instants that are past: those that go on and the last that are over, and one of them with its runs.

import { Act, Copy, Facts, html, Loading, Said, Status, t, tn, useNow, useOffers, useRead, When, whole, word } from "../house.js";
import { backfillAt, backfillsAt, beginBackfill, cancelBackfill } from "../parts/backfills.js";
import { cliOf, jobAt, nameOf, pathOf, runAt } from "../parts/jobs.js";

const RUNS = 1000, EVENTS = ["backfill_began", "backfill_moved", "backfill_ended"];
const stateOf = (one) => one.state === "going" ? "running" : one.state === "done" ? one.failed ? "warned" : "succeeded" : "cancelled";
const Far = ({ one }) => html`<label class="far-of"><progress max=${one.instants} value=${one.state === "done" ? one.instants : one.runs - one.active + one.left_out}></progress>
  <span class="note">${t("backfill.far", { done: one.runs - one.active + one.left_out, n: one.instants })}</span></label>`;
// What lies behind `from`: it is left out itself.
const Range = ({ of }) => of.dates ? html`<time datetime=${of.dates.from}>${of.dates.from}</time> – <time datetime=${of.dates.to}>${of.dates.to}</time>` : html`<time datetime=${of.from}>${whole(Date.parse(of.from) + 1)}</time> – <time datetime=${of.to}>${whole(of.to)}</time>`;
const counts = (one) => [tn("backfill.succeeded", one.succeeded), one.failed ? tn("backfill.failed", one.failed) : null, one.active ? tn("backfill.active", one.active) : null, one.left_out ? tn("backfill.leftOut", one.left_out) : null].filter(Boolean).join(", ");
const Top = ({ job, children }) => html`<p class="note"><a href=${jobAt(job)}>${nameOf(job)}</a>${children}</p>`;

export function Backfills({ namespace, name }) {
  const at = { namespace, name };
  const job = useRead(pathOf(at), { types: ["job_put"] }), { data, error } = useRead(pathOf(at, "backfills"), { types: EVENTS });
  const begin = job.data && beginBackfill(job.data);
  useOffers([begin], [job.data]);
  useNow(5000);
  return html`<div class="title"><${Top} job=${at} /><div class="head"><h1>${t("backfill.title")}</h1><span class="push"></span>${begin ? html`<${Act} action=${begin} />` : null}</div><p class="note intro">${t("backfill.about")}</p></div>
    ${!data ? html`<${Loading} error=${error} />` : data.items.length ? html`<div class="frame" tabindex="0" role="group" aria-label=${t("backfill.title")}><table class="values stacked"><thead><tr>${["id", "range", "state", "progress", "why"].map((head) => html`<th scope="col" key=${head}>${t(`backfill.${head}`)}</th>`)}</tr></thead>
      <tbody>${data.items.map((one) => html`<tr key=${one.id}><td><a href=${backfillAt(at, one.id)}>${one.id}</a></td><td><${Range} of=${one} /> <span class="note">${one.trigger}</span></td><td><${Status} state=${stateOf(one)}>${word("backfill", one.state)}</${Status}></td>
        <td><${Far} one=${one} /> <span class="note">${counts(one)}</span></td><td>${one.reason} <span class="note">${one.actor} <${Said}>${one.why}</${Said}></span></td></tr>`)}</tbody></table></div>` : html`<p class="card note">${t("backfill.none")}</p>`}
    <${Copy} text=${cliOf("backfills", at)}>CLI</${Copy}>`;
}

// Its runs, the oldest instant first: as long as they are kept.
function Runs({ job, one }) {
  const asked = new URLSearchParams({ job: job.name, namespace: job.namespace, cause: "backfill", since: one.began, limit: RUNS });
  const { data, error } = useRead(`/v1/runs?${asked}`, { types: (event) => event.name === job.name && event.type.startsWith("run_"), every: one.state === "going" ? 5000 : 20000 });
  const mine = data?.items.filter((run) => String(run.cause_key).endsWith(`/${one.id}`)).sort((a, b) => a.tick.localeCompare(b.tick));
  return html`<section aria-labelledby="its-runs"><h2 id="its-runs">${t("backfill.itsRuns")}</h2>${!mine ? html`<${Loading} error=${error} />` : mine.length ? html`<nav class="tries card" aria-label=${t("backfill.itsRuns")}>${mine.map((run) => html`<a key=${run.id} href=${runAt(run.id)} title=${whole(run.tick)}><${Status} state=${run.state}><${When} at=${run.tick} /></${Status}></a>`)}</nav>` : html`<p class="card note">${t("backfill.noRuns")}</p>`}</section>`;
}

export function Backfill({ namespace, name, backfill }) {
  const job = { namespace, name };
  const { data: one, error, again } = useRead(pathOf(job, `backfills/${encodeURIComponent(backfill)}`), { types: EVENTS, every: 5000 });
  const cancel = one?.state === "going" ? cancelBackfill(job, one, again) : null;
  useOffers([cancel], [one?.state]);
  useNow(5000);
  if (!one) return html`<h1>${t("backfill.one", { id: backfill })}</h1><${Loading} error=${error} />`;
  return html`<div class="title"><${Top} job=${job}> / <a href=${backfillsAt(job)}>${t("backfill.title")}</a></${Top}><div class="head"><h1>${t("backfill.one", { id: one.id })}</h1><${Status} state=${stateOf(one)}>${word("backfill", one.state)}</${Status}><span class="push"></span>${cancel ? html`<${Act} action=${cancel} />` : null}</div></div>
    ${one.why ? html`<p class="banner-of"><${Said}>${one.why}</${Said}></p>` : null}
    <section class="card" aria-label=${t("backfill.progress")}><${Far} one=${one} /><p>${counts(one)}</p></section>
    <${Facts} of=${[[t("backfill.range"), html`<${Range} of=${one} />`], [t("run.trigger"), one.trigger], [t("backfill.upTo"), html`<${When} at=${one.at} />`], [t("backfill.max_active"), one.max_active],
      [t("backfill.asked"), ["missing_only", "again", "closed"].filter((flag) => one[flag]).map((flag) => t(`backfill.${flag}`)).join("; ")], [t("backfill.began"), html`<${When} at=${one.began} />`], [t("backfill.ended"), one.ended && html`<${When} at=${one.ended} />`], [t("run.actor"), one.actor], [t("agents.reason"), one.reason]]} />
    <${Runs} job=${job} one=${one} />
    <${Copy} text=${cliOf("backfills", job)}>CLI</${Copy}>`;
}
