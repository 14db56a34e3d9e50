// Bars over time in lanes, in plain HTML: a lane is {name, href, bars: [{from, to, look, title, href, text}]}, instants in ms; `now`: a line there; `most`: so many marks. Bars that
// have not ended run to now. The picture is told in words by each bar's title; the same facts stand in the tables beside it.

import { html } from "./html.js";
import { scale } from "./scale.js";
import { clock, date } from "./words.js";

const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800];
const MARKS = 7, EDGE = 0.03;

function marksOf(from, to, most) {
  const step = 1000 * (STEPS_S.find((each) => (to - from) / 1000 / each <= most) || STEPS_S.at(-1));
  const marks = [];
  const zone = new Date(to).getTimezoneOffset() * 60000; // marks stand at full hours of the reader
  for (let at = Math.ceil((from - zone) / step) * step + zone; at <= to; at += step) marks.push([at, step >= 86400000 ? date(at) : clock(at).slice(0, step < 60000 ? 8 : 5)]);
  return marks;
}

export function Lanes({ from, to, lanes, label, now = null, most = MARKS }) {
  const part = scale(from, to);
  const marks = marksOf(from, to, most);
  const shown = marks.filter(([at]) => at - from > (to - from) * EDGE && to - at > (to - from) * EDGE); // a text at the edge would be cut
  return html`<div class="lanes" role="group" aria-label=${label}>
    <div class="lane axis" aria-hidden="true"><span></span><div class="rail">${shown.map(([at, text]) => html`<span key=${at} style=${{ left: part(at) }}>${text}</span>`)}</div></div>
    ${lanes.map((lane) => html`<div class=${`lane ${lane.kind || ""}`} key=${lane.key ?? lane.name}>
      ${lane.href ? html`<a class="name plain" href=${lane.href} title=${lane.name}>${lane.name}</a>` : html`<span class="name" title=${lane.name}>${lane.name}</span>`}
      <div class="rail">${marks.map(([at]) => html`<i key=${`mark ${at}`} style=${{ left: part(at) }}></i>`)}
        ${lane.bars.filter((bar) => (bar.to ?? to) >= from && bar.from <= to).map((bar) => {
    const style = { left: part(bar.from), right: `calc(100% - ${part(bar.to ?? to)})` };
    return bar.href ? html`<a key=${bar.key ?? bar.from} class=${`span ${bar.look}`} style=${style} href=${bar.href} title=${bar.title} aria-label=${bar.title} tabindex=${bar.quiet ? "-1" : undefined}></a>`
      : html`<span key=${bar.key ?? bar.from} class=${`span ${bar.look}`} style=${style} title=${bar.title}>${bar.text}</span>`;
  })}${now >= from && now < to ? html`<i class="now" style=${{ left: part(now) }}></i>` : null}</div></div>`)}</div>`;
}
