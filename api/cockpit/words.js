// Values as people read them.

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

export function span(ms) {
  const total = Math.max(0, Math.abs(ms));
  if (total < 1000) return `${Math.round(total)} ms`;
  const s = total / 1000;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 90) return `${Math.round(s)} s`;
  if (s < 5400) return `${Math.round(s / 60)} min`;
  if (s < 172800) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86400)} d`;
}

export function when(text) {
  if (!text) return "";
  const at = new Date(text);
  return Math.abs(Date.now() - at) < 43200000 ? clock.format(at) : day.format(at);
}

export function until(text) {
  const ms = Date.parse(text) - Date.now();
  return ms <= 0 ? "due" : `in ${span(ms < 1000 ? 1000 : ms).replace(/\.\d/, "")}`;
}

export function ago(text) {
  const ms = Date.now() - Date.parse(text);
  return ms < 1500 ? "now" : `${span(ms).replace(/\.\d/, "")} ago`;
}

export function bytes(count) {
  if (count === null || count === undefined) return "";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = count, unit = 0;
  while (value >= 1024 && unit < units.length - 1) { value /= 1024; unit += 1; }
  return `${value < 10 && unit ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

export function schedule(triggers) {
  if (!triggers || !triggers.length) return "by hand";
  const one = (t) => t.cron ? `${t.cron}${t.tz && t.tz !== "UTC" ? ` ${t.tz}` : ""}`
    : t.every ? `every ${t.every}` : t.at ? `at ${t.at}`
    : t.startup ? `each boot of ${t.startup.pool}${t.startup.delay ? `, after ${t.startup.delay}` : ""}` : Object.keys(t)[0];
  return triggers.length === 1 ? one(triggers[0]) : `${one(triggers[0])} and ${triggers.length - 1} more`;
}
