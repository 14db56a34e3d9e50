// One instant of a job, past or to come: what became of it or will, gate by gate, and what a person may say of it while it is to come.

import { Act, Copy, Facts, html, Loading, Said, setQuery, Status, t, useKeys, useNow, useOffers, useQuery, useRead, whole } from "../house.js";
import { cliOf, jobAt, nameOf, runAt, whyAt } from "../parts/jobs.js";
import { localOf, Instant } from "../parts/instants.js";
import { actsOn } from "../parts/tick_actions.js";
import { Awaits, Chain, whyPath } from "../parts/why.js";

const mine = (job) => (event) => event.name === job.name && event.namespace === job.namespace;

function Tick({ job, tick, again }) {
  const acts = tick.outcome === "pending" && !tick.run ? actsOn({ ...tick, job: job.name, namespace: job.namespace }, again, { isHeld: tick.gates.some((gate) => gate.gate === "person" && gate.state !== "ready") }) : [];
  useOffers(acts, [tick.at, tick.outcome]);
  return html`<section aria-label=${tick.trigger}><div class="head"><h2>${whole(tick.at)}</h2><${Status} state=${tick.outcome}>${tick.reason ? `${tick.outcome} (${tick.reason})` : undefined}</${Status}>
      <span class="note">${tick.trigger}</span><span class="push"></span>${acts.map((action) => html`<${Act} key=${action.text} action=${action} />`)}</div>
    <${Facts} of=${[[t("why.said"), html`<${Said}>${tick.said}</${Said}>`], [t("why.due"), tick.due !== tick.at ? whole(tick.due) : null], [t("run.page"), tick.run ? html`<a href=${runAt(tick.run)}>#${tick.run}</a>` : null],
      [t("why.into"), tick.into && html`<a href=${whyAt(job, tick.into)}>${whole(tick.into)}</a>`], [t("why.decided"), tick.decided_at && whole(tick.decided_at)]]} />
    <div class="card why below"><${Chain} told=${tick} outcome=${tick.outcome} job=${job} /></div></section>`;
}

export default function Why({ namespace, name }) {
  const job = { namespace, name }, { at } = useQuery();
  const { data, error, again } = useRead(whyPath(job, at), { types: mine(job), every: 5000 });
  useNow();
  useKeys({ "/": ["why.another", () => document.getElementById("instant").focus()] });
  const near = (text, instant) => instant ? html`<a class="button" href=${whyAt(job, instant)}>${t(text)}: ${whole(instant)}</a>` : null;
  return html`<div class="title"><p class="note"><a href=${jobAt(job)}>${nameOf(job)}</a></p><div class="head"><h1>${at ? t("why.title") : t("why.next")}</h1><span class="push"></span>
      <${Instant} key=${at} id="instant" label=${t("why.another")} value=${localOf(at || new Date().toISOString())} set=${(instant) => setQuery({ at: instant }, { push: true })} />
      ${at ? html`<button type="button" onClick=${() => setQuery({ at: "" }, { push: true })}>${t("why.now")}</button>` : null}</div></div>
    ${!data ? html`<${Loading} error=${error} />` : data.ticks.length ? data.ticks.map((tick) => html`<${Tick} key=${`${tick.trigger} ${tick.at}`} job=${job} tick=${tick} again=${again} />`)
      : html`<section aria-label=${t("why.none")}><p class="banner-of"><${Said}>${data.said}</${Said}></p>${data.before || data.after ? html`<p class="links below">${near("why.before", data.before)} ${near("why.after", data.after)}</p>` : null}
        <div class="card why below"><${Chain} told=${data} outcome="never" job=${job} /></div></section>`}
    ${data ? html`<${Awaits} told=${data} />` : null}
    <${Copy} text=${cliOf("explain", job, ...(at ? ["--at", at] : []))}>CLI</${Copy}>`;
}
