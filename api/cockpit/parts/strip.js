// A job's ledger as a strip: every tick is a cell, oldest first, so that one that is missing would be a hole. Ticks that ended alike
// and stand in one entry are as many cells, up to CELLS_MAX of them. Arrow keys go from cell to cell; what is chosen is told below.

import { html, useEffect, useRef, useState } from "./html.js";
import { lookOf, Shape, Status } from "./status.js";
import { go } from "./router.js";
import { runAt } from "./jobs.js";
import { clock, number, span, t, when, word } from "./words.js";

const CELLS_MAX = 60; // of one entry

// Rows of GET …/cells to cells, oldest first.
export function cellsOf(table) {
  const rows = table.rows.map((row) => Object.fromEntries(table.columns.map((name, i) => [name, row[i]])));
  return rows.reverse().flatMap((row) => {
    const shown = Math.min(CELLS_MAX, row.ticks || 1);
    const step = shown > 1 ? (row.last - row.first) / (shown - 1) : 0;
    return Array.from({ length: shown }, (_, i) => ({ ...row, at: row.first + Math.round(step * i), more: i === shown - 1 ? (row.ticks || 1) - shown : 0, key: `${row.seq ?? row.trigger}.${row.first}.${i}` }));
  });
}
const stateOf = (cell) => cell.outcome === "ran" && cell.state ? cell.state : cell.outcome;
const wordsOf = (cell) => [when(cell.at), word("state", cell.outcome), cell.reason, cell.outcome === "ran" && cell.state ? word("state", cell.state) : null].filter(Boolean).join(", ");

// `why`: where an instant of it is explained.
export function Strip({ cells, label, why }) {
  const [chosen, choose] = useState(null);
  const box = useRef(null);
  const at = chosen === null ? cells.length - 1 : Math.min(chosen, cells.length - 1);
  const cell = cells[at];
  const [told, tell] = useState(false);
  useEffect(() => { if (chosen === null && box.current) box.current.scrollTop = box.current.scrollHeight; }, [cells.length]);
  const key = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -cells.length, End: cells.length }[event.key];
    if (step) {
      event.preventDefault();
      const next = Math.max(0, Math.min(cells.length - 1, at + step));
      choose(next);
      tell(true);
      box.current.children[next]?.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter" && cell?.run) {
      event.preventDefault();
      go(runAt(cell.run));
    }
  };
  const counts = {};
  for (const each of cells) counts[stateOf(each)] = (counts[stateOf(each)] || 0) + 1;
  return html`<div class="strip-box"><div class="cells" ref=${box} role="listbox" tabindex="0" aria-label=${label} aria-activedescendant=${cell ? `cell-${at}` : undefined} onKeyDown=${key} onFocus=${() => tell(true)}>
      ${cells.map((each, i) => html`<span key=${each.key} id=${`cell-${i}`} role="option" aria-selected=${String(told && i === at)} aria-label=${wordsOf(each)} title=${wordsOf(each)}
        class=${`cell ${lookOf(stateOf(each))}`} onClick=${() => { choose(i); tell(true); }} onDblClick=${() => each.run && go(runAt(each.run))}><${Shape} look=${lookOf(stateOf(each))} size="9" /></span>`)}</div>
    <p class="legend">${Object.entries(counts).map(([state, n]) => html`<${Status} key=${state} state=${state}>${number(n)} ${word("state", state)}</${Status}>`)}</p>
    ${told && cell ? html`<p class="told" role="status"><${Status} state=${stateOf(cell)} /> <strong>${when(cell.at)}</strong>
      ${cell.reason ? html`<span>${cell.reason}</span>` : null}
      ${cell.started ? html`<span class="note">${t("strip.started", { at: clock(cell.started), late: span(Math.max(0, cell.started - (cell.due ?? cell.at))) })}</span>` : null}
      ${cell.started && cell.finished ? html`<span class="note">${t("strip.took", { span: span(cell.finished - cell.started) })}</span>` : null}
      ${cell.more ? html`<span class="note">${t("strip.more", { n: number(cell.more) })}</span>` : null}
      ${cell.run ? html`<a href=${runAt(cell.run)}>${t("run.title", { run: cell.run })}</a>` : null}
      ${why ? html`<a href=${why(cell.at)}>${t("why.why")}</a>` : null}</p>` : html`<p class="told note">${t("strip.how")}</p>`}</div>`;
}
