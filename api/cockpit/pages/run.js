// One run: what it is and waits for, its graph and when each attempt ran, and what its tasks wrote.

import { Act, at, between, command, Copy, Facts, go, html, Loading, Said, span, Status, t, useMemo, useNow, useQuery, useRead, When, word } from "../house.js";
import { answers, Approval } from "../parts/approvals.js";
import { limitsOf, UnmetOfRun } from "../parts/expectations.js";
import { completing, Completion } from "../parts/completions.js";
import { boxesOf, TaskGraph } from "../parts/graph.js";
import { jobAt, nameOf, pathOf, cliOf, runAt, whyAt } from "../parts/jobs.js";
import { Output } from "../parts/output.js";
import { rerun } from "../parts/rerun.js";
import { FAILED, firstOf, groupsOf, roundOf, spansOf } from "../parts/run_tasks.js";
import { named } from "../parts/run_rows.js";
import { Members } from "../parts/task_members.js";
import { Timeline } from "../parts/timeline.js";
import { ToldOf } from "../parts/told_of.js";
import { AskWhy, Chain, Tree } from "../parts/why.js";

const ATTEMPTS_SHOWN = 200, TASKS_SHOWN = 20, AGENT_EVENTS = ["agent_connected", "agent_disconnected"];

const cancelRun = (run) => ({
  text: t("run.cancel"), title: t("run.cancelIt", { run: run.id }), capability: "run", namespace: run.namespace, method: "POST", path: `/v1/runs/${run.id}/cancel`, danger: true,
  says: t("run.cancelSays"), did: t("run.cancelDid", { run: run.id }), cli: command("run", "cancel", String(run.id)),
});
const resolveRun = (run) => ({
  text: t("run.resolve"), title: t("run.resolveIt", { run: run.id }), capability: "operate", namespace: run.namespace, method: "POST", path: `/v1/runs/${run.id}/resolve`, danger: true,
  says: t("run.resolveSays"), did: t("run.resolveDid", { run: run.id }), cli: command("run", "resolve", String(run.id), "--yes"),
});
// Hands on a live run: each says what undoes it.
const hand = (run, name, undo) => ({
  text: t(`run.${name}`), title: t(`run.${name}It`, { run: run.id }), capability: "operate", namespace: run.namespace, method: "POST", path: `/v1/runs/${run.id}/${name}`, dry: true,
  says: t(`run.${name}Says`), did: t(`run.${name}Did`, { run: run.id }), cli: command("run", name, String(run.id)), undo: undo && (() => hand(run, undo)),
});
const handsOn = (run) => run.state === "suspended" ? [hand(run, "resume", "suspend")] : run.state === "held" ? [hand(run, "release")]
  : [...(run.waiting ? [hand(run, "release")] : []), ...(run.stopping ? [] : [hand(run, "suspend", "resume")])];
const onTask = (run, task, name, member = "") => ({
  text: t(`task.${name}`), title: t(`task.${name}It`, { task: member ? `${task} (${member})` : task }), capability: "operate", namespace: run.namespace, method: "POST", dry: true,
  path: `/v1/runs/${run.id}/tasks/${encodeURIComponent(task)}/${name}${member ? `?member=${encodeURIComponent(member)}` : ""}`,
  says: t(`task.${name}Says`), did: t(`task.${name}Did`, { task }), cli: command("run", name, String(run.id), task, ...(member ? ["--member", member] : [])), danger: name === "stop",
});
function handsOnTask(run, name) {
  const task = run.tasks[name], last = task?.attempts.at(-1)?.state;
  if (!task || run.finished || run.stopping) return [];
  const names = { blocked: ["hold", "skip"], queued: ["hold", "skip"], retry_wait: ["retry", "hold", "skip", "stop"], held: [...(task.hold?.failed ? ["retry"] : []), "release", "skip"],
    active: last === "assigned" ? ["hold", "skip", "stop"] : last === "cancelling" ? [] : ["stop"] }[task.state] || [];
  const asks = task.state === "active" && task.approval ? answers(run, name, task.round) : [];
  if (last === "awaiting" && !task.members) asks.push(completing(run, name));
  return [...asks, ...names.map((hand) => onTask(run, name, hand))];
}
const runAgain = (run) => ({
  text: t("run.again"), title: t("run.againIt", { name: nameOf(named(run)) }), capability: "run", method: "POST", path: pathOf(named(run), "runs"), dry: true,
  body: { params: run.params }, says: t("run.againSays", { name: nameOf(named(run)), run: run.id }), did: t("job.runDid", { name: nameOf(named(run)) }),
  cli: cliOf("run", named(run), ...Object.entries(run.params).flatMap(([name, value]) => ["--param", `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`])),
  done: (made) => go(runAt(made.id)),
});

