// The plan of a day of one namespace: its ticks along the day, beside another day if asked, and in a table: what became of them or is
// expected; the date closed and opened, and what a person says of one coming tick.

import { Act, api, at, Choice, clock, Copy, command, html, Loading, number, Said, Search, setQuery, span, Status, t, tn, useNow, useOffers, useQuery, useRead, When, whole, word } from "../house.js";
import { DayLanes, ms, stateOf } from "../parts/day_lanes.js";
import { jobAt, runAt, whyAt } from "../parts/jobs.js";
import { actsOn, whyOf } from "../parts/tick_actions.js";

const EVENTS = ["run_created", "run_started", "run_ended", "job_put", "job_deleted", "job_paused", "job_resumed", "paused", "resumed", "plan_closed", "plan_dates_closed", "plan_opened", "tick_changed", "object_put"];
const LINES = 600, EACH = 60, OFTEN = 6, CALENDARS = 5, DAY_MS = 86400000;
const BESIDE = ["", "-1", "-7", "7"];
const beside = (day, days) => new Date(Date.parse(`${day}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10);
const jobOf = (line) => ({ namespace: line.namespace, name: line.job });
const planPath = (more) => `/v1/plan?${new URLSearchParams({ limit: LINES, each: EACH, ...more })}`;

// -- what is done here ---------------------------------------------------------------------------

const isComing = (line) => line.outcome === "pending" && !line.run && Boolean(line.forecast);
const dateOf = (one, act) => ({ capability: "operate", namespace: one.namespace, method: "POST", path: `/v1/plan/${one.date}/${act}?namespace=${encodeURIComponent(one.namespace)}`, dry: true });
function close(one, done, undo = true) {
  const reason = whyOf(), n = one.items.filter((line) => isComing(line) && !line.forecast.startsWith("skipped")).length;
  return { ...dateOf(one, "close"), text: t("plan.close"), title: t("plan.closeIt", one), says: `${t("plan.closeSays", one)} ${n ? tn(one.next_cursor || one.items.some((line) => line.more) ? "plan.closeMany" : "plan.closeCount", n) : ""}`, body: () => ({ reason: reason.value() }), fields: () => reason.field(), done,
    did: t("plan.closeDid", one), cli: () => command("plan", "close", one.date, "--namespace", one.namespace, "--reason", reason.value()), undo: undo ? open(one, done, false) : null };
}
const open = (one, done, undo = true) => ({ ...dateOf(one, "open"), text: t("plan.open"), title: t("plan.openIt", one), says: t("plan.openSays", one), done, did: t("plan.openDid", one),
  cli: command("plan", "open", one.date, "--namespace", one.namespace), undo: undo ? close(one, done, false) : null });

const Change = ({ line, again }) => html`<details class="change"><summary>${t("plan.change")}</summary><div class="buttons">${actsOn(line, again, { isHeld: Boolean(line.changed) && line.changed.act !== "go" }).map((action) => html`<${Act} key=${action.text} action=${action} small />`)}</div></details>`;

// -- what is seen --------------------------------------------------------------------------------

// Whether it is a working day, by the calendars of the namespace.
function ByCalendar({ calendar, date }) {
  const { data } = useRead(`/v1/calendars/${encodeURIComponent(calendar.name)}/days?${new URLSearchParams({ namespace: calendar.namespace, from: date, to: date })}`, { types: ["object_put"] });
  const day = data?.items?.[0];
  return day ? html`<a class="plain by-calendar" href=${at("objects", "calendars", calendar.namespace, calendar.name)}><${Status} look=${day.working ? "ok" : "stop"}>${calendar.name}: ${day.working ? t("plan.working") : day.why || t("plan.off")}</${Status}></a>` : null;
}
function Calendars({ namespace, date }) {
  const { data } = useRead(`/v1/calendars?${new URLSearchParams({ namespace, limit: CALENDARS })}`, { types: ["object_put", "object_deleted"] });
  return (data?.items || []).map((calendar) => html`<${ByCalendar} key=${calendar.name} calendar=${calendar} date=${date} />`);
}

const about = (instant) => instant ? html`${"≈\u00a0"}<${When} at=${instant} />` : "–";
const said = (line) => [line.said || line.reason, ...line.waits].filter(Boolean).join("; ");
const Row = ({ line, again }) => html`<tr><td class="tick"><a class="plain" href=${whyAt(jobOf(line), line.at)}><time datetime=${line.at} title=${whole(line.at)}>${clock(line.at)}</time></a></td>
  <td><a class="who plain" href=${jobAt(jobOf(line))}>${line.job}</a> <span class="note">${line.trigger}</span></td>
  <td>${line.more ? "…" : html`<${Status} state=${stateOf(line)} />`}${line.run ? html` <a href=${runAt(line.run)}>#${line.run}</a>` : null}</td>
  <td class="wide">${line.started ? html`<${When} at=${line.started} />` : about(line.expected?.start)}</td><td class="wide">${line.finished ? html`<${When} at=${line.finished} />` : about(line.expected?.end)}</td>
  <td class="wide" title=${line.usual ? t("plan.usualOf", { p90: span(line.usual.p90_ms), n: line.usual.runs }) : undefined}>${line.usual ? span(line.usual.median_ms) : "–"}</td>
  <td><${Said}>${said(line)}</${Said}>${line.changed ? html` <span class="note">${said(line).includes(line.changed.reason) ? "" : line.changed.reason}${line.changed.to ? html` → <${When} at=${line.changed.to} />` : null}</span>` : null}
    ${isComing(line) && api.may("operate", line.namespace) ? html`<${Change} line=${line} again=${again} />` : null}</td></tr>`;

// A job that comes often is one row, until somebody opens it.
function Often({ lines, isOpen, again }) {
  const [first] = lines, ticks = lines.filter((line) => !line.more), next = ticks.find(isComing);
  const counts = new Map();
  for (const line of ticks) counts.set(stateOf(line), (counts.get(stateOf(line)) || 0) + 1);
  return html`<tr class=${isOpen ? "opened" : ""}><td class="tick">${next ? html`<time datetime=${next.at} title=${whole(next.at)}>${clock(next.at)}</time>` : "–"}</td>
    <td><button type="button" class="fold" aria-expanded=${isOpen} onClick=${() => setQuery({ open: isOpen ? "" : first.job })}><span aria-hidden="true">${isOpen ? "▾" : "▸"}</span> <span class="who">${first.job}</span></button> <a href=${jobAt(jobOf(first))} class="note">${t("job.job")}</a></td>
    <td colspan="5"><span class="legend flat"><span>${lines.length > ticks.length ? t("plan.ticks", { n: `${ticks.length}+` }) : tn("plan.ticks", ticks.length)}</span>${[...counts].map(([state, n]) => html`<${Status} key=${state} state=${state} title=${state}>${number(n)}\u00a0${word("state", state)}</${Status}>`)}</span></td></tr>
    ${isOpen ? lines.map((line) => html`<${Row} key=${`${line.trigger} ${line.at}`} line=${line} again=${again} />`) : null}`;
}

function Table({ items, again }) {
  const opened = useQuery().open, jobs = new Map();
  for (const line of items.filter((each) => each.at)) jobs.set(line.job, [...(jobs.get(line.job) || []), line]);
  const rows = [...jobs.values()].filter((lines) => lines.length <= OFTEN).flat().sort((a, b) => ms(a.at) - ms(b.at) || a.job.localeCompare(b.job)), often = [...jobs.values()].filter((lines) => lines.length > OFTEN);
  if (!jobs.size) return html`<p class="card">${t("plan.none")}</p>`;
  return html`<div class="frame" tabindex="0" role="group" aria-label=${t("plan.title")}><table class="day-table"><thead><tr><th scope="col">${t("plan.tick")}</th><th scope="col">${t("job.job")}</th><th scope="col">${t("plan.outcome")}</th><th scope="col" class="wide">${t("plan.start")}</th><th scope="col" class="wide">${t("plan.end")}</th><th scope="col" class="wide">${t("plan.usual")}</th><th scope="col">${t("plan.why")}</th></tr></thead>
    <tbody>${rows.map((line) => html`<${Row} key=${`${line.job} ${line.trigger} ${line.at}`} line=${line} again=${again} />`)}${often.map((lines) => html`<${Often} key=${lines[0].job} lines=${lines} isOpen=${opened === lines[0].job} again=${again} />`)}</tbody></table></div>`;
}

// What has no tick on that date: it rests, and why, or happens when something else does.
const Rest = ({ items }) => items.length ? html`<section aria-labelledby="rest-title"><h2 id="rest-title">${t("plan.rest")}</h2><ul class="card plain-list">${items.map((line) => html`<li key=${`${line.job} ${line.trigger}`}><a class="who plain" href=${jobAt(jobOf(line))}>${line.job}</a> <span class="note">${line.trigger}</span> <${Said}>${said(line)}</${Said}></li>`)}</ul></section>` : null;

const Closed = ({ one }) => html`<p class="banner-of"><${Status} state="paused">${t("plan.closed")}</${Status}> ${one.closed.reason} <span class="note">${one.closed.actor || t("plan.byItself")} · <${When} at=${one.closed.since} /></span></p>`;

function Day({ one, other, again }) {
  const act = one.closed ? open(one, again) : close(one, again);
  useOffers([act], [one.date, one.namespace, Boolean(one.closed), one.items]);
  const now = useNow(30000);
  return html`<div class="title"><div class="head"><h2>${one.date}</h2><${Calendars} namespace=${one.namespace} date=${one.date} /><span class="push"></span><${Act} action=${act} /></div>
    ${one.closed ? html`<${Closed} one=${one} />` : null}
    <p class="note">${whole(one.from)} – ${whole(one.until)}${one.closes ? html` · ${t("plan.closes")} ${whole(one.closes)}` : null}</p></div>
    <${DayLanes} one=${one} other=${other} now=${now} />
    ${other ? html`<p class="note">${t("plan.besideIs")} <strong>${other.date}</strong> <${Calendars} namespace=${one.namespace} date=${other.date} /> ${other.closed ? html`<${Status} state="paused">${t("plan.closed")}</${Status}> ${other.closed.reason}` : null}</p>` : null}
    <${Table} items=${one.items} again=${again} /><${Rest} items=${one.items.filter((line) => !line.at)} />
    ${one.next_cursor ? html`<p><button type="button" onClick=${() => setQuery({ after: one.next_cursor }, { push: true })}>${t("plan.next")}</button></p>` : null}
    <${Copy} text=${command("plan", "show", one.date, "--namespace", one.namespace)}>CLI</${Copy}>`;
}

export default function Plan() {
  const query = useQuery(), namespace = query.namespace || "default", far = BESIDE.includes(query.beside) ? Number(query.beside) : 0;
  const place = { namespace, ...(query.after ? { cursor: query.after } : {}) };
  const { data, error, again } = useRead(planPath({ ...place, ...(query.date ? { date: query.date } : {}) }), { types: EVENTS });
  const other = useRead(data && far ? planPath({ ...place, date: beside(data.date, far) }) : null, { types: EVENTS });
  const to = (date) => setQuery({ date, after: "" }, { push: true });
  return html`<div class="head"><h1>${t("plan.title")}</h1><span class="push"></span><${Search} name="namespace" label=${t("namespaces.title")} />
      ${data ? html`<label><span class="unseen">${t("plan.date")}</span><input key=${data.date} type="date" defaultValue=${data.date} onChange=${(event) => event.target.value && to(event.target.value)} /></label>
      <div class="choices" role="group" aria-label=${t("plan.day")}><button type="button" onClick=${() => to(beside(data.date, -1))}>${t("plan.before")}</button><button type="button" aria-pressed=${!query.date} onClick=${() => to("")}>${t("plan.today")}</button><button type="button" onClick=${() => to(beside(data.date, 1))}>${t("plan.after")}</button></div>` : null}
      <${Choice} name="beside" label=${t("plan.beside")} options=${BESIDE.map((days) => [days, t(`beside.${days || "none"}`)])} /></div>
    <p class="note intro">${t("plan.about")} <a href=${at("namespaces", namespace)}>${namespace}</a></p>
    ${data ? html`<${Day} key=${`${data.namespace} ${data.date}`} one=${data} other=${far ? other.data : null} again=${again} />` : html`<${Loading} error=${error} />`}`;
}
