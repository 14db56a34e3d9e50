// The plan of a day of one namespace: its ticks along the day and in a table, what became of them or is expected; the date closed and
// opened, and single ticks held, let go and left out.

import { Act, at, clock, Copy, command, html, Loading, lookOf, Said, Search, setQuery, Status, t, tn, useOffers, useQuery, useRead, When, whole } from "../house.js";
import { jobAt, runAt } from "../parts/jobs.js";
import { Lanes } from "../parts/lanes.js";
import { actsOn, whyOf } from "../parts/tick_actions.js";
import { whyAt } from "../parts/why.js";

const EVENTS = ["run_created", "run_started", "run_ended", "job_put", "job_deleted", "paused", "resumed", "plan_closed", "plan_dates_closed", "plan_opened", "tick_changed"];
const LINES = 500, EACH = 50, LANES = 40, DAY_MS = 86400000;
const ms = (text) => text ? Date.parse(text) : null;
const beside = (day, days) => new Date(Date.parse(`${day}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10);

// -- what is done here ---------------------------------------------------------------------------

const dateOf = (one, act) => ({ capability: "operate", namespace: one.namespace, method: "POST", path: `/v1/plan/${one.date}/${act}?namespace=${encodeURIComponent(one.namespace)}`, dry: true });
function close(one, done, undo = true) {
  const reason = whyOf();
  return { ...dateOf(one, "close"), text: t("plan.close"), title: t("plan.closeIt", one), says: t("plan.closeSays", one), body: () => ({ reason: reason.value() }), fields: () => reason.field(), done,
    did: t("plan.closeDid", one), cli: () => command("plan", "close", one.date, "--namespace", one.namespace, "--reason", reason.value()), undo: undo ? open(one, done, false) : null };
}
const open = (one, done, undo = true) => ({ ...dateOf(one, "open"), text: t("plan.open"), title: t("plan.openIt", one), says: t("plan.openSays", one), done, did: t("plan.openDid", one),
  cli: command("plan", "open", one.date, "--namespace", one.namespace), undo: undo ? close(one, done, false) : null });

// -- what is seen --------------------------------------------------------------------------------

const stateOf = (line) => line.state || (line.outcome !== "pending" ? line.outcome : line.forecast === "runs" ? "pending" : line.forecast === "waits" ? "held" : line.forecast?.split("(")[0] || "pending");

function lanesOf(items) {
  const lanes = new Map();
  for (const line of items.filter((each) => each.at && !each.more)) {
    if (!lanes.has(line.job)) lanes.set(line.job, { name: line.job, href: jobAt({ namespace: line.namespace, name: line.job }), bars: [] });
    const from = ms(line.started) ?? ms(line.expected?.start) ?? ms(line.due), to = ms(line.finished) ?? ms(line.expected?.end) ?? from;
    lanes.get(line.job).bars.push({ key: `${line.trigger} ${line.at}`, from, to: Math.max(from, to), look: lookOf(stateOf(line)), quiet: true,
      title: `${line.job} ${clock(ms(line.at)).slice(0, 5)} ${line.said || line.reason || ""}`, href: line.run ? runAt(line.run) : null });
  }
  return [...lanes.values()].slice(0, LANES);
}

const about = (instant) => instant ? html`${"≈\u00a0"}<${When} at=${instant} />` : "–";
const Row = ({ line, again }) => html`<tr><td>${line.at ? html`<a class="plain" href=${whyAt({ namespace: line.namespace, name: line.job }, line.at)}><${When} at=${line.at} /></a>` : "–"}</td><td><a class="who plain" href=${jobAt({ namespace: line.namespace, name: line.job })}>${line.job}</a> <span class="note">${line.trigger}</span></td>
  <td>${line.more ? "…" : line.at ? html`<${Status} state=${stateOf(line)} />` : html`<span class="note">${t("plan.rests")}</span>`}${line.run ? html` <a href=${runAt(line.run)}>#${line.run}</a>` : null}</td>
  <td class="wide">${line.started ? html`<${When} at=${line.started} />` : about(line.expected?.start)}</td><td class="wide">${line.finished ? html`<${When} at=${line.finished} />` : about(line.expected?.end)}</td>
  <td><${Said}>${line.said || line.reason || line.waits.join("; ")}</${Said}></td>
  <td>${line.outcome !== "pending" || line.run || line.forecast === null ? null : actsOn(line, again, { isHeld: Boolean(line.changed) && line.changed.act !== "go" }).map((action) => html`<${Act} key=${action.text} action=${action} /> `)}</td></tr>`;

function Day({ one, again }) {
  const act = one.closed ? open(one, again) : close(one, again);
  useOffers([act], [one.date, one.namespace, Boolean(one.closed)]);
  const items = [...one.items].sort((a, b) => (ms(a.at) ?? Infinity) - (ms(b.at) ?? Infinity) || a.job.localeCompare(b.job));
  const lanes = lanesOf(items);
  return html`<div class="title"><div class="head"><h2>${one.date}</h2>${one.closed ? html`<${Status} state="paused">${t("plan.closed")}</${Status}>` : null}<span class="push"></span><${Act} action=${act} /></div>
    ${one.closed ? html`<p class="banner-of">${one.closed.reason} ${one.closed.since ? html`<span class="note">${one.closed.actor} · <${When} at=${one.closed.since} /></span>` : null}</p>` : one.closes ? html`<p class="note">${t("plan.closes")} <${When} at=${one.closes} /></p>` : null}
    <p class="note">${whole(one.from)} – ${whole(one.until)} · ${tn("plan.lines", items.length)}${one.next_cursor ? ` ${t("plan.more")}` : ""}</p></div>
    ${lanes.length ? html`<section class="card"><${Lanes} from=${ms(one.from)} to=${ms(one.until)} lanes=${lanes} label=${t("plan.day")} /></section>` : null}
    ${items.length ? html`<div class="frame" tabindex="0" role="group" aria-label=${t("plan.title")}><table><thead><tr><th scope="col">${t("plan.tick")}</th><th scope="col">${t("job.job")}</th><th scope="col">${t("plan.outcome")}</th><th scope="col" class="wide">${t("plan.start")}</th><th scope="col" class="wide">${t("plan.end")}</th><th scope="col">${t("plan.why")}</th><th scope="col"><span class="unseen">${t("audit.action")}</span></th></tr></thead>
      <tbody>${items.map((line) => html`<${Row} key=${`${line.job} ${line.trigger} ${line.at}`} line=${line} again=${again} />`)}</tbody></table></div>` : html`<p class="card">${t("plan.none")}</p>`}
    <${Copy} text=${command("plan", "show", one.date, "--namespace", one.namespace)}>CLI</${Copy}>`;
}

export default function Plan() {
  const query = useQuery(), namespace = query.namespace || "default";
  const asked = new URLSearchParams({ namespace, limit: LINES, each: EACH, ...(query.date ? { date: query.date } : {}) });
  const { data, error, again } = useRead(`/v1/plan?${asked}`, { types: EVENTS });
  const to = (days) => setQuery({ date: days === null ? "" : beside(data.date, days) }, { push: true });
  return html`<div class="head"><h1>${t("plan.title")}</h1><span class="push"></span><${Search} name="namespace" label=${t("namespaces.title")} />
      ${data ? html`<div class="choices" role="group" aria-label=${t("plan.day")}><button type="button" onClick=${() => to(-1)}>${t("plan.before")}</button><button type="button" aria-pressed=${!query.date} onClick=${() => to(null)}>${t("plan.today")}</button><button type="button" onClick=${() => to(1)}>${t("plan.after")}</button></div>` : null}</div>
    <p class="note intro">${t("plan.about")} <a href=${at("namespaces", namespace)}>${namespace}</a></p>
    ${data ? html`<${Day} key=${`${data.namespace} ${data.date}`} one=${data} again=${again} />` : html`<${Loading} error=${error} />`}`;
}