// Why it exists, what it waits for and what it came to; of each task that waits, by which gate and what helps.
function Why({ run }) {
  const { data, error } = useRead(`/v1/runs/${run.id}/explain`, { types: (event) => event.run === run.id, every: run.finished ? 0 : 5000 });
  if (!data) return error ? html`<${Loading} error=${error} />` : null;
  const closed = (gates) => gates.find((gate) => gate.state !== "ready");
  const tasks = data.tasks.map((one) => [one, closed(one.gates)]).filter(([, gate]) => gate?.reason), outcome = data.chain.at(-1)?.gate === "outcome" ? run.state : null;
  return html`<section aria-labelledby="waits-title"><h2 id="waits-title">${t(run.finished ? "run.why" : "run.waits")}</h2><div class="card why">
    <${Chain} told=${data} gates=${[...data.gates, ...data.tasks.flatMap((one) => one.gates)]} outcome=${outcome} job=${named(run)} run=${run.id} />
    ${tasks.length > 1 ? html`<ul class="waiting-tasks">${tasks.slice(0, TASKS_SHOWN).map(([one, gate]) => html`<li key=${`${one.task} ${one.member}`}><${Status} state=${gate.state} title=${gate.gate}>${word("gate", gate.gate)}</${Status}> <p><span class="who">${one.task}${one.member ? ` (${one.member})` : ""}</span> <${Said}>${gate.reason}</${Said}>${gate.opens_at ? html` <span class="note"><${When} at=${gate.opens_at} /></span>` : null}</p>
      ${one.help ? html`<${Copy} text=${one.help}>CLI</${Copy}>` : null}</li>`)}</ul>` : null}</div></section>
    ${data.condition ? html`<section aria-labelledby="condition-title"><h2 id="condition-title">${t("run.madeBy")}</h2><div class="card"><${Tree} parts=${data.condition.parts} /></div></section>` : null}
    ${data.whens.length ? html`<section aria-labelledby="conditions-title"><h2 id="conditions-title">${t("run.conditions")}</h2><ul class="card conditions">${data.whens.map((when) => html`<li key=${when.task}><span class="who">${when.task}</span> <${Status} state=${when.state} /><${Tree} parts=${when.parts} /></li>`)}</ul></section>` : null}
    <${ToldOf} told=${data.told} />`;
}

// What a task is that has no output of its own, and where to look for it.
function Elsewhere({ run, task, isGroup }) {
  const { data: begun } = useRead(task.run ? `/v1/runs/${task.run}` : null, { types: (event) => event.run === task.run });
  if (task.taken_from) return html`<p class="note">${t("rerun.takenFrom")} <a href=${`${runAt(task.taken_from)}?task=${encodeURIComponent(task.name)}`}>#${task.taken_from}</a></p>`;
  if (task.run) return html`<p>${t("run.ofChild")} <a class="who" href=${runAt(task.run)}>${t("run.title", { run: task.run })}</a> ${begun ? html`<a class="who plain" href=${jobAt(named(begun))}>${nameOf(named(begun))}</a> <${Status} state=${begun.state} /> <${Said} class="note">${begun.reason}</${Said}>` : null}</p>`;
  return html`<p class="note">${isGroup ? html`${t("run.ofGroup")} ${Object.entries(run.tasks).filter(([, one]) => one.group === task.name).map(([name]) => html`<a key=${name} href=${`${runAt(run.id)}?task=${encodeURIComponent(name)}`}>${name}</a> `)}` : task.finished ? t("output.none") : t("output.waits")} <${Said}>${task.reason}</${Said}></p>`;
}

