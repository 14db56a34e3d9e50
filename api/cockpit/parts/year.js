// A year of a calendar: each day with what it is, and the days off in words below.

import { Fragment, html } from "./html.js";
import { Loading } from "./parts.js";
import { useRead } from "./reads.js";
import { setQuery, useQuery } from "./router.js";
import { pathOf } from "./objects.js";
import { language, number, t, tn } from "./words.js";

const MONDAY = Date.UTC(2024, 0, 1), DAY_MS = 86400000;
const format = (options, at) => new Intl.DateTimeFormat(language.get(), { timeZone: "UTC", ...options }).format(at);
const kindOf = (day) => day.why === "extra_working" ? "extra" : day.why || "work";
const said = (day) => `${format({ weekday: "long", day: "numeric", month: "long" }, Date.parse(day.day))}: ${t(`day.${kindOf(day)}`)}${day.known ? "" : `, ${t("day.unknown")}`}`;

function Month({ days }) {
  const first = new Date(days[0].day);
  const before = (first.getUTCDay() + 6) % 7;
  const cells = [...Array(before).fill(null), ...days];
  const weeks = Array.from({ length: Math.ceil(cells.length / 7) }, (_, i) => cells.slice(i * 7, i * 7 + 7));
  return html`<table class="month"><caption>${format({ month: "long" }, first)}</caption>
    <thead><tr>${Array.from({ length: 7 }, (_, i) => html`<th scope="col" key=${i}><abbr title=${format({ weekday: "long" }, MONDAY + i * DAY_MS)}>${format({ weekday: "narrow" }, MONDAY + i * DAY_MS)}</abbr></th>`)}</tr></thead>
    <tbody>${weeks.map((week, i) => html`<tr key=${i}>${Array.from({ length: 7 }, (_, place) => week[place] ? html`<td key=${place} class=${`${kindOf(week[place])}${week[place].known ? "" : " unknown"}`} title=${said(week[place])}>${Number(week[place].day.slice(8))}</td>` : html`<td key=${place}></td>`)}</tr>`)}</tbody></table>`;
}

export function Year({ calendar }) {
  const now = new Date().getFullYear();
  const year = Math.min(9998, Math.max(2, Number(useQuery().year) || now));
  const text = String(year).padStart(4, "0");
  const { data, error } = useRead(`${pathOf(calendar, "days")}&from=${text}-01-01&to=${text}-12-31`, { types: (event) => event.type === "object_put" && event.name === calendar.name, every: 0 });
  const days = data?.items || [];
  const months = Array.from({ length: 12 }, (_, i) => days.filter((day) => Number(day.day.slice(5, 7)) === i + 1)).filter((each) => each.length);
  const off = days.filter((day) => day.why === "off"), extra = days.filter((day) => day.why === "extra_working");
  const go = (to) => setQuery({ year: to === now ? "" : String(to) }, { push: true });
  const list = (title, some) => some.length ? html`<dt>${title}</dt><dd>${some.map((day) => format({ weekday: "short", day: "numeric", month: "short" }, Date.parse(day.day))).join(" · ")}</dd>` : null;
  return html`<section aria-labelledby="year-title"><div class="head"><h2 id="year-title">${t("year.title", { year })}</h2>
      <span class="choices"><button type="button" onClick=${() => go(year - 1)} aria-label=${t("year.show", { year: year - 1 })}>‹ ${year - 1}</button><button type="button" disabled=${year === now} onClick=${() => go(now)}>${t("year.now")}</button><button type="button" onClick=${() => go(year + 1)} aria-label=${t("year.show", { year: year + 1 })}>${year + 1} ›</button></span>
      ${days.length ? html`<span class="note" role="status">${tn("year.working", days.filter((day) => day.working).length)}${days.some((day) => !day.known) ? `, ${t("year.unknown")}` : ""}</span>` : null}</div>
    ${!data ? html`<${Loading} error=${error} />` : html`<${Fragment}><div class="year card">${months.map((each, i) => html`<${Month} key=${i} days=${each} />`)}</div>
      <p class="legend note">${["off", "weekend", "extra"].map((kind) => html`<span key=${kind}><i class=${`day ${kind}`} aria-hidden="true"></i> ${t(`day.${kind}`)}</span>`)}</p>
      ${off.length || extra.length ? html`<dl class="days">${list(t("year.off", { n: number(off.length) }), off)}${list(t("year.extra", { n: number(extra.length) }), extra)}</dl>` : null}</${Fragment}>`}</section>`;
}
