// The ledger: proved against what was due, while it is seen how far the proof is, and the head of its chain.

import { api, cluster, Copy, html, Mistake, number, Said, setQuery, span, Status, t, tn, useEffect, useQuery, useRef, useState, When, whole, word } from "../house.js";
import { jobAt, nameOf, whyAt } from "../parts/jobs.js";

const HOUR_MS = 3600000, RANGES = { hour: HOUR_MS, day: 24 * HOUR_MS, week: 7 * 24 * HOUR_MS, month: 30 * 24 * HOUR_MS };
const BY_ITSELF_MS = 24 * HOUR_MS; // longer ones wait to be asked for
const BUSY_MS = 3000, LOOK_MS = 400, PROOF_MS = 1800000;
const ORDER = ["ran", "skipped", "coalesced", "missed"];

// One proof at a time is at work on a node; meanwhile it tells how far it is.
async function prove(range, signal, tell) {
  const query = new URLSearchParams(range);
  const look = setInterval(() => {
    api.read("/v1/ledger/proofs", { signal }).then(({ items }) => {
      const mine = items.find((one) => one.from === range.from && one.to === range.to);
      if (mine) tell(mine);
    }, () => {});
  }, LOOK_MS);
  try {
    for (;;) {
      const reply = await fetch(`/v1/ledger/verify?consistency=stale&${query}`, { credentials: "same-origin", cache: "no-store", signal: AbortSignal.any([signal, AbortSignal.timeout(PROOF_MS)]) });
      const found = await reply.json();
      if (reply.ok) return found;
      if (reply.status !== 429) throw new api.ApiError(reply.status, found);
      await new Promise((resolve) => { setTimeout(resolve, BUSY_MS); }); // others prove here
    }
  } finally {
    clearInterval(look);
  }
}
const instant = (ms) => new Date(ms).toISOString().replace(".000Z", "Z");

function Result({ sum }) {
  const ok = sum.ok;
  const counts = Object.entries(sum.outcomes);
  const count = (name) => counts.reduce((all, [full, n]) => all + (full.split("(")[0] === name ? n : 0), 0); // "skipped(overlap)" is one of skipped
  const why = (name) => counts.filter(([full]) => full.startsWith(`${name}(`)).map(([full, n]) => `${full.slice(name.length + 1, -1)} ${number(n)}`).join(", ");
  const pending = sum.outcomes.pending || 0; // their runs have not begun: an entry is written with the first grant
  const most = Math.max(1, ...ORDER.map(count));
  return html`<div class=${`verdict ${ok ? "" : "alarm"}`} role="status">
      <p class="says"><${Status} state=${ok ? "ok" : "failed"}>${ok ? t("ledger.whole") : t("ledger.broken", { n: number(sum.problem_count) })}</${Status}></p>
      <p>${t("ledger.sum", { due: number(sum.due), entries: number(sum.entries) })} ${pending ? tn("ledger.pending", pending) : ""} ${sum.undecided ? t("ledger.undecided", { n: number(sum.undecided) }) : ""} ${sum.overdue ? t("ledger.overdue", { n: number(sum.overdue) }) : ""}</p></div>
    <dl class="outcomes">${ORDER.map((name) => html`<div key=${name}><dt><${Status} state=${name} /></dt><dd><meter min="0" max=${most} value=${count(name)} aria-label=${word("state", name)}></meter> ${number(count(name))}${why(name) ? html` <span class="note">${why(name)}</span>` : null}</dd></div>`)}
      <div><dt>${t("ledger.events")}</dt><dd>${number(sum.events)}</dd></div></dl>
    ${sum.problems.length ? html`<div class="frame" tabindex="0" role="group" aria-label=${t("ledger.kind")}><table><thead><tr><th scope="col">${t("ledger.kind")}</th><th scope="col">${t("job.job")}</th><th scope="col">${t("ledger.at")}</th><th scope="col">${t("ledger.detail")}</th></tr></thead>
      <tbody>${sum.problems.map((one, i) => html`<tr key=${i}><td>${one.kind}</td><td>${one.name ? html`<a class="who plain" href=${jobAt(one)}>${nameOf(one)}</a> <span class="note">${one.trigger_id}</span>` : one.job || ""}</td><td>${one.name && one.at ? html`<a href=${whyAt(one, one.at)}><${When} at=${one.at} /></a>` : html`<${When} at=${one.at} />`}</td><td><${Said}>${one.detail}</${Said}></td></tr>`)}</tbody></table></div>` : null}`;
}

