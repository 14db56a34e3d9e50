// When each attempt of a run waited and ran, on one scale, and what works without one. The table of attempts below says the same in words.

import { html } from "./html.js";
import { runAt } from "./jobs.js";
import { scale } from "./scale.js";
import { lookOf } from "./status.js";
import { clock, span, t, tn, whole, word } from "./words.js";

const ROWS_MAX = 120, MARKS = 5;

// `rows`: [{name, attempts, ready}], each attempt as the API tells it (or, with `run`, a run that the task began), `ready` when it might begin; `from`, `to`: milliseconds; `now`: of what has not ended.
export function Timeline({ rows, from, to, now, href }) {
  const length = Math.max(1, to - from);
  const percent = scale(from, to);
  const begun = rows.filter((row) => row.attempts.length), shown = begun.slice(0, ROWS_MAX);
  if (!shown.length) return null;
  const bar = (attempt, ready) => {
    const began = Date.parse(attempt.started || attempt.granted || attempt.due);
    const ended = attempt.finished ? Date.parse(attempt.finished) : now;
    const state = attempt.unreachable ? "unreachable" : attempt.state;
    const words = `${attempt.number ? `${t("run.attemptOf", { n: attempt.number })}, ${attempt.agent}: ` : attempt.run ? `${t("run.title", { run: attempt.run })}: ` : ""}${word("state", state)}, ${whole(attempt.started || attempt.due)}, ${span(ended - began)}`;
    const place = { left: percent(began), width: `max(3px, calc(${percent(ended)} - ${percent(began)}))` };
    const waited = Math.max(Date.parse(attempt.due), ready || from);
    return html`${began > waited ? html`<span class="waited" style=${{ left: percent(waited), width: `calc(${percent(began)} - ${percent(waited)})` }}></span>` : null}
      ${attempt.run ? html`<a class=${`bar-of ${lookOf(state)}`} title=${words} aria-label=${words} style=${place} href=${runAt(attempt.run)}></a>` : html`<span class=${`bar-of ${lookOf(state)}`} title=${words} style=${place}></span>`}`;
  };
  return html`<div class="timeline" role="group" aria-label=${t("timeline.label", { span: span(length), n: shown.length })}>
    ${shown.map((row) => html`<div class="track-of" key=${row.name}><a class="plain name" href=${href(row.name)} tabindex="-1" title=${row.name}>${row.name}</a>
      <div class="track">${row.attempts.map((attempt, i) => html`<span key=${attempt.id}>${bar(attempt, i && row.attempts[i - 1].finished ? Date.parse(row.attempts[i - 1].finished) : row.ready)}</span>`)}</div></div>`)}
    <div class="track-of scale"><span></span><div class="track">${Array.from({ length: MARKS }, (_, i) => {
      const at = from + (length * i) / (MARKS - 1);
      return html`<span key=${i} class="mark" style=${{ left: percent(at) }}>${i && length < 90000 ? `+${span(at - from)}` : clock(at)}</span>`;
    })}</div></div>
    ${begun.length > shown.length ? html`<p class="note">${tn("timeline.more", begun.length - shown.length)}</p>` : null}</div>`;
}
