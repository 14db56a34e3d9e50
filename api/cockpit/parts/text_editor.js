// A text in YAML, edited: what may stand here, mistakes at their lines, what it would do, and only then is it saved. Of what, its page says.

import { api, ask, holdLeaving, html, Mistake, Said, Status, t, useEffect, useKeys, useOffers, useRead, useRef, useState } from "../house.js";
import { fieldsOf, nodeAt, pathAt } from "./schema.js";

const TYPED_MS = 350, LINE_PIXELS = 20;
export const KIND = "application/yaml";
export const nameIn = (text, key) => new RegExp(`^${key}:\\s*["']?([\\w.-]+)`, "m").exec(text)?.[1];

// What the server says of the text: {preview} or {error}; null while it is asked.
function useTrial(text, request, again) {
  const [found, set] = useState(null);
  useEffect(() => {
    const stop = new AbortController();
    const timer = setTimeout(async () => {
      const { path, headers } = request(text);
      try {
        set({ text, preview: await api.send("PUT", `${path}${path.includes("?") ? "&" : "?"}dry_run=true`, text, { kind: KIND, headers, signal: stop.signal }) });
      } catch (error) {
        if (!stop.signal.aborted) set({ text, error });
      }
    }, TYPED_MS);
    return () => { clearTimeout(timer); stop.abort(); };
  }, [text, again]);
  return found;
}

function Sheet({ text, type, errors, area, onCursor, label }) {
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
    <textarea ref=${area} value=${text} aria-label=${label} aria-invalid=${String(errors.length > 0)} aria-describedby="mistakes" spellcheck=${false} autocapitalize="off" wrap="off" rows="24"
      onInput=${(event) => { type(event.target.value); cursor(); }} onKeyUp=${cursor} onClick=${cursor} onKeyDown=${key} onScroll=${scroll}></textarea></div>`;
}

function Mistakes({ trial, jump }) {
  if (!trial) return html`<p id="mistakes" class="note" role="status">${t("editor.checking")}</p>`;
  if (!trial.error) return html`<p id="mistakes" role="status"><${Status} state="ok">${t("editor.good")}</${Status}></p>`;
  const errors = trial.error.errors || [];
  if (!errors.length) return html`<div id="mistakes"><${Mistake} error=${trial.error} /></div>`;
  return html`<div id="mistakes" role="alert"><ul class="mistakes">${errors.map((error) => html`<li key=${`${error.pointer} ${error.detail}`}><${Status} state="failed">${error.line ? t("editor.line", { n: error.line }) : error.pointer || t("editor.whole")}</${Status}>
    <div><p>${error.line ? html`<button type="button" class="link" onClick=${() => jump(error)}><${Said}>${error.detail}</${Said}></button>` : html`<${Said}>${error.detail}</${Said}>`}</p>${error.hint ? html`<p class="note"><${Said}>${error.hint}</${Said}></p>` : null}</div></li>`)}</ul></div>`;
}

function Help({ text, line, insert, of, title }) {
  const { data: schema } = useRead(of, { every: 0 });
  const path = pathAt(text, line);
  const node = schema && (nodeAt(schema, path) || nodeAt(schema, path.slice(0, -1)));
  const fields = node ? fieldsOf(schema, node) : [];
  if (!schema) return null;
  return html`<details open class="help"><summary>${path.length ? t("editor.fieldsOf", { path: path.filter((each) => each !== "*").join(" › ") }) : title}</summary>
    ${fields.length ? html`<dl>${fields.map((field) => html`<div key=${field.name}><dt><button type="button" class="link" onClick=${() => insert(field)}><code>${field.name}</code></button>
      <span class="note"> ${field.required ? t("editor.required") : ""} ${field.choices ? field.choices.join(" | ") : field.kind}${field.fallback !== null && String(field.fallback) !== "" ? ` · ${t("param.default", { value: typeof field.fallback === "object" ? JSON.stringify(field.fallback) : field.fallback })}` : ""}</span></dt>
      ${field.description ? html`<dd class="note">${field.description}</dd>` : null}</div>`)}</dl>` : html`<p class="note">${node?.description || t("editor.noFields")}</p>`}</details>`;
}

// `first`: the text as it was. `request(text)`: {path, headers} of the write. `actionOf(preview, text)`: the action that saves it. `schema`: path of its schema, or null;
// `fields`: what the help is called. `cancel`: where to go without saving. `preview`: a component of {preview, text}, of what the dry run said.
export function TextEditor({ first, title, note, label, schema, fields, request, revision, actionOf, cancel, preview }) {
  const [text, write] = useState(first);
  const [line, stand] = useState(0);
  const area = useRef(null);
  const trial = useTrial(text, request, revision);
  const current = trial?.text === text ? trial : null;
  const dirty = text !== first;
  useEffect(() => { holdLeaving(dirty ? t("editor.leave") : null); return () => holdLeaving(null); }, [dirty]);
  const offered = current?.preview && current.preview.change !== "unchanged" ? actionOf(current.preview, text) : null;
  const action = offered && { ...offered, done: (reply) => { holdLeaving(null); offered.done(reply); } };
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
  const shown = current?.preview ? current : trial;
  return html`<div class="head"><h1>${title}</h1>${note ? html`<span class="note">${note}</span>` : null}<span class="push"></span>
      <a class="button" href=${cancel}>${t("dialog.cancel")}</a>
      <button type="button" class="primary" disabled=${!action} onClick=${save} aria-keyshortcuts="Control+S Meta+S">${t("editor.check")}</button></div>
    <div class="editor"><div class="left"><${Sheet} text=${text} type=${write} errors=${errors} area=${area} onCursor=${stand} label=${label} />${revision && !dirty ? html`<p class="note">${t("editor.anew")}</p>` : null}<${Mistakes} trial=${current} jump=${jump} /></div>
      <div class="right">${schema ? html`<${Help} text=${text} line=${line} insert=${insert} of=${schema} title=${fields} />` : null}</div></div>
    ${shown?.preview ? html`<${preview} preview=${shown.preview} text=${text} />` : null}`;
}
