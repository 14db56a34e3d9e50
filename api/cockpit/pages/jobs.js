// All jobs, however many: the server filters and pages, the window holds what is in view.

import { Act, Ago, Choice, html, LongTable, Search, Status, schedule, t, tn, Until, useKeys, useNow, usePages, useQuery, when, word } from "../house.js";
import { jobAt, JobState, nameOf, runAt, runJob, toggleJob } from "../parts/jobs.js";

const EVENTS = ["job_put", "job_deleted", "job_paused", "job_resumed", "paused", "resumed", "run_created", "run_ended", "tick_decided"];
const ROW_PIXELS = 46;

function Row({ job }) {
  const last = job.last_run, tick = job.last_tick, name = nameOf(job);
  return html`<tr><td><a class="who" href=${jobAt(job)}>${name}</a> <${JobState} job=${job} />
      ${job.description ? html`<span class="about" title=${job.description}>${job.description}</span>` : null}</td>
    <td class="wide"><code>${schedule(job.triggers)}</code></td>
    <td>${last ? html`<a class="plain" href=${runAt(last.id)}><${Status} state=${last.state} /></a> <span class="note"><${Ago} at=${last.finished || last.started || last.created} /></span>`
      : html`<span class="note">${t("job.never")}</span>`}</td>
    <td class="wide">${tick ? html`<${Status} state=${tick.outcome}>${tick.reason ? `${word("state", tick.outcome)}, ${tick.reason}` : word("state", tick.outcome)}</${Status}> <span class="note">${when(tick.at)}</span>` : null}</td>
    <td class="tick">${job.next_tick && job.state !== "paused" ? html`<${Until} at=${job.next_tick} />` : html`<span class="note">${job.state === "paused" ? word("state", "paused") : t("job.noTick")}</span>`}</td>
    <td class="acts"><${Act} action=${runJob(job)} label=${t("job.runNow", { name })} small />
      <${Act} action=${toggleJob(job)} label=${toggleJob(job).title} small /></td></tr>`;
}

function Jobs() {
  useNow();
  const query = useQuery();
  const filters = new URLSearchParams();
  for (const name of ["q", "state", "namespace", "labels"]) if (query[name]) filters.set(name, query[name]);
  const list = usePages(`/v1/jobs?${filters}`, EVENTS);
  useKeys({ "/": ["keys.filter", () => document.getElementById("filter").focus()] });
  const head = html`<tr><th scope="col">${t("job.job")}</th><th scope="col" class="wide w-l">${t("job.schedule")}</th><th scope="col" class="w-l">${t("job.lastRun")}</th>
    <th scope="col" class="wide w-xl">${t("job.lastTick")}</th><th scope="col" class="w-m">${t("job.nextTick")}</th><th scope="col" class="w-l"><span class="unseen">${t("job.actions")}</span></th></tr>`;
  const empty = html`<p class="more">${filters.size ? t("jobs.noMatch") : html`${t("jobs.none")} <code>cronclave job apply job.yaml</code>`}</p>`;
  return html`<div class="head"><h1>${t("jobs.title")}</h1>
      <span class="note" role="status">${list.loading ? "" : list.whole ? tn("jobs.count", list.known) : tn("jobs.countMore", list.known)}</span>
      <${Search} label=${t("jobs.search")} />
      <${Choice} name="state" label=${t("jobs.state")} options=${[["", t("jobs.allStates")], ...["active", "paused", "unplaceable"].map((state) => [state, word("state", state)])]} /></div>
    <${LongTable} list=${list} head=${head} height=${ROW_PIXELS} label=${t("jobs.title")} columns="6" empty=${empty}
      row=${(job) => html`<${Row} key=${`${job.namespace}/${job.name}`} job=${job} />`} />`;
}

export default { path: "/cockpit/jobs", title: "jobs.title", key: "j", view: Jobs, icon: "M3.5 5h13M3.5 10h13M3.5 15h13" };
