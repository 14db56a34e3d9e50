// Runs in a table, for the pages that list some.

import { html } from "./html.js";
import { jobAt, nameOf, runAt } from "./jobs.js";
import { When } from "./parts.js";
import { Status } from "./status.js";
import { between, span, t, when, word } from "./words.js";

const attemptsOf = (run) => Object.values(run.tasks).flatMap((task) => task.attempts);
export const named = (run) => ({ namespace: run.namespace, name: run.job });

export const RUN_COLUMNS = 7;
export const RunHead = () => html`<tr><th scope="col" class="w-s">${t("run.run")}</th><th scope="col">${t("run.job")}</th><th scope="col" class="w-l">${t("run.state")}</th>
  <th scope="col" class="wide w-l">${t("run.cause")}</th><th scope="col" class="wide w-l">${t("run.agent")}</th><th scope="col" class="w-m">${t("run.started")}</th>
  <th scope="col" class="wide number w-m">${t("run.duration")}</th></tr>`;

export function RunRow({ run }) {
  const attempts = attemptsOf(run);
  const agents = [...new Set(attempts.map((attempt) => attempt.agent))].join(", ");
  const took = run.started && run.finished ? span(between(run.started, run.finished)) : "";
  return html`<tr><td><a href=${runAt(run.id)} aria-label=${t("run.open", { run: run.id })}>#${run.id}</a></td>
    <td><a class="who plain" href=${jobAt(named(run))}>${nameOf(named(run))}</a></td>
    <td><a class="plain" href=${runAt(run.id)} tabindex="-1"><${Status} state=${run.state} title=${run.reason} /></a>
      ${attempts.some((attempt) => attempt.unreachable) ? html` <${Status} state="unreachable">${t("run.unreachable")}</${Status}>` : null}
      ${run.warned ? html` <${Status} state="warned" />` : null}
      ${run.exit_code ? html` <span class="note">${t("run.exit", { code: run.exit_code })}</span>` : null}</td>
    <td class="wide">${run.tick ? t("run.tick", { at: when(run.tick) }) : word("cause", run.cause)}</td>
    <td class="wide">${agents}</td>
    <td>${run.started ? html`<${When} at=${run.started} />` : html`<span class="note">${t("run.notYet")}</span>`}</td>
    <td class="wide number">${took}</td></tr>`;
}
