// Runs, newest first.

import { Choice, html, Search, t, tn, useKeys, useQuery, word } from "../house.js";
import { usePages } from "../parts/pages_of.js";
import { LongTable } from "../parts/window.js";
import { RUN_COLUMNS, RunHead, RunRow } from "../parts/run_rows.js";

const EVENTS = ["run_created", "run_started", "run_ended", "run_held", "run_released", "run_waits", "attempt_unreachable"];
const STATES = ["pending", "running", "held", "suspended", "succeeded", "failed", "timed_out", "cancelled", "lost", "expired"];
const ROW_PIXELS = 46;

export default function Runs() {
  const query = useQuery();
  const filters = new URLSearchParams();
  for (const name of ["job", "state", "namespace", "since", "warned"]) if (query[name]) filters.set(name, query[name]);
  const list = usePages(`/v1/runs?${filters}`, EVENTS);
  useKeys({ "/": ["keys.filter", () => document.getElementById("filter").focus()] });
  return html`<div class="head"><h1>${t("runs.title")}</h1>
      <span class="note" role="status">${list.loading || list.error ? "" : list.whole ? tn("runs.count", list.known) : tn("runs.countMore", list.known)}</span>
      <${Search} name="job" label=${t("runs.search")} />
      <${Choice} name="state" label=${t("runs.state")} options=${[["", t("runs.allStates")], ...STATES.map((state) => [state, word("state", state)])]} />
      <${Choice} name="warned" label=${t("runs.warned")} options=${[["", t("runs.warnedOrNot")], ["true", t("runs.warnedOnly")]]} /></div>
    <${LongTable} list=${list} head=${html`<${RunHead} />`} height=${ROW_PIXELS} label=${t("runs.title")} columns=${RUN_COLUMNS}
      empty=${html`<p class="more">${t("runs.none")}</p>`} row=${(run) => html`<${RunRow} key=${run.id} run=${run} />`} />`;
}
