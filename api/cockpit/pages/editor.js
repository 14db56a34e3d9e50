// A job's text, edited, with the ticks that it would have and its graph.

import { api, at, go, html, Loading, Said, Status, t, tn, Until, useEffect, useState, whole, word } from "../house.js";
import { Diff } from "../parts/diff.js";
import { boxesOf, TaskGraph } from "../parts/graph.js";
import { deleteJob, putJob } from "../parts/job_actions.js";
import { jobAt, nameOf, pathOf } from "../parts/jobs.js";
import { nameIn, TextEditor } from "../parts/text_editor.js";

const FIRST = `job: my-first-job
description: Says hello every minute
triggers:
  - cron: "* * * * *"
    tz: Europe/Berlin
run: echo "hello, due $CRONCLAVE_TICK"
`;

// The boxes of what the dry run said, as those of a job are.
function drawn(graph) {
  const boxes = (of) => Object.fromEntries(graph.filter((box) => (box.kind === "group") === of).map((box) => [box.task, { kind: box.kind, needs: box.needs, tasks: [], catch: [] }]));
  const job = { tasks: boxes(false), groups: boxes(true), finally: graph.filter((box) => box.part === "finally").map((box) => box.task) };
  for (const { task, group, part } of graph) if (group) job.groups[group][part === "catch" ? "catch" : "tasks"].push(task);
  return [...boxesOf(job).values()].map(({ box, ...at }) => ({ ...at, note: box.kind === "group" ? t("graph.group") : word("work", box.kind) }));
}

const preview = (before) => function Preview({ preview, text }) {
  return html`<section aria-labelledby="would-title"><div class="head"><h2 id="would-title">${t("editor.would")}</h2><${Status} state=${preview.change === "unchanged" ? "pending" : "ok"}>${t(`change.${preview.change}`)}</${Status}></div>
    ${preview.warnings.length ? html`<ul class="mistakes">${preview.warnings.map((each) => html`<li key=${`${each.pointer} ${each.detail}`}><${Status} state="warned">${each.pointer}</${Status}><div><p><${Said}>${each.detail}</${Said}></p><p class="note"><${Said}>${each.hint}</${Said}></p></div></li>`)}</ul>` : null}
    <div class="card would"><div><h3>${t("job.next")}</h3>${preview.next_ticks.length ? html`<ol class="coming">${preview.next_ticks.slice(0, 6).map((tick) => html`<li key=${`${tick.at} ${tick.trigger}`}><time datetime=${tick.at}>${whole(tick.at)}</time> <span class="note"><${Until} at=${tick.due} /></span></li>`)}</ol>`
      : html`<p class="note">${t("editor.noNext")}</p>`}</div>
      <div><h3>${tn("graph.label", preview.graph.length)}</h3><${TaskGraph} tasks=${drawn(preview.graph)} /></div>
      ${before ? html`<div><h3>${t("editor.changes")}</h3><${Diff} before=${before} after=${text} label=${t("editor.changes")} /></div>` : null}</div></section>`;
};

function Editor({ job, first }) {
  const isNew = job === null;
  const [shown] = useState(() => preview(isNew ? null : first));
  const headers = isNew ? { "If-None-Match": "*" } : { "If-Match": `"${job.revision}"` };
  const request = (text) => ({ path: pathOf({ name: job?.name || nameIn(text, "job") || "unnamed", namespace: job?.namespace || nameIn(text, "namespace") || "default" }), headers });
  const actionOf = (found, text) => {
    const target = { name: job?.name || found.name, namespace: job?.namespace || found.namespace || "default" };
    return putJob(target, text, headers, t("editor.save"), isNew ? t(found.next_ticks.length ? "editor.saysNew" : "editor.saysNewAsked", { name: nameOf(target) }) : t("editor.saysChange", { name: nameOf(target), from: job.revision, to: job.revision + 1 }), {
      done: () => go(jobAt(target)),
      undo: (reply) => isNew ? deleteJob(reply, null, () => go(at("jobs"))) : putJob(target, first, { "If-Match": `"${reply.revision}"` }, t("job.putBack"), t("job.putBackSays", { name: nameOf(target) })) });
  };
  return html`<${TextEditor} first=${first} title=${isNew ? t("editor.new") : t("editor.edit", { name: nameOf(job) })} note=${isNew ? "" : t("job.revision", { n: job.revision })} label=${t("editor.text")}
    schema="/v1/schemas/job" fields=${t("editor.fields")} request=${request} revision=${job?.revision} actionOf=${actionOf} cancel=${isNew ? at("jobs") : jobAt(job)} preview=${shown} />`;
}

export function Edit({ namespace, name }) {
  const place = { namespace, name };
  const [opened, open] = useState(null); // as it was when it was opened: what others change meanwhile is refused by the revision
  const [error, fail] = useState(null);
  useEffect(() => {
    Promise.all([api.read(pathOf(place)), api.text(pathOf(place, "definition"))]).then(([job, text]) => open({ job, text }), fail);
  }, []);
  if (!opened) return html`<h1>${nameOf(place)}</h1><${Loading} error=${error} />`;
  return html`<${Editor} job=${opened.job} first=${opened.text} />`;
}

export const New = () => html`<${Editor} job=${null} first=${FIRST} />`;
