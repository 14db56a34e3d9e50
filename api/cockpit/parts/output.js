// Output as people read it: its end, what comes, colours, a search through what is held, wrapped lines or long ones. All that it
// is set to stands in the address.

import { Mistake } from "./action.js";
import { html, useEffect, useMemo, useRef, useState } from "./html.js";
import { newPen, pieces } from "./ansi.js";
import { Log } from "./log.js";
import { useQuery, setQuery } from "./router.js";
import { bytes, number, t } from "./words.js";

const NEAR_END_PIXELS = 40, LINE_PIXELS = 18;

function Piece({ part, find }) {
  if (!find) return part.look || Object.keys(part.style).length ? html`<span class=${part.look} style=${part.style}>${part.text}</span>` : part.text;
  const found = [];
  const low = part.text.toLowerCase();
  let last = 0;
  for (let at = low.indexOf(find); at >= 0; at = low.indexOf(find, last)) {
    found.push(part.text.slice(last, at), html`<mark>${part.text.slice(at, at + find.length)}</mark>`);
    last = at + find.length;
  }
  found.push(part.text.slice(last));
  return html`<span class=${part.look} style=${part.style}>${found}</span>`;
}

const plain = (line) => pieces(line, newPen()).map((piece) => piece.text).join("");

// A chunk of lines; drawn again when it has grown, or when what is looked for concerns it.
function Chunk({ chunk, version, find, current }) {
  return useMemo(() => html`<div class="chunk" style=${{ containIntrinsicSize: `auto ${chunk.lines.length * LINE_PIXELS}px` }}>${chunk.lines.map((line, i) => {
    const hit = find && line.text.toLowerCase().includes(find);
    return html`<div key=${i} class=${hit ? (current === i ? "line hit now" : "line hit") : "line"}>${line.parts.length ? line.parts.map((part, k) => html`<${Piece} key=${k} part=${part} find=${hit ? find : ""} />`) : "\u200b"}</div>`;
  })}</div>`, [chunk, version, find, current]);
}

// `isBegun`: it may have written something. `away`: the agent that has it and cannot be asked now.
export function Output({ path, isLive, isBegun, name, away = null }) {
  const query = useQuery();
  const find = (query.find || "").toLowerCase(), wraps = query.wrap !== "no";
  const [, draw] = useState(0);
  const [hit, see] = useState(0);
  const [error, fail] = useState(null);
  const box = useRef(null), stays = useRef(true), live = useRef(isLive), log = useRef(null);
  live.current = isLive;
  if (log.current?.path !== path) {
    log.current?.stop();
    log.current = new Log(path, () => draw((n) => n + 1));
    stays.current = true;
  }
  const shown = log.current;
  useEffect(() => {
    shown.follow(() => live.current);
    return () => shown.stop();
  }, [shown]);
  useEffect(() => { if (stays.current && box.current) box.current.scrollTop = box.current.scrollHeight; });
  const hits = [];
  if (find) shown.chunks.forEach((chunk, i) => chunk.lines.forEach((line, k) => { if (line.text.toLowerCase().includes(find)) hits.push([i, k]); }));
  const current = hits.length ? hits[((hit % hits.length) + hits.length) % hits.length] : null;
  const step = (by) => { stays.current = false; see((n) => n + by); };
  useEffect(() => { // not scrollIntoView, which would move the page as well
    const line = box.current?.querySelector(".now");
    if (line) box.current.scrollTop += line.getBoundingClientRect().top - box.current.getBoundingClientRect().top - box.current.clientHeight / 2;
  }, [hit, find, hits.length > 0]);
  const scrolled = () => { if (box.current) stays.current = box.current.scrollHeight - box.current.scrollTop - box.current.clientHeight < NEAR_END_PIXELS; };
  const toEnd = () => { stays.current = true; box.current.scrollTop = box.current.scrollHeight; draw((n) => n + 1); };
  const earlier = () => { stays.current = false; fail(null); shown.earlier().catch(fail); };
  const empty = !shown.chunks.length && !shown.rest;
  const state = shown.error ? "" : away ? t("output.away", { agent: away }) : !shown.source ? t(isLive && !isBegun ? "output.waits" : "list.wait") : shown.source === "none" ? (isLive ? t("output.waits") : t("output.none"))
    : shown.source === "tail" && shown.missing ? t("output.tail") : empty ? (isLive ? t("output.nothingYet") : t("output.empty")) : "";
  return html`<div class="output">
    <div class="head tools-of">
      <label class="filter grow"><span class="unseen">${t("output.find", { name })}</span>
        <input type="search" id="find" value=${query.find || ""} placeholder=${t("output.findIt")} autocomplete="off" spellcheck=${false}
          onInput=${(event) => { setQuery({ find: event.target.value }); see(0); }}
          onKeyDown=${(event) => { if (event.key === "Enter") { event.preventDefault(); step(event.shiftKey ? -1 : 1); } }} /></label>
      ${find ? html`<span class="note" role="status">${hits.length ? t("output.hit", { n: number((((hit % hits.length) + hits.length) % hits.length) + 1), of: number(hits.length) }) : t("output.noHit")}</span>
        <button type="button" class="small" disabled=${!hits.length} onClick=${() => step(-1)} aria-label=${t("output.before")}>↑</button>
        <button type="button" class="small" disabled=${!hits.length} onClick=${() => step(1)} aria-label=${t("output.after")}>↓</button>` : null}
      <label class="check"><input type="checkbox" checked=${wraps} onChange=${(event) => setQuery({ wrap: event.target.checked ? "" : "no" })} /> ${t("output.wrap")}</label>
      ${stays.current ? (isLive ? html`<span class="note">${t("output.follows")}</span>` : null) : html`<button type="button" class="small" onClick=${toEnd}>${t("output.toEnd")}</button>`}
      <a class="button small" href=${path} download=${`${name}.txt`}>${t("output.download")}</a>
    </div>
    <${Mistake} error=${error || shown.error} />
    ${state ? html`<p class="note" role="status">${state}</p>` : null}
    <pre ref=${box} tabindex="0" role="region" class=${`log ${wraps ? "" : "long-lines"}`} aria-label=${t("output.of", { name })} onScroll=${scrolled}>${shown.from > 0 && shown.source === "agent"
      ? html`<button type="button" class="small" onClick=${earlier}>${t("output.earlier", { bytes: bytes(shown.from) })}</button>` : null}
      ${shown.chunks.map((chunk, i) => html`<${Chunk} key=${chunk.id} chunk=${chunk} version=${chunk.version} find=${find} current=${current?.[0] === i ? current[1] : -1} />`)}
      ${shown.rest ? html`<div class="line">${plain(shown.rest)}</div>` : null}</pre>
    <p class="note">${shown.bytes ? t("output.bytes", { bytes: bytes(shown.bytes) }) : ""}</p>
  </div>`;
}