// What the leader has looked through by itself, all the time, and what it found.
function Watch({ known }) {
  const { proved, difference } = known;
  return html`<section class=${difference ? "alarm" : "card"} aria-labelledby="watch-title"><h2 id="watch-title">${t("ledger.watch")}</h2>
    ${difference ? html`<p><${Status} state="differs">${t("health.differs")}</${Status}> ${tn("ledger.differs", difference.problems)} <${When} at=${difference.since} /></p>
      <p>${difference.job ? html`<a class="who" href=${difference.at ? whyAt({ namespace: difference.namespace, name: difference.job }, difference.at) : jobAt({ namespace: difference.namespace, name: difference.job })}>${nameOf({ namespace: difference.namespace, name: difference.job })}</a> ` : null}<code>${difference.kind}</code> <${When} at=${difference.at} /> <${Said}>${difference.detail}</${Said}></p><${Copy} text=${difference.command}>CLI</${Copy}>` : null}
    ${proved ? html`<p>${difference ? null : html`<${Status} state="ok">${t("ledger.agrees")}</${Status}> `}${proved.recent ? html`${t("ledger.provedRecent")} <${When} at=${proved.recent} />` : null}${proved.whole ? html`; ${t("ledger.provedWhole")} <${When} at=${proved.whole} />` : null}</p>
      <p class="note">${t("ledger.provedOf", { due: number(proved.due), entries: number(proved.entries), span: span(proved.took_seconds * 1000) })}</p>`
    : html`<p class="note">${known.leader === known.node ? t("ledger.provedNot") : html`${t("ledger.provedElsewhere")} ${known.leader_url ? html`<a href=${`${known.leader_url}/cockpit/ledger`}>${known.leader}</a>` : known.leader}`}</p>`}</section>`;
}

export default function Ledger() {
  const query = useQuery();
  const range = RANGES[query.range] ? query.range : "hour";
  const known = cluster.use();
  const [state, set] = useState(null);
  const [error, fail] = useState(null);
  const stop = useRef(null);
  const begin = async () => {
    stop.current?.abort();
    const mine = stop.current = new AbortController();
    const to = Date.now(), asked = { from: instant(to - RANGES[range]), to: instant(to) };
    fail(null);
    set({ range: asked });
    try {
      const sum = await prove(asked, mine.signal, (far) => { if (!mine.signal.aborted) set((old) => old?.sum ? old : { range: asked, far }); });
      if (!mine.signal.aborted) set({ range: asked, sum });
    } catch (problem) {
      if (!mine.signal.aborted) fail(problem);
    }
  };
  useEffect(() => { if (RANGES[range] <= BY_ITSELF_MS) begin(); else set(null); return () => stop.current?.abort(); }, [range]);
  const isBusy = state && !state.sum && !error;
  const far = state?.far;
  return html`<div class="head"><h1>${t("ledger.title")}</h1><span class="push"></span>
      <div class="choices" role="group" aria-label=${t("ledger.range")}>${Object.keys(RANGES).map((name) => html`<button type="button" key=${name} aria-pressed=${name === range} onClick=${() => setQuery({ range: name === "hour" ? "" : name }, { push: true })}>${t(`ledger.${name}`)}</button>`)}</div>
      ${isBusy ? html`<button type="button" onClick=${() => { stop.current.abort(); set(null); }}>${t("ledger.stop")}</button>` : html`<button type="button" class="primary" onClick=${begin}>${t("ledger.verify")}</button>`}</div>
    <p class="note intro">${t("ledger.about")}</p>
    ${known ? html`<${Watch} known=${known} />` : null}
    <section class="card proof" aria-labelledby="proof-title"><h2 id="proof-title">${t("ledger.proof")}</h2>
      ${isBusy ? html`<label class="proof-progress"><span class="note" role="status">${far?.began ? t("ledger.far", { checked: number(far.checked), entries: number(far.entries), due: number(far.due) }) : t("ledger.line")}</span>
        <progress max=${far?.began ? Math.max(1, far.entries) : undefined} value=${far?.began ? far.checked : undefined}></progress></label>` : null}
      <${Mistake} error=${error} />
      ${state?.sum ? html`<${Result} sum=${state.sum} /><p class="note">${t("ledger.fromTo", { from: whole(state.range.from), to: whole(state.range.to) })}</p>` : !state && !error ? html`<p class="note">${t("ledger.stopped")}</p>` : null}
      <${Copy} text=${`cronclave verify --from -${{ hour: "1h", day: "1d", week: "7d", month: "30d" }[range]}`}>CLI</${Copy}></section>
    ${known ? html`<section class="card" aria-labelledby="heads-title"><h2 id="heads-title">${t("ledger.heads")}</h2><p class="note">${t("ledger.headsAbout")}</p>
      <dl class="hashes"><div><dt>${t("ledger.head", { node: known.node })}</dt><dd><code>${known.ledger_head}</code></dd></div>
        <div><dt>${t("ledger.state", { index: number(known.index) })}</dt><dd><code>${known.state_hash}</code></dd></div></dl></section>` : null}`;
}
