// What differs between two texts, line by line: the longest common subsequence, after what is alike at both ends is set aside.

import { html } from "./html.js";
import { t, tn } from "./words.js";

const CELLS_MAX = 4000000, AROUND = 3;

export function diff(before, after) {
  const a = before.split("\n"), b = after.split("\n");
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail += 1;
  const x = a.slice(head, a.length - tail), y = b.slice(head, b.length - tail);
  const lines = a.slice(0, head).map((text) => [" ", text]);
  if (x.length * y.length > CELLS_MAX) {
    lines.push(...x.map((text) => ["-", text]), ...y.map((text) => ["+", text]));
  } else {
    const wide = y.length + 1;
    const common = new Uint32Array((x.length + 1) * wide);
    for (let i = x.length - 1; i >= 0; i -= 1) {
      for (let j = y.length - 1; j >= 0; j -= 1) {
        common[i * wide + j] = x[i] === y[j] ? common[(i + 1) * wide + j + 1] + 1 : Math.max(common[(i + 1) * wide + j], common[i * wide + j + 1]);
      }
    }
    let i = 0, j = 0;
    while (i < x.length || j < y.length) {
      if (i < x.length && j < y.length && x[i] === y[j]) { lines.push([" ", x[i]]); i += 1; j += 1; }
      else if (i < x.length && (j >= y.length || common[(i + 1) * wide + j] >= common[i * wide + j + 1])) { lines.push(["-", x[i]]); i += 1; }
      else { lines.push(["+", y[j]]); j += 1; }
    }
  }
  lines.push(...a.slice(a.length - tail).map((text) => [" ", text]));
  return lines;
}

export function Diff({ before, after, label }) {
  const lines = diff(before, after);
  const near = lines.map((_, i) => lines.slice(Math.max(0, i - AROUND), i + AROUND + 1).some(([mark]) => mark !== " "));
  if (!near.some(Boolean)) return html`<p class="note">${t("diff.same")}</p>`;
  const count = (mark) => lines.filter(([each]) => each === mark).length;
  return html`<p class="note">${tn("diff.added", count("+"))}, ${tn("diff.removed", count("-"))}</p>
    <pre class="diff" tabindex="0" aria-label=${label}>${lines.map(([mark, text], i) => near[i] ? html`<span key=${i} class=${mark === "+" ? "added" : mark === "-" ? "removed" : ""}>${mark} ${text}${"\n"}</span>`
      : i && near[i - 1] ? html`<span key=${i} class="cut">…${"\n"}</span>` : null)}</pre>`;
}
