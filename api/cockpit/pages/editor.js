// A job's text, edited: what may stand here, mistakes at their lines, what it would do, what changes, and only then is it saved.

import { api, ask, at, go, holdLeaving, html, Loading, Mistake, Status, t, tn, Until, useEffect, useKeys, useOffers, useRead, useRef, useState, whole, word } from "../house.js";
import { Diff } from "../parts/diff.js";
import { TaskGraph } from "../parts/graph.js";
import { jobAt, nameOf, pathOf, putJob, deleteJob } from "../parts/jobs.js";
import { fieldsOf, nodeAt, pathAt } from "../parts/schema.js";

const TYPED_MS = 350, KIND = "application/yaml";
const FIRST = `job: my-first-job
description: Says hello every minute
triggers:
  - cron: "* * * * *"
    tz: Europe/Berlin
run: echo "hello, due $CRONCLAVE_TICK"
`;
const LINE_PIXELS = 20;
const nameIn = (text, key) => new RegExp(`^${key}:\\s*["']?([\\w.-]+)`, "m").exec(text)?.[1];

// What the server says of the text: {preview} or {error}; null while it is asked.
function useTrial(text, job, isNew) {
  const [found, set] = useState(null);
  useEffect(() => {
    const stop = new AbortController();
    const timer = setTimeout(async () => {
      const name = job?.name || nameIn(text, "job") || "unnamed", namespace = job?.namespace || nameIn(text, "namespace") || "default";
      const headers = isNew ? { "If-None-Match": "*" } : { "If-Match": `"${job.revision}"` };
      try {
        set({ text, preview: await api.send("PUT", `${pathOf({ name, namespace })}&dry_run=true`, text, { kind: KIND, headers, signal: stop.signal }) });
      } catch (error) {
        if (!stop.signal.aborted) set({ text, error });
      }
    }, TYPED_MS);
    return () => { clearTimeout(timer); stop.abort(); };
  }, [text, job?.revision]);
  return found;
}

function Sheet({ text, type, errors, area, onCursor }) {
  const gutter = useRef(null);
  const lines = text.split("\n").length;
  const wrong = new Map(errors.filter((error) => error.line).map((error) => [error.line, error]));
  const scroll = () => { gutter.current.scrollTop = area.current.scrollTop; };
  const cursor = () => onCursor(area.current.value.slice(0, area.current.selectionStart).split("\n").length - 1);
  const key = (event) => {
    const field = event.target;
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      const before = field.value.slice(0, field.selectionStart).split("\n").at(-1);
      const indent = /^\s*/.exec(before)[0] + (/:\s*$/.test(before) ? "  " : "");
      if (!indent) return;
      event.preventDefault();
      field.setRangeText(`\n${indent}`, field.selectionStart, field.selectionEnd, "end");
      type(field.value);
    }
  };
  return html`<div class="sheet"><div class="gutter" ref=${gutter} aria-hidden="true">${Array.from({ length: lines }, (_, i) => html`<span key=${i} class=${wrong.has(i + 1) ? "wrong" : ""}>${i + 1}</span>`)}</div>
    <textarea ref=${area} value=${text} aria-label=${t("editor.text")} aria-invalid=${String(errors.length > 0)} aria-describedby="mistakes" spellcheck=${false} autocapitalize="off" wrap="off" rows="24"
      onInput=${(event) => { type(event.target.value); cursor(); }} onKeyUp=${cursor} onClick=${cursor} onKeyDown=${key} onScroll=${scroll}></textarea></div>`;
}

function Mistakes({ trial, jump }) {
  if (!trial) return html`<p id="mistakes" class="note" role="status">${t("editor.checking")}</p>`;
  if (!trial.error) return html`<p id="mistakes" role="status"><${Status} state="ok">${t("editor.good")}</${Status}></p>`;
  const errors = trial.error.errors || [];
  if (!errors.length) return html`<div id="mistakes"><${Mistake} error=${trial.error} /></div>`;
  return html`<div id="mistakes" role="alert"><ul class="mistakes">${errors.map((error) => html`<li key=${`${error.pointer} ${error.detail}`}><${Status} state="failed">${error.line ? t("editor.line", { n: error.line }) : error.pointer || t("editor.whole")}</${Status}>
    <div><p>${error.line ? html`<button type="button" class="link" onClick=${() => jump(error)}>${error.detail}</button>` : error.detail}</p>${error.hint ? html`<p class="note">${error.hint}</p>` : null}</div></li>`)}</ul></div>`;
}

function Help({ text, line, insert }) {
  const { data: schema } = useRead("/v1/schemas/job", { every: 0 });
  const path = pathAt(text, line);
  const node = schema && (nodeAt(schema, path) || nodeAt(schema, path.slice(0, -1)));
  const fields = node ? fieldsOf(schema, node) : [];
  if (!schema) return null;
  return html`<details open class="help"><summary>${path.length ? t("editor.fieldsOf", { path: path.filter((each) => each !== "*").join(" › ") }) : t("editor.fields")}</summary>
    ${fields.length ? html`<dl>${fields.map((field) => html`<div key=${field.name}><dt><button type="button" class="link" onClick=${() => insert(field)}><code>${field.name}</code></button>
      <span class="note"> ${field.required ? t("editor.required") : ""} ${field.choices ? field.choices.join(" | ") : field.kind}${field.fallback !== null && String(field.fallback) !== "" ? ` · ${t("param.default", { value: typeof field.fallback === "object" ? JSON.stringify(field.fallback) : field.fallback })}` : ""}</span></dt>
      ${field.description ? html`<dd class="note">${field.description}</dd>` : null}</div>`)}</dl>` : html`<p class="note">${node?.description || t("editor.noFields")}</p>`}</details>`;
}

