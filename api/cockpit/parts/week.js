// Admission windows as a picture of the week, in the zone of their own clock, with the moment that it is there now.

import { html } from "./html.js";
import { scale } from "./scale.js";
import { language, t, word } from "./words.js";

const DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"], DAY = 1440, MARKS = [0, 6, 12, 18, 24];

// "Mon-Fri", "Sat,Sun", "Fri-Mon", or nothing for each day.
function daysOf(text) {
  if (!text) return DAYS.map((_, i) => i);
  return text.split(",").flatMap((part) => {
    const [from, to = from] = part.split("-").map((name) => DAYS.findIndex((day) => day.toLowerCase() === name.trim().slice(0, 3).toLowerCase()));
    return Array.from({ length: (to - from + 7) % 7 + 1 }, (_, i) => (from + i) % 7);
  });
}

// Of each day of the week the spans of minutes that are open; what goes over midnight goes on the next day.
export function openBy(windows) {
  const open = DAYS.map(() => []);
  for (const text of windows) {
    const [, days, ...clock] = /^\s*(?:([A-Za-z][A-Za-z,\- ]*?)\s+)?(\d+):(\d\d)\s*-\s*(\d+):(\d\d)\s*$/.exec(text) || [];
    if (!clock.length) continue;
    const [from, to] = [clock[0] * 60 + Number(clock[1]), clock[2] * 60 + Number(clock[3])];
    for (const day of daysOf(days)) {
      open[day].push([from, to > from ? to : DAY]);
      if (to <= from && to > 0) open[(day + 1) % 7].push([0, to]);
    }
  }
  return open;
}

function nowIn(zone) {
  const parts = Object.fromEntries(new Intl.DateTimeFormat("en-US", { timeZone: zone, weekday: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).formatToParts(new Date()).map(({ type, value }) => [type, value]));
  return [DAYS.indexOf(parts.weekday), parts.hour * 60 + Number(parts.minute)];
}

const clockOf = (minute) => `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;
const nameOf = (day) => new Intl.DateTimeFormat(language.get(), { weekday: "short", timeZone: "UTC" }).format(new Date(Date.UTC(2024, 0, 1 + day))); // that was a Monday

export function Week({ admission }) {
  const part = scale(0, DAY), open = openBy(admission.windows), [today, minute] = nowIn(admission.tz);
  return html`<div><h3>${t("week.title")}</h3><p class="note">${admission.windows.join(", ")} · ${admission.tz} · ${word("week", `outside_${admission.outside}`)} · ${word("week", `end_${admission.at_end}`)}</p>
    <div class="lanes week" role="group" aria-label=${t("week.title")}>${open.map((spans, day) => html`<div class="lane" key=${day}><span class="name">${nameOf(day)}</span><div class="rail" role="img" aria-label=${`${nameOf(day)}: ${spans.map((span) => span.map(clockOf).join("–")).join(", ") || t("week.shut")}`}>
      ${spans.map(([from, to]) => html`<span key=${from} class="span ok" style=${{ left: part(from), right: `calc(100% - ${part(to)})` }}></span>`)}${day === today ? html`<i class="now" style=${{ left: part(minute) }}></i>` : null}</div></div>`)}
      <div class="lane axis" aria-hidden="true"><span></span><div class="rail">${MARKS.map((hour) => html`<span key=${hour} style=${{ left: part(hour * 60) }}>${hour}</span>`)}</div></div></div></div>`;
}
