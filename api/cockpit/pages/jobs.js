// All jobs, however many: the server filters, sorts and pages, the window holds what is in view. Some or all of them are paused,
// resumed or run at once.

import { Act, Ago, api, at, Choice, command, html, number, Search, Status, schedule, setQuery, t, tn, toast, Until, useKeys, useNow, useOffers, useQuery, useState, when, word } from "../house.js";
import { usePages } from "../parts/pages_of.js";
import { LongTable } from "../parts/window.js";
import { JobState, runJob, toggleJob } from "../parts/job_actions.js";
import { jobAt, nameOf, runAt } from "../parts/jobs.js";

const EVENTS = ["job_put", "job_deleted", "job_paused", "job_resumed", "paused", "resumed", "run_created", "run_ended", "tick_decided"];
const ROW_PIXELS = 46, COLUMNS = 7;
const ENDS = ["succeeded", "failed", "timed_out", "cancelled", "lost", "expired"];
const FILTERS = ["q", "state", "last", "failing", "namespace", "labels", "criticality"];
const keyOf = (job) => JSON.stringify([job.namespace, job.name]);

function Row({ job, chosen, choose }) {
  const last = job.last_run, tick = job.last_tick, name = nameOf(job);
  return html`<tr class=${chosen ? "chosen" : ""}><td class="pick"><input type="checkbox" checked=${chosen} aria-label=${t("jobs.choose", { name })} onChange=${choose} /></td>
    <td><a class="who" href=${jobAt(job)}>${name}</a> <${JobState} job=${job} />
      ${job.criticality === "major" || job.criticality === "critical" ? html`<strong class="note">${word("criticality", job.criticality)}</strong> ` : null}
      ${job.description ? html`<span class="about" title=${job.description}>${job.description}</span>` : null}</td>
    <td class="wide"><code>${schedule(job.triggers)}</code></td>
    <td>${last ? html`<a class="plain" href=${runAt(last.id)}><${Status} state=${last.state} /></a> <span class="note"><${Ago} at=${last.finished || last.started || last.created} /></span>`
      : html`<span class="note">${t("job.never")}</span>`}</td>
    <td class="wide">${tick ? html`<${Status} state=${tick.outcome}>${tick.reason ? `${word("state", tick.outcome)}, ${tick.reason}` : word("state", tick.outcome)}</${Status}> <span class="note">${when(tick.at)}</span>` : null}</td>
    <td class="wide tick">${job.next_tick && job.state !== "paused" ? html`<${Until} at=${job.next_tick} />` : html`<span class="note">${job.state === "paused" ? word("state", "paused") : t("job.noTick")}</span>`}</td>
    <td class="acts"><${Act} action=${runJob(job)} label=${t("job.runNow", { name })} small />
      <${Act} action=${toggleJob(job)} label=${toggleJob(job).title} small /></td></tr>`;
}

// -- many at once -------------------------------------------------------------------------------

const VERBS = { run: "run", pause: "operate", resume: "operate" };
const BACK = { pause: "resume", resume: "pause" };

function told(verb, reply) {
  const refused = reply.items.filter((each) => !each.done);
  const done = reply.items.length - refused.length;
  if (refused.length) toast(t("bulk.refused", { n: number(refused.length), job: refused[0].job, why: refused[0].detail }), { look: "bad" });
  return t(`bulk.${verb}Did`, { n: number(done) }) + (reply.more ? ` ${t("bulk.again")}` : "");
}

// `which`: {jobs, namespace} or {filter}; `count`: how many that is.
function bulk(verb, which, count, done) {
  const body = { action: verb, ...(which.filter || { jobs: which.jobs, namespace: which.namespace }) };
  const loop = which.jobs && `for job in ${which.jobs.join(" ")}; do ${command("job", verb)} "$job"${which.namespace === "default" ? "" : ` --namespace ${which.namespace}`}; done`;
  return {
    text: t(`bulk.${verb}`), title: t(`bulk.${verb}Title`, { n: count }), capability: VERBS[verb], namespace: "", method: "POST", path: "/v1/bulk", body, dry: true,
    says: (trial) => t(`bulk.${verb}Says`, { n: trial ? `${number(trial.items.length)}${trial.more ? "+" : ""}` : "…" }) + (trial?.more ? ` ${t("bulk.most")}` : ""),
    cli: loop, did: (reply) => told(verb, reply), done,
    undo: BACK[verb] && ((reply) => {
      const names = reply.items.filter((each) => each.done);
      const spaces = new Set(names.map((each) => each.namespace));
      return spaces.size === 1 ? bulk(BACK[verb], { jobs: names.map((each) => each.job), namespace: [...spaces][0] }, number(names.length), done) : null;
    }),
  };
}

