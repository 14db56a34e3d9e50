// Texts in the reader's language, and values as people read them.

import { TEXTS } from "../texts.js";
import { store } from "./store.js";

const LANGUAGES = ["en", "de"];
const first = localStorage.getItem("language") || (navigator.language || "en").slice(0, 2);
export const language = store(LANGUAGES.includes(first) ? first : "en");
document.documentElement.lang = language.get();

export function speak(next) {
  localStorage.setItem("language", next);
  document.documentElement.lang = next;
  language.set(next);
}

// Texts of what is fetched later.
export const learn = (more) => { Object.assign(TEXTS, more); };

// The text of a key, {name} filled in; of one thing, where {n} counts some, that of key.one. A key that is missing shows as itself.
export function t(key, values = {}) {
  const one = `${key}.one`;
  const text = TEXTS[String(values.n) === "1" && TEXTS[one] ? one : key]?.[LANGUAGES.indexOf(language.get())] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}
// Of a number: with {n} as people write it.
export const tn = (key, n, values = {}) => t(key, { n: number(n), ...values });
// A word that the API says, such as a state: ours where we have one, else as it is, readable.
export const word = (kind, name) => TEXTS[`${kind}.${name}`] ? t(`${kind}.${name}`) : String(name ?? "").replaceAll("_", " ");
// Whether there is a text of ours for it.
export const isKnown = (kind, name) => Boolean(TEXTS[`${kind}.${name}`]);

const made = new Map();
function format(kind, options, make) {
  const key = `${language.get()} ${kind}`;
  if (!made.has(key)) made.set(key, make(language.get(), options));
  return made.get(key);
}
const dates = (kind, options) => format(kind, options, (lang, o) => new Intl.DateTimeFormat(lang, { hourCycle: "h23", ...o }));
const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit" };
const DAY = { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" };
const WHOLE = { weekday: "short", year: "numeric", month: "short", day: "numeric", ...CLOCK, timeZoneName: "short" };

export const number = (n) => format("number", {}, (lang) => new Intl.NumberFormat(lang)).format(n);
export const clock = (text) => dates("clock", CLOCK).format(new Date(text));
export const whole = (text) => text ? dates("whole", WHOLE).format(new Date(text)) : "";
const NEAR_MS = 43_200_000, FAR_MS = 180 * 86_400_000; // a day is said where the time alone would be another's, a year where the day would
const year = (at) => Math.abs(Date.now() - at) < FAR_MS ? {} : { year: "numeric" };
const day = (kind, at, options) => dates(`${kind} ${year(at).year}`, { ...options, ...year(at) }).format(at);
export const date = (text) => text ? day("date", new Date(text), { month: "short", day: "numeric" }) : "";
export function when(text) {
  if (!text) return "";
  const at = new Date(text);
  return Math.abs(Date.now() - at) < NEAR_MS ? clock(at) : day("day", at, DAY);
}

export function span(ms) {
  const total = Math.max(0, Math.abs(ms));
  if (total < 1000) return `${Math.round(total)} ms`;
  const s = total / 1000;
  if (s < 10) return `${(Math.floor(s * 10) / 10).toLocaleString(language.get())} s`;
  if (s < 90) return `${Math.round(s)} s`;
  if (s < 5400) return `${Math.round(s / 60)} min`;
  if (s < 172800) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86400)} ${t("unit.days")}`;
}
// By how much a clock is off.
export const clockOff = (ms) => t(ms > 0 ? "node.ahead" : "node.late", { span: span(ms) });
const coarse = (ms) => ms < 1000 ? span(1000) : ms < 10000 ? `${Math.round(ms / 1000)} s` : ms >= 60000 && ms < 90000 ? "1 min" : span(ms);
export function until(text) {
  const ms = Date.parse(text) - Date.now();
  return ms <= 0 ? t("when.due") : t("when.in", { span: coarse(ms) });
}
export function ago(text) {
  const ms = Date.now() - Date.parse(text);
  return ms < 1500 ? t("when.now") : t("when.ago", { span: coarse(ms) });
}
export const between = (from, to) => Date.parse(to) - Date.parse(from);

export function bytes(count) {
  if (count === null || count === undefined) return "";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = count, unit = 0;
  while (value >= 1024 && unit < units.length - 1) { value /= 1024; unit += 1; }
  return `${value < 10 && unit ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

export function schedule(triggers) {
  if (!triggers || !triggers.length) return t("schedule.hand");
  const one = (trigger) => trigger.cron ? `${trigger.cron}${trigger.tz && trigger.tz !== "UTC" ? ` ${trigger.tz}` : ""}`
    : trigger.every?.delay ? t("schedule.delay", { span: trigger.every.delay })
    : trigger.every ? t("schedule.every", { span: trigger.every })
    : trigger.at ? t("schedule.at", { at: whole(trigger.at) })
    : trigger.after ? t("schedule.after", { condition: trigger.after })
    : trigger.schedule ? t("schedule.named", { name: trigger.schedule })
    : trigger.startup ? t("schedule.startup", { pool: trigger.startup.pool })
    : trigger.notice ? t("schedule.notice", { board: trigger.notice.key ? `${trigger.notice.board} (${trigger.notice.key})` : trigger.notice.board })
    : trigger.file ? t("schedule.file", { what: `${trigger.file.dir}/${trigger.file.match}` })
    : trigger.all_of ? t("schedule.all_of", { first: one(trigger.all_of.of[0]), n: trigger.all_of.of.length - 1 })
    : trigger.at_least ? trigger.at_least
    : trigger.webhook ? t("schedule.webhook", { hook: trigger.webhook })
    : Object.keys(trigger)[0];
  return triggers.length === 1 ? one(triggers[0]) : t("schedule.more", { first: one(triggers[0]), n: triggers.length - 1 });
}
