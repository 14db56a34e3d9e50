// A table of any length that draws the rows in view alone. Rows have one height; the browser scrolls the page itself.

import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./html.js";
import { Mistake } from "./action.js";
import { t } from "./words.js";

const BEYOND = 12; // rows drawn above and below the window
const PIXELS_MAX = 8000000; // browsers stop at some 16 million

// `list`: of usePages. `head`: cells of the header. `row(item, index)`: a <tr>. `height`: of a row, as the style sheet has it.
export function LongTable({ list, head, row, height, label, columns, empty }) {
  const body = useRef(null);
  const [[first, last], see] = useState([0, 40]);
  const look = () => {
    const box = body.current?.getBoundingClientRect();
    if (!box) return;
    const from = Math.max(0, Math.floor(-box.top / height) - BEYOND);
    const to = Math.max(from, Math.min(Math.max(list.length - 1, 0), Math.ceil((innerHeight - box.top) / height) + BEYOND));
    see((old) => old[0] === from && old[1] === to ? old : [from, to]);
  };
  useEffect(() => {
    let asked = false;
    const later = () => { if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; look(); }); } };
    addEventListener("scroll", later, { passive: true });
    addEventListener("resize", later);
    return () => { removeEventListener("scroll", later); removeEventListener("resize", later); };
  });
  useLayoutEffect(look, [list.length]);
  useEffect(() => list.need(first, last), [first, last, list.length]);
  // While it is only scrolled, a row that is in view already is the very same, and is not compared with itself: who draws this table
  // anew, since something has changed or a second is over, gives another `row`.
  const made = useMemo(() => new Map(), [row]);
  const drawn = (item, i) => {
    if (!made.has(item)) made.set(item, row(item, i));
    return made.get(item);
  };
  const shown = [];
  for (let i = first; i <= last && i < list.length; i += 1) {
    const item = list.row(i);
    shown.push(item ? drawn(item, i) : html`<tr key=${`wait ${i}`} class="waits" aria-hidden="true"><td colspan=${columns}><span></span></td></tr>`);
  }
  const above = Math.min(PIXELS_MAX, first * height);
  const below = Math.min(PIXELS_MAX, Math.max(0, list.length - 1 - last) * height);
  return html`<div class="frame"><table class="long" aria-label=${label} aria-rowcount=${list.whole ? list.known + 1 : -1}>
      <thead>${head}</thead>
      <tbody ref=${body} class="anchor"></tbody>
      <tbody><tr key="above" aria-hidden="true" class="gap" style=${{ height: `${above}px` }}></tr>
        ${shown}
        <tr key="below" aria-hidden="true" class="gap" style=${{ height: `${below}px` }}></tr></tbody></table>
    ${list.loading ? html`<p class="more" role="status">${t("list.wait")}</p>` : list.known ? null : list.error ? html`<div class="more"><${Mistake} error=${list.error} /></div>` : empty}</div>`;
}
