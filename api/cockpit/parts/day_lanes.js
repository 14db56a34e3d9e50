// A plan date as lanes by hour, a job each: solid is what was, an outline what is to come as long as it usually takes, hatched more than is
// told. Beside each lane that of another date may stand. The table below says the same in words.

import { html } from "./html.js";
import { jobAt, runAt, whyAt } from "./jobs.js";
import { Lanes } from "./lanes.js";
import { lookOf, Status } from "./status.js";
import { clock, t, word } from "./words.js";

const LANES = 40, HOURS = 12;
export const ms = (text) => text ? Date.parse(text) : null;
const FORECASTS = { runs: "pending", waits: "held" };
// How a line of the plan stands, in one word: of its run, what became of it, or what is to be expected.
export const stateOf = (line) => line.changed?.act === "held" && line.outcome === "pending" && !line.run ? "held" : line.state || (line.outcome !== "pending" ? line.outcome : FORECASTS[line.forecast] || line.forecast?.split("(")[0] || "pending");

function barOf(line, shift, until) {
  const due = ms(line.changed?.to) ?? ms(line.due) ?? ms(line.at);
  const from = line.more ? ms(line.at) : ms(line.started) ?? ms(line.expected?.start) ?? due, to = line.more ? until : ms(line.finished) ?? ms(line.expected?.end) ?? from;
  const job = { namespace: line.namespace, name: line.job }, state = stateOf(line), isComing = line.outcome === "pending" && !line.run;
  const title = [line.job, clock(line.at).slice(0, 5), line.more ? t("plan.moreBar") : word("state", state), line.changed?.act === "moved" ? t("plan.movedTo", { at: clock(due).slice(0, 5) }) : null, line.more ? null : line.said || line.reason].filter(Boolean).join(", ");
  return { key: `${line.trigger} ${line.at} ${line.more}`, from: from + shift, to: Math.max(from, to) + shift, look: line.more ? "hatched" : `${lookOf(state)}${isComing ? " ahead" : ""}`, quiet: true, title, href: line.run ? runAt(line.run) : whyAt(job, line.at) };
}

const byJob = (one, shift) => {
  const jobs = new Map();
  for (const line of one.items.filter((each) => each.at)) jobs.set(line.job, [...(jobs.get(line.job) || []), barOf(line, shift, ms(one.until))]);
  return jobs;
};

export function DayLanes({ one, other, now }) {
  const here = byJob(one, 0), there = other ? byJob(other, ms(one.from) - ms(other.from)) : new Map();
  const names = [...new Set([...here.keys(), ...there.keys()])].sort((a, b) => (here.get(a)?.[0].from ?? Infinity) - (here.get(b)?.[0].from ?? Infinity) || a.localeCompare(b));
  if (!names.length) return null;
  const lanes = names.slice(0, LANES).flatMap((name) => [{ key: name, name, href: jobAt({ namespace: one.namespace, name }), bars: here.get(name) || [] }, ...(other ? [{ key: `${name} ${other.date}`, name: other.date, kind: "beside", bars: there.get(name) || [] }] : [])]);
  return html`<section class=${`card day-lanes ${one.closed ? "shut" : ""}`} aria-label=${t("plan.day")}><${Lanes} from=${ms(one.from)} to=${ms(one.until)} now=${now} most=${HOURS} lanes=${lanes} label=${t("plan.day")} />
    <p class="legend"><${Status} state="succeeded" /><${Status} state="failed" /><${Status} state="skipped" /><span class="note"><i class="span-sample ahead" aria-hidden="true"></i> ${t("plan.ahead")}</span><span class="note"><i class="span-sample hatched" aria-hidden="true"></i> ${t("plan.moreBar")}</span>${names.length > LANES ? html`<span class="note">${t("times.more", { n: names.length - LANES })}</span>` : null}</p></section>`;
}
