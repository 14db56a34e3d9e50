// The ledger: proved against what was due, piece by piece, and the head of its chain.

import { api, cluster, Copy, date, html, Mistake, number, setQuery, Status, t, useEffect, useQuery, useRef, useState, When, word } from "../house.js";

const HOUR_MS = 3600000, RANGES = { hour: HOUR_MS, day: 24 * HOUR_MS, week: 7 * 24 * HOUR_MS, month: 30 * 24 * HOUR_MS };
const PIECES = { hour: 6, day: 12, week: 14, month: 30 }, PROBLEMS_SHOWN = 100, BUSY_MS = 3000, PROOF_MS = 600000;
const ORDER = ["ran", "skipped", "coalesced", "missed"];

const empty = () => ({ due: 0, entries: 0, events: 0, undecided: 0, overdue: 0, problem_count: 0, outcomes: {}, problems: [] });
const same = (a, b) => a.kind === b.kind && a.seq === b.seq && a.at === b.at && a.detail === b.detail;
function add(sum, found) {
  const known = found.problems.filter((one) => sum.problems.some((each) => same(each, one))); // the chain is one for all pieces
  const fresh = found.problems.filter((one) => !known.includes(one));
  const next = { ...sum, outcomes: { ...sum.outcomes }, problems: [...sum.problems, ...fresh].slice(0, PROBLEMS_SHOWN), problem_count: sum.problem_count + found.problem_count - known.length };
  for (const name of ["due", "entries", "events", "undecided", "overdue"]) next[name] += found[name];
  for (const [name, count] of Object.entries(found.outcomes)) next.outcomes[name] = (next.outcomes[name] || 0) + count;
  return next;
}

// One range after the other, so that it is seen how far it is, and can be stopped.
async function prove(from, to, pieces, signal, tell) {
  let sum = empty();
  for (let i = 0; i < pieces; i += 1) {
    const query = new URLSearchParams({ from: new Date(from + ((to - from) * i) / pieces).toISOString(), to: new Date(from + ((to - from) * (i + 1)) / pieces).toISOString() });
    for (;;) {
      try {
        const reply = await fetch(`/v1/ledger/verify?consistency=stale&${query}`, { credentials: "same-origin", cache: "no-store", signal: AbortSignal.any([signal, AbortSignal.timeout(PROOF_MS)]) });
        const found = await reply.json();
        if (reply.status === 429) throw null;
        if (!reply.ok) throw new api.ApiError(reply.status, found);
        sum = add(sum, found);
        break;
      } catch (error) {
        if (error !== null) throw error;
        await new Promise((resolve) => { setTimeout(resolve, BUSY_MS); }); // others prove here
      }
    }
    tell({ done: i + 1, sum });
  }
}

function Result({ state }) {
  const { sum, done, pieces } = state;
  const isWhole = done === pieces;
  const ok = sum.problem_count === 0;
  const most = Math.max(1, ...ORDER.map((name) => sum.outcomes[name] || 0));
  return html`<div class=${`verdict ${ok ? "" : "alarm"}`} role="status">
      <p class="says">${isWhole ? html`<${Status} state=${ok ? "ok" : "failed"}>${ok ? t("ledger.whole") : t("ledger.broken", { n: number(sum.problem_count) })}</${Status}>` : html`<${Status} state="running">${t("ledger.working")}</${Status}>`}</p>
      <p>${t("ledger.sum", { due: number(sum.due), entries: number(sum.entries) })} ${sum.undecided ? t("ledger.undecided", { n: number(sum.undecided) }) : ""} ${sum.overdue ? t("ledger.overdue", { n: number(sum.overdue) }) : ""}</p></div>
    <dl class="outcomes">${ORDER.map((name) => html`<div key=${name}><dt><${Status} state=${name} /></dt><dd><meter min="0" max=${most} value=${sum.outcomes[name] || 0} aria-label=${word("state", name)}></meter> ${number(sum.outcomes[name] || 0)}</dd></div>`)}
      <div><dt>${t("ledger.events")}</dt><dd>${number(sum.events)}</dd></div></dl>
    ${sum.problems.length ? html`<div class="frame" tabindex="0" role="group" aria-label=${t("ledger.kind")}><table><thead><tr><th scope="col">${t("ledger.kind")}</th><th scope="col">${t("job.job")}</th><th scope="col">${t("ledger.at")}</th><th scope="col">${t("ledger.detail")}</th></tr></thead>
      <tbody>${sum.problems.map((one, i) => html`<tr key=${i}><td>${one.kind}</td><td>${one.job}</td><td><${When} at=${one.at} /></td><td>${one.detail}</td></tr>`)}</tbody></table></div>` : null}`;
}

export default function Ledger() {
  const query = useQuery();
  const range = RANGES[query.range] ? query.range : "day";
  const known = cluster.use();
  const [state, set] = useState(null);
  const [error, fail] = useState(null);
  const stop = useRef(null);
  const begin = async () => {
    stop.current?.abort();
    const mine = stop.current = new AbortController();
    const to = Date.now(), from = to - RANGES[range], pieces = PIECES[range];
    fail(null);
    set({ from, to, pieces, done: 0, sum: empty() });
    try {
      await prove(from, to, pieces, mine.signal, (told) => { if (!mine.signal.aborted) set({ from, to, pieces, ...told }); });
    } catch (problem) {
      if (!mine.signal.aborted) fail(problem);
    }
  };
  useEffect(() => { if (api.session.get()) begin(); return () => stop.current?.abort(); }, [range]);
  const isBusy = state && state.done < state.pieces && !error;
  return html`<div class="head"><h1>${t("ledger.title")}</h1><span class="push"></span>
      <div class="choices" role="group" aria-label=${t("ledger.range")}>${Object.keys(RANGES).map((name) => html`<button type="button" key=${name} aria-pressed=${name === range} onClick=${() => setQuery({ range: name === "day" ? "" : name }, { push: true })}>${t(`ledger.${name}`)}</button>`)}</div>
      ${isBusy ? html`<button type="button" onClick=${() => { stop.current.abort(); set(null); }}>${t("ledger.stop")}</button>` : html`<button type="button" class="primary" onClick=${begin}>${t("ledger.verify")}</button>`}</div>
    <p class="note lead">${t("ledger.about")}</p>
    <section class="card proof" aria-labelledby="proof-title"><h2 id="proof-title">${t("ledger.proof")}</h2>
      ${state ? html`<label class="proof-progress"><span class="note">${t("ledger.fromTo", { from: date(new Date(state.from).toISOString()), to: date(new Date(state.to).toISOString()), done: state.done, pieces: state.pieces })}</span>
        <progress max=${state.pieces} value=${state.done}></progress></label>` : null}
      <${Mistake} error=${error} />
      ${state ? html`<${Result} state=${state} />` : html`<p class="note">${t("ledger.stopped")}</p>`}
      <${Copy} text=${`cronclave verify --from -${{ hour: "1h", day: "1d", week: "7d", month: "30d" }[range]}`}>CLI</${Copy}></section>
    ${known ? html`<section class="card" aria-labelledby="heads-title"><h2 id="heads-title">${t("ledger.heads")}</h2><p class="note">${t("ledger.headsAbout")}</p>
      <dl class="hashes"><div><dt>${t("ledger.head", { node: known.node })}</dt><dd><code>${known.ledger_head}</code></dd></div>
        <div><dt>${t("ledger.state", { index: number(known.index) })}</dt><dd><code>${known.state_hash}</code></dd></div></dl></section>` : null}`;
}