function Preview({ trial, before, text }) {
  const preview = trial?.preview;
  if (!preview) return null;
  return html`<section aria-labelledby="would-title"><div class="head"><h2 id="would-title">${t("editor.would")}</h2><${Status} state=${preview.change === "unchanged" ? "pending" : "ok"}>${t(`change.${preview.change}`)}</${Status}></div>
    <div class="card would"><div><h3>${t("job.next")}</h3>${preview.next_ticks.length ? html`<ol class="coming">${preview.next_ticks.slice(0, 6).map((tick) => html`<li key=${`${tick.at} ${tick.trigger}`}><time datetime=${tick.at}>${whole(tick.at)}</time> <span class="note"><${Until} at=${tick.due} /></span></li>`)}</ol>`
      : html`<p class="note">${t("job.noNext")}</p>`}</div>
      <div><h3>${tn("graph.label", preview.graph.length)}</h3><${TaskGraph} tasks=${preview.graph.map(({ task, needs, kind }) => ({ name: task, needs: needs.map((need) => need.task ?? need), note: word("work", kind) }))} /></div>
      ${before ? html`<div><h3>${t("editor.changes")}</h3><${Diff} before=${before} after=${text} label=${t("editor.changes")} /></div>` : null}</div></section>`;
}

function Editor({ job, first }) {
  const isNew = job === null;
  const [text, write] = useState(first);
  const [line, stand] = useState(0);
  const area = useRef(null);
  const trial = useTrial(text, job, isNew);
  const current = trial?.text === text ? trial : null;
  const dirty = text !== first;
  useEffect(() => { holdLeaving(dirty ? t("editor.leave") : null); return () => holdLeaving(null); }, [dirty]);
  const target = { name: job?.name || current?.preview?.name || "", namespace: job?.namespace || current?.preview?.namespace || "default" };
  const leave = () => { holdLeaving(null); go(jobAt(target)); };
  const action = current?.preview && current.preview.change !== "unchanged" ? putJob(target, text, isNew ? { "If-None-Match": "*" } : { "If-Match": `"${job.revision}"` },
    t("editor.save"), isNew ? t("editor.saysNew", { name: nameOf(target) }) : t("editor.saysChange", { name: nameOf(target), from: job.revision, to: job.revision + 1 }), { done: leave,
      undo: (reply) => isNew ? deleteJob(reply, null, () => go(at("jobs"))) : putJob(target, first, { "If-Match": `"${reply.revision}"` }, t("job.putBack"), t("job.putBackSays", { name: nameOf(target) })) }) : null;
  const save = () => { if (action) ask(action); };
  useKeys({ "mod+s": ["editor.save", save] }, [action === null, text]);
  useOffers(action ? [action] : [], [action === null, text]);
  const jump = ({ line: to, column }) => {
    const lines = text.split("\n");
    const place = lines.slice(0, to - 1).reduce((sum, each) => sum + each.length + 1, 0) + Math.max(0, (column || 1) - 1);
    area.current.focus();
    area.current.setSelectionRange(place, place + Math.max(1, (lines[to - 1] || "").length - (column || 1) + 1));
    area.current.scrollTop = Math.max(0, (to - 6) * LINE_PIXELS);
    stand(to - 1);
  };
  const insert = (field) => {
    const box = area.current;
    const start = text.lastIndexOf("\n", box.selectionStart - 1) + 1;
    const here = text.slice(start).split("\n")[0];
    const indent = /^\s*/.exec(here)[0];
    const words = `${field.name}: ${field.choices ? field.choices[0] : field.fallback !== null && typeof field.fallback !== "object" ? field.fallback : ""}`;
    box.focus();
    if (here.trim()) box.setRangeText(`\n${indent}${words}`, start + here.length, start + here.length, "end"); else box.setRangeText(`${words}`, start + here.length, start + here.length, "end");
    write(box.value);
  };
  const errors = current?.error?.errors || [];
  return html`<div class="head"><h1>${isNew ? t("editor.new") : t("editor.edit", { name: nameOf(job) })}</h1>${isNew ? null : html`<span class="note">${t("job.revision", { n: job.revision })}</span>`}<span class="push"></span>
      <a class="button" href=${isNew ? at("jobs") : jobAt(job)}>${t("dialog.cancel")}</a>
      <button type="button" class="primary" disabled=${!action} onClick=${save} aria-keyshortcuts="Control+S Meta+S">${t("editor.check")}</button></div>
    <div class="editor"><div class="left"><${Sheet} text=${text} type=${write} errors=${errors} area=${area} onCursor=${stand} /><${Mistakes} trial=${current} jump=${jump} /></div>
      <div class="right"><${Help} text=${text} line=${line} insert=${insert} /></div></div>
    <${Preview} trial=${current?.preview ? current : trial} before=${isNew ? null : first} text=${text} />`;
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
