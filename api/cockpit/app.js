// The cockpit: one page, one event stream. Events say what has changed, reads say what it is now.

import * as api from "./api.js";
import { $, h } from "./dom.js";
import * as pulse from "./pulse.js";
import * as view from "./view.js";

const JOBS = 200, RUNS = 25, SOON_MS = 400, OFTEN_MS = 2000, SELDOM_MS = 10000;
const TYPES = ["job_put", "job_deleted", "job_paused", "job_resumed", "paused", "resumed", "overload_began", "overload_ended", "tick_decided", "run_created", "run_started", "run_ended",
  "agent_connected", "agent_disconnected", "attempt_ended", "attempt_unreachable", "led", "node_lost"];
const known = { cluster: null, agents: [], jobs: { items: [], next_cursor: null }, runs: { items: [] } };
let stream = null, timers = [], soon = null, openRun = null;
const query = new URLSearchParams(location.search);

// -- session ------------------------------------------------------------------------------------

async function start() {
  theme();
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token) history.replaceState(null, "", location.pathname + location.search); // never left in the address
  try {
    if (token) await api.begin(token); else await api.current();
  } catch (error) {
    return error instanceof api.ApiError && error.status === 401 ? signIn(token ? "The token is not known here." : "") : away(error);
  }
  return open();
}

function signIn(why) {
  stop();
  $("login").hidden = false;
  $("overview").hidden = true;
  $("leave").hidden = true;
  $("login-error").textContent = why;
  $("token").focus();
}

$("login-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await api.begin($("token").value);
    $("token").value = "";
    open();
  } catch (error) {
    $("login-error").textContent = error.message;
  }
});

$("leave").addEventListener("click", async () => {
  await api.end().catch(() => {});
  signIn("");
});

function open() {
  $("login").hidden = true;
  $("overview").hidden = false;
  $("leave").hidden = false;
  $("leave").title = `${api.session.name}, ${api.session.role}`;
  refresh();
  listen();
  timers = [setInterval(tick, 1000), setInterval(() => refresh("cluster"), OFTEN_MS), setInterval(refresh, SELDOM_MS)];
}

function stop() {
  timers.forEach(clearInterval);
  stream?.close();
  stream = null;
  $("live").textContent = "";
}

// -- what is new --------------------------------------------------------------------------------

function listen() {
  stream = new EventSource(`/v1/events?types=${TYPES.join(",")}`);
  stream.onopen = () => live(true);
  stream.onerror = () => live(false);
  stream.addEventListener("reset", () => refresh());
  for (const type of TYPES) stream.addEventListener(type, (message) => {
    if (type === "tick_decided") pulse.count(JSON.parse(message.data));
    soon ??= setTimeout(() => { soon = null; refresh(); }, SOON_MS);
  });
}

function live(on) {
  $("live").textContent = on ? "Live" : "Reconnecting";
  $("live").className = on ? "live on" : "live";
}

let busy = false;
async function refresh(only) {
  if (busy || document.hidden) return;
  busy = true;
  try {
    known.cluster = await api.read("/v1/cluster");
    if (only !== "cluster") {
      const filters = new URLSearchParams({ limit: JOBS });
      for (const name of ["q", "state"]) if (query.get(name)) filters.set(name, query.get(name));
      const [agents, jobs, runs] = await Promise.all([
        api.read("/v1/agents"), api.read(`/v1/jobs?${filters}`), api.read(`/v1/runs?limit=${RUNS}`)]);
      Object.assign(known, { agents: agents.items, jobs, runs });
    }
    $("banner").hidden = true;
    draw();
  } catch (error) {
    if (error instanceof api.ApiError && error.status === 401) signIn("The session is over.");
    else away(error);
  } finally {
    busy = false;
  }
}

function draw() {
  view.health(known.cluster);
  view.zones(known.cluster, known.agents);
  view.figures(known.agents, known.jobs, known.runs);
  view.jobs(known.jobs, acts);
  view.runs(known.runs, acts);
}

function tick() {
  view.moments();
  if (known.cluster) view.figures(known.agents, known.jobs, known.runs);
}

// -- what people do -----------------------------------------------------------------------------

const at = (job, what) => `/v1/jobs/${encodeURIComponent(job.name)}/${what}?namespace=${encodeURIComponent(job.namespace)}`;

const acts = {
  run: (job) => attempt(async () => { const made = await api.write(at(job, "runs"), {}); await refresh(); acts.open(made.id); }),
  pause: (job) => attempt(async () => { await api.write(at(job, job.state === "paused" ? "resume" : "pause")); await refresh(); }),
  open: (id) => attempt(async () => {
    openRun = id;
    $("run-log").textContent = "";
    await showRun(id);
    if (!$("run").open) $("run").showModal();
  }),
};

async function showRun(id) {
  const run = await api.read(`/v1/runs/${id}`);
  view.runFacts(run);
  const tasks = Object.keys(run.tasks);
  const parts = await Promise.all(tasks.slice(0, 10).map(async (task) => {
    const text = await api.text(`/v1/runs/${id}/logs?consistency=stale&task=${encodeURIComponent(task)}`).catch((error) => error.message);
    return tasks.length > 1 ? `== ${task}\n${text}` : text;
  }));
  if (openRun !== id) return;
  const log = $("run-log");
  const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
  log.textContent = parts.join("\n") || "No output.";
  if (atEnd) log.scrollTop = log.scrollHeight;
  if (!run.finished && $("run-log").isConnected) setTimeout(() => openRun === id && showRun(id).catch(() => {}), 1000);
}

$("run-close").addEventListener("click", () => $("run").close());
$("run").addEventListener("close", () => { openRun = null; });

async function attempt(work) {
  try {
    await work();
  } catch (error) {
    say(error.problem?.hint ? `${error.message} ${error.problem.hint}` : error.message);
  }
}

function say(text) {
  $("banner").textContent = text;
  $("banner").hidden = false;
}

function away(error) {
  const others = (known.cluster?.peers || []).filter((peer) => /^https?:/.test(peer.url || "") && peer.node !== known.cluster.node);
  $("banner").hidden = false;
  $("banner").replaceChildren(error instanceof TypeError ? "This node does not answer. " : `${error.message} `,
    ...(others.length ? ["Try ", ...others.flatMap((peer, i) => [i ? ", " : "", h("a", { href: peer.url }, peer.node)]), "."] : []));
  if (known.cluster && error instanceof TypeError) view.health(known.cluster, true);
  if (!known.cluster) setTimeout(start, OFTEN_MS);
}

// -- filters in the address, theme, keys --------------------------------------------------------

for (const [id, name] of [["filter", "q"], ["state", "state"]]) {
  $(id).value = query.get(name) || "";
  $(id).addEventListener("input", () => {
    if ($(id).value) query.set(name, $(id).value); else query.delete(name);
    const text = query.toString();
    history.replaceState(null, "", text ? `?${text}` : location.pathname);
    clearTimeout(soon);
    soon = setTimeout(() => { soon = null; refresh(); }, 150);
  });
}

document.addEventListener("keydown", (event) => {
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement?.tagName || "");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !$("run").open) {
    event.preventDefault();
    $("filter").focus();
  }
});
document.addEventListener("visibilitychange", () => { if (!document.hidden && !$("overview").hidden) refresh(); });

function theme(next) {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const chosen = next || localStorage.getItem("theme") || (dark ? "dark" : "light");
  if (next) localStorage.setItem("theme", next);
  document.documentElement.dataset.theme = chosen;
  $("theme").textContent = chosen === "dark" ? "Light" : "Dark";
}
$("theme").addEventListener("click", () => theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));

start();