function Many({ chosen, filter, clear, list, whole, takeAll }) {
  const jobs = [...chosen.values()];
  const spaces = [...new Set(jobs.map((job) => job.namespace))];
  const mixed = !whole && spaces.length > 1;
  const which = whole ? { filter } : { jobs: jobs.map((job) => job.name), namespace: spaces[0] };
  const count = whole ? `${number(list.known)}${list.whole ? "" : "+"}` : number(jobs.length);
  return html`<div class="many" role="region" aria-label=${t("bulk.title")}><strong role="status">${whole ? t("bulk.allChosen", { n: count }) : tn("bulk.chosen", jobs.length)}</strong>
    ${mixed ? html`<span class="note">${t("bulk.mixed")}</span>` : Object.keys(VERBS).map((verb) => html`<${Act} key=${verb} action=${bulk(verb, which, count, clear)} small />`)}
    ${!whole && Object.keys(filter).length ? html`<button type="button" class="small" onClick=${takeAll}>${t("bulk.all")}</button>` : null}
    <button type="button" class="small quiet" onClick=${clear}>${t("bulk.none")}</button></div>`;
}

export default function Jobs() {
  useNow();
  const query = useQuery();
  const [chosen, set] = useState(new Map());
  const [whole, take] = useState(false);
  const asked = new URLSearchParams();
  const filter = {};
  for (const name of FILTERS) {
    if (!query[name]) continue;
    asked.set(name, query[name]);
    filter[name] = name === "failing" ? query[name] === "true" : query[name];
  }
  if (query.sort) asked.set("sort", query.sort);
  const list = usePages(`/v1/jobs?brief=true&${asked}`, EVENTS);
  const clear = () => { set(new Map()); take(false); };
  const choose = (job) => {
    const next = new Map(chosen);
    if (!next.delete(keyOf(job))) next.set(keyOf(job), job);
    take(false);
    set(next);
  };
  useKeys({ "/": ["keys.filter", () => document.getElementById("filter").focus()], n: ["job.new", () => document.getElementById("new-job")?.click()] });
  const some = chosen.size > 0 || whole;
  useOffers(some ? [] : Object.keys(filter).length ? Object.keys(VERBS).map((verb) => bulk(verb, { filter }, "", clear)) : [], [query.q, query.state, query.last, some]);
  const head = html`<tr><th scope="col" class="pick"><span class="unseen">${t("jobs.chosen")}</span></th><th scope="col">${t("job.job")}</th><th scope="col" class="wide w-l">${t("job.schedule")}</th><th scope="col" class="w-l">${t("job.lastRun")}</th>
    <th scope="col" class="wide w-xl">${t("job.lastTick")}</th><th scope="col" class="wide w-m">${t("job.nextTick")}</th><th scope="col" class="w-acts"><span class="unseen">${t("job.actions")}</span></th></tr>`;
  const empty = html`<p class="more">${asked.size ? t("jobs.noMatch") : t("jobs.none")} ${api.may("edit") ? html`<a href=${at("jobs", "new")}>${t("job.new")}</a>` : null}</p>`;
  const shown = !query.last && query.failing !== "true" ? "" : query.failing === "true" ? "failing" : query.last;
  return html`<div class="head"><h1>${t("jobs.title")}</h1>
      <span class="note" role="status">${list.loading || list.error ? "" : list.whole ? tn("jobs.count", list.known) : tn("jobs.countMore", list.known)}</span>
      <${Search} label=${t("jobs.search")} />
      <${Choice} name="state" label=${t("jobs.state")} options=${[["", t("jobs.allStates")], ...["active", "paused", "disabled", "unplaceable"].map((state) => [state, word("state", state)])]} />
      <label class="filter"><span class="unseen">${t("jobs.ended")}</span><select value=${shown} onChange=${({ target: { value } }) =>
        setQuery({ failing: value === "failing" ? "true" : "", last: value === "failing" ? "" : value }, { push: true })}>
        <option value="">${t("jobs.anyEnd")}</option><option value="failing">${t("jobs.failing")}</option>${ENDS.map((end) => html`<option key=${end} value=${end}>${t("jobs.endedAs", { end: word("state", end) })}</option>`)}</select></label>
      <${Choice} name="criticality" label=${t("jobs.criticality")} options=${[["", t("jobs.anyCriticality")], ...["critical", "critical,major", "normal", "minor"].map((each) => [each, each.split(",").map((one) => word("criticality", one)).join(", ")])]} />
      <${Choice} name="sort" label=${t("jobs.sort")} options=${["", "next", "failing"].map((sort) => [sort, t(`sort.${sort || "name"}`)])} />
      ${api.may("edit") ? html`<a class="button primary" id="new-job" href=${at("jobs", "new")}>${t("job.new")}</a>` : null}</div>
    ${some ? html`<${Many} chosen=${chosen} filter=${filter} clear=${clear} list=${list} whole=${whole} takeAll=${() => take(true)} />` : null}
    <${LongTable} list=${list} head=${head} height=${ROW_PIXELS} label=${t("jobs.title")} columns=${COLUMNS} empty=${empty}
      row=${(job) => html`<${Row} key=${keyOf(job)} job=${job} chosen=${whole || chosen.has(keyOf(job))} choose=${() => choose(job)} />`} />`;
}
