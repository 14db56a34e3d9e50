// One run: what it is, its attempts, and what its tasks wrote.

import { Facts, html, Loading, span, between, Status, t, useEffect, useRead, useState, When, word, api } from "../house.js";
import { jobAt, nameOf } from "../parts/jobs.js";
import { named } from "../parts/run_rows.js";

const TASKS_SHOWN = 10, AGAIN_MS = 1000;

function Output({ run }) {
  const [parts, set] = useState([]);
  const tasks = Object.keys(run.tasks).slice(0, TASKS_SHOWN);
  useEffect(() => {
    let done = false, timer = null;
    const look = async () => {
      const found = await Promise.all(tasks.map((task) => api.text(`/v1/runs/${run.id}/logs?task=${encodeURIComponent(task)}`).catch((error) => error.message)));
      if (done) return;
      set(found);
      if (!run.finished) timer = setTimeout(look, AGAIN_MS);
    };
    look();
    return () => { done = true; clearTimeout(timer); };
  }, [run.id, run.finished]);
  return html`<h2>${t("run.output")}</h2>${tasks.map((task, i) => html`<section key=${task}>${tasks.length > 1 ? html`<h3>${task}</h3>` : null}
    <pre tabindex="0" aria-label=${t("run.outputOf", { task })}>${parts[i] || t("run.noOutput")}</pre></section>`)}`;
}

function Run({ run: id }) {
  const { data: run, error } = useRead(`/v1/runs/${encodeURIComponent(id)}`, {
    types: (event) => String(event.run) === id, every: 5000 });
  if (!run) return html`<h1>${t("run.title", { run: id })}</h1><${Loading} error=${error} />`;
  const attempts = Object.entries(run.tasks).flatMap(([task, { attempts: all }]) => all.map((attempt) => ({ task, ...attempt })));
  const took = run.started && run.finished ? span(between(run.started, run.finished)) : null;
  return html`<div class="head"><h1>${t("run.title", { run: run.id })}</h1><${Status} state=${run.state} /><a href=${jobAt(named(run))}>${nameOf(named(run))}</a></div>
    <${Facts} of=${[[t("run.tickName"), run.tick && html`<${When} at=${run.tick} />`], [t("run.cause"), word("cause", run.cause)], [t("run.trigger"), run.trigger],
      [t("run.created"), html`<${When} at=${run.created} />`], [t("run.started"), run.started && html`<${When} at=${run.started} />`], [t("run.duration"), took],
      [t("run.reason"), run.reason], [t("run.revision"), run.revision], [t("run.actor"), run.actor]]} />
    <div class="frame"><table><thead><tr>${["task", "attempt", "state", "agent", "zone", "started", "exitCode", "reason"].map((name) => html`<th scope="col" key=${name}>${t(`run.${name}`)}</th>`)}</tr></thead>
      <tbody>${attempts.map((attempt) => html`<tr key=${attempt.id}><td>${attempt.task}</td><td>${attempt.number}</td><td><${Status} state=${attempt.unreachable ? "unreachable" : attempt.state} /></td>
        <td>${attempt.agent}</td><td>${attempt.zone}</td><td><${When} at=${attempt.started} /></td><td>${attempt.exit_code}</td><td>${attempt.reason}</td></tr>`)}</tbody></table>
      ${attempts.length ? null : html`<p class="more">${t("run.noAttempt")}</p>`}</div>
    <${Output} run=${run} />`;
}

export default { path: "/cockpit/runs/:run", title: "run.page", view: Run };