// The output of an attempt, if any; while it goes on, what is there is asked of its agent.
function Written({ attempt, ...rest }) {
  const { data: agent } = useRead(attempt && !attempt.finished ? `/v1/agents/${encodeURIComponent(attempt.agent)}` : null, { types: AGENT_EVENTS });
  return html`<${Output} ...${rest} isBegun=${Boolean(attempt?.started)} away=${agent?.connected === false || attempt?.unreachable ? attempt.agent : null} />`;
}

// An attempt of a task, in words: of which member and round it is, where there are several.
const tryOf = (task, each) => `${each.member ? `${each.member} ` : ""}${task.group ? `${t("run.roundOf", { n: roundOf(each) })} ` : ""}${t("run.attemptOf", { n: each.number })}`;

export default function Run({ run: id }) {
  const query = useQuery();
  const { data: run, error, again } = useRead(`/v1/runs/${encodeURIComponent(id)}`, { types: (event) => String(event.run) === id, every: 5000 });
  const definition = useRead(run ? `${pathOf(named(run))}&revision=${run.revision}` : null, { every: 0 });
  const now = useNow(run && !run.finished ? 1000 : 60000);
  const boxes = useMemo(() => boxesOf(definition.data?.definition || definition.data || {}), [definition.data]);
  if (!run) return html`<h1>${t("run.title", { run: id })}</h1><${Loading} error=${error} />`;
  const all = Object.entries(run.tasks).flatMap(([task, { attempts }]) => attempts.map((attempt) => ({ task, ...attempt })));
  const tasks = Object.entries(run.tasks).map(([name, task]) => ({ name, state: task.attempts.some((each) => each.unreachable) ? "unreachable" : task.state === "active" ? "running" : task.warned ? "warned" : task.state,
    needs: boxes.get(name)?.needs || [], group: task.group, catches: boxes.get(name)?.catches, isLast: boxes.get(name)?.isLast, note: task.members ? `${task.members.succeeded}/${task.members.all}` : task.taken_from ? `#${task.taken_from}` : task.attempts.length > 1 ? `${task.attempts.length}×` : task.state === "skipped" ? task.reason : "" }));
  const task = run.tasks[query.task] ? query.task : firstOf(run);
  const tries = task ? run.tasks[task].attempts : [];
  const attempt = tries.find((each) => String(each.number) === query.attempt && (each.member || "") === (query.member || "") && String(each.round) === (query.round || "0")) || tries.at(-1);
  const toTask = (name) => `${runAt(run.id)}?task=${encodeURIComponent(name)}`;
  const toAttempt = (one) => `${toTask(one.task)}&attempt=${one.number}${one.member ? `&member=${encodeURIComponent(one.member)}` : ""}${one.round ? `&round=${one.round}` : ""}`;
  const from = Date.parse(run.due || run.created), to = run.finished ? Date.parse(run.finished) : now;
  const took = run.started ? span(run.finished ? between(run.started, run.finished) : now - Date.parse(run.started)) : null;
  const divided = task && run.tasks[task].members, toMember = (name) => `${toTask(task)}&member=${encodeURIComponent(name)}`, member = divided ? query.member || "" : attempt?.member;
  const path = task && (!divided || member) && `/v1/runs/${run.id}/logs?task=${encodeURIComponent(task)}${attempt ? `&attempt=${attempt.number}` : ""}${member ? `&member=${encodeURIComponent(member)}` : ""}${attempt && run.tasks[task].group ? `&round=${attempt.round}` : ""}`;
  const begun = Object.entries(run.tasks).filter(([, one]) => one.run), isGroup = groupsOf(run).has(task);
  const spans = Object.fromEntries(Object.entries(run.tasks).map(([name, one]) => [name, spansOf(one)]));
  const isOver = run.finished && run.started; // then what it wrote is asked for before why
  const goesOn = attempt ? !attempt.finished : !run.finished;
  return html`<div class="head"><h1>${t("run.title", { run: run.id })}</h1><${Status} state=${run.state} />${run.warned ? html` <${Status} state="warned" />` : null}
      <a class="who" href=${jobAt(named(run))}>${nameOf(named(run))}</a>
      <span class="push"></span>
      ${run.finished ? html`<${Act} action=${rerun(run, FAILED.includes(run.state))} /><${Act} action=${runAgain(run)} />` : html`${handsOn(run).map((action) => html`<${Act} key=${action.path} action=${action} />`)}<${Act} action=${cancelRun(run)} />`}
      ${all.some((each) => each.unreachable) ? html`<${Act} action=${resolveRun(run)} />` : null}</div>
    ${run.reason ? html`<p class=${`banner-of ${FAILED.includes(run.state) ? "bad" : ""}`}><${Said}>${run.reason}</${Said}></p>` : null}
    ${run.override ? html`<p class="banner-of">${t("run.countsAs")} <${Status} state=${run.override.as} /> ${run.override.by ? t("run.heldBy", { by: run.override.by }) : ""} <${When} at=${run.override.at} />: ${run.override.reason}</p>` : null}
    ${run.rest ? html`<p class="banner-of">${t("run.restEnded")} <${Status} state=${run.rest.state} /> <${When} at=${run.rest.ended} />${run.rest.reason ? `: ${run.rest.reason}` : ""}</p>` : null}
    ${run.hold ? html`<p class="banner-of"><${Status} state=${run.state} /> ${run.hold.by ? t("run.heldBy", { by: run.hold.by }) : ""} <${When} at=${run.hold.since} />${run.hold.reason ? `: ${run.hold.reason}` : ""}</p>` : null}
    <${Facts} of=${[[t("run.tickName"), run.tick && html`<a class="plain" href=${whyAt(named(run), run.tick)}><${When} at=${run.tick} /></a>`], [t("run.planDate"), run.plan_date], [t("run.cause"), word("cause", run.cause)],
      [t("rerun.of"), run.rerun && html`<a href=${runAt(run.rerun.of)}>#${run.rerun.of}</a>`], [t("rerun.by"), run.reruns.length ? run.reruns.map((other) => html`<a key=${other} href=${runAt(other)}>#${other}</a> `) : null], [t("run.trigger"), run.trigger],
      [t("run.parent"), run.parent && html`<a href=${runAt(run.parent.run) + (run.parent.task && `?task=${encodeURIComponent(run.parent.task)}`)}>${t("run.title", { run: run.parent.run })}${run.parent.task && `, ${run.parent.task}`}</a>`],
      [t("run.children"), begun.length ? begun.map(([name, one]) => html`<a key=${name} href=${runAt(one.run)}>${name}: ${t("run.title", { run: one.run })}</a> `) : null],
      [t("run.created"), html`<${When} at=${run.created} />`], [t("run.started"), run.started && html`<${When} at=${run.started} />`], [t("run.duration"), took],
      ...limitsOf(run), [t("run.exitCode"), run.exit_code], [t("run.revision"), run.revision], [t("run.actor"), run.actor],
      [t("run.params"), Object.keys(run.params).length ? html`<code>${Object.entries(run.params).map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`).join(" ")}</code>` : null]]} />
    <${UnmetOfRun} run=${run} again=${again} />
    ${isOver ? null : html`<${Why} run=${run} />`}
    ${tasks.length > 1 ? html`<section aria-labelledby="graph-title"><h2 id="graph-title">${t("run.graph")}</h2><div class="card"><${TaskGraph} tasks=${tasks} href=${toTask} current=${task} /></div></section>` : null}
    ${Object.values(spans).some((each) => each.length) ? html`<section aria-labelledby="time-title"><h2 id="time-title">${t("run.timeline")}</h2><div class="card">
      <${Timeline} rows=${tasks.map(({ name, needs }) => ({ name, attempts: spans[name], ready: Math.max(Date.parse(run.tasks[run.tasks[name].group]?.started || 0), ...needs.map((need) => Date.parse(run.tasks[need]?.finished || 0))) }))} from=${from} to=${to} now=${now} href=${toTask} />
      ${all.length ? html`<details class="table-of"><summary>${t("run.attempts", { n: all.length })}</summary>
      <div class="scroll" tabindex="0" role="region" aria-label=${t("run.attempts", { n: all.length })}><table><thead><tr>${["task", "attempt", "state", "agent", "zone", "started", "duration", "exitCode", "reason"].map((name) => html`<th scope="col" key=${name}>${t(`run.${name}`)}</th>`)}</tr></thead>
        <tbody>${all.slice(-ATTEMPTS_SHOWN).map((each) => html`<tr key=${each.id}><td><a href=${toAttempt(each)}>${each.task}${each.member ? ` (${each.member})` : ""}</a></td><td>${run.tasks[each.task].group ? `${t("run.roundOf", { n: roundOf(each) })} ` : ""}${each.number}</td>
          <td><${Status} state=${each.unreachable ? "unreachable" : each.state} /></td><td><a class="plain" href=${`${at("agents")}?q=${encodeURIComponent(each.agent)}`}>${each.agent}</a></td><td>${each.zone}</td>
          <td><${When} at=${each.started} /></td><td>${each.started && each.finished ? span(between(each.started, each.finished)) : ""}</td><td>${each.exit_code}</td><td><${Said}>${each.reason}</${Said}></td></tr>`)}</tbody></table></div></details>` : null}</div></section>` : null}
    ${divided ? html`<${Members} run=${run} task=${task} current=${member} href=${toMember} act=${(name, hand) => hand === "complete" ? completing(run, task, name) : onTask(run, task, hand, name)} />` : null}
    <section aria-labelledby="output-title"><div class="head"><h2 id="output-title">${t("run.output")}</h2>
      ${tasks.length > 1 || member ? html`<span class="who">${task}${member ? ` (${member})` : ""}</span>` : null}
      ${task ? handsOnTask(run, task).map((action) => html`<${Act} key=${action.path} action=${action} />`) : null}
      ${tries.length > 1 ? html`<nav class="tries" aria-label=${t("run.tries")}>${tries.slice(-12).map((each) => html`<a key=${each.id} href=${toAttempt({ task, ...each })} aria-current=${each === attempt ? "true" : undefined}>
        <${Status} state=${each.unreachable ? "unreachable" : each.state}>${tryOf(run.tasks[task], each)}</${Status}></a>`)}</nav>` : null}</div>
      ${task && !run.finished && !run.tasks[task].finished && (!divided || member) && (tasks.length > 1 || member) ? html`<${AskWhy} key=${`${task} ${member}`} run=${run.id} task=${task} member=${divided ? member : ""} />` : null}
      ${task && run.tasks[task].approval ? html`<${Approval} asked=${run.tasks[task].approval} />` : null}
      ${attempt?.completion ? html`<${Completion} known=${attempt.completion} ended=${attempt.finished} />` : null}
      ${task && run.tasks[task].outputs ? html`<h3>${t("run.outputs")}</h3><${Facts} of=${Object.entries(run.tasks[task].outputs).map(([name, value]) =>
        [name, html`<code>${typeof value === "string" ? value.slice(0, 2000) : JSON.stringify(value)}</code>`])} />` : null}
      ${divided && !member ? html`<p class="note">${t("run.chooseMember")}</p>` : task && ((!attempt && !divided) || run.tasks[task].taken_from) ? html`<${Elsewhere} key=${task} run=${run} task=${{ name: task, ...run.tasks[task] }} isGroup=${isGroup} />` : path ? html`<${Written} key=${path} path=${path} attempt=${attempt} isLive=${goesOn} name=${`${run.job}-${run.id}-${task}`} />` : html`<p class="note">${t("run.noOutput")}</p>`}</section>
    ${isOver ? html`<${Why} run=${run} />` : null}`;
}

