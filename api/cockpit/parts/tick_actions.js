// What a person says of one coming tick: hold, release, skip, move it, or give its run other parameters. A tick is {namespace, job, trigger, at, due}.

import { command } from "./action.js";
import * as api from "./api.js";
import { html } from "./html.js";
import { instantOf, localOf } from "./instants.js";
import { filled, Params } from "./job_actions.js";
import { pathOf } from "./jobs.js";
import { Loading } from "./parts.js";
import { useRead } from "./reads.js";
import { answer } from "./reason.js";
import { t, whole } from "./words.js";

const LATER_MS = 3600000;

export const whyOf = () => answer(t("agents.reason"), { first: t("pause.reason", { name: api.session.get()?.name }) });

// `act`: as the command line says it; `body`: what it sends; `fields`: what is asked beside the reason; `words`: the same for the command line.
function change(line, act, done, { body = () => ({ [act]: true }), fields = () => null, words = () => [], more = () => [], ...rest } = {}) {
  const reason = whyOf(), of = { name: line.job, at: whole(line.at) };
  return { text: t(`plan.${act}`), title: t(`plan.${act}It`, of), says: t(`plan.${act}Says`), capability: "operate", namespace: line.namespace, method: "PATCH", dry: true, done,
    path: `/v1/jobs/${encodeURIComponent(line.job)}/ticks/${line.at}?namespace=${encodeURIComponent(line.namespace)}`, body: () => ({ ...body(), trigger: line.trigger, reason: reason.value() }),
    fields: ({ changed }) => [fields(changed), reason.field()], undo: act === "release" || act === "params" ? null : change(line, "release", done),
    cli: () => command("plan", act, line.job, line.at, ...words(), "--namespace", line.namespace, "--trigger", line.trigger, ...more(), "--reason", reason.value()), ...rest };
}

function moved(line, done) {
  const to = answer(t("plan.to"), { type: "datetime-local", name: "to", first: localOf(new Date(Math.max(Date.parse(line.changed?.to || line.due), Date.now()) + LATER_MS).toISOString()), step: 1 });
  return change(line, "move", done, { body: () => ({ move_to: instantOf(to.value()) }), fields: () => to.field(), words: () => [instantOf(to.value())] });
}

// Which parameters there are the job says, when the dialog is open.
function given(line, done) {
  const values = Object.fromEntries(Object.entries(line.changed?.params || {}).map(([name, value]) => [name, String(value)]));
  let declared = {};
  const Fields = ({ changed }) => {
    const { data, error } = useRead(pathOf({ namespace: line.namespace, name: line.job }), { every: 0 });
    if (!data) return html`<${Loading} error=${error} />`;
    declared = data.params || {};
    return Object.keys(declared).length ? html`<${Params} of=${declared} given=${values} changed=${changed} />` : html`<p class="note">${t("plan.noParams")}</p>`;
  };
  const now = () => filled(declared, values);
  return change(line, "params", done, { body: () => ({ params: now() }), fields: (changed) => html`<${Fields} changed=${changed} />`, dry: false, more: () => Object.entries(now()).flatMap(([name, value]) => ["--param", `${name}=${value}`]) });
}

// Those that fit it: `isHeld`: a person keeps it back, leaves it out or has moved it.
export const actsOn = (line, done, { isHeld }) => [...(isHeld ? [change(line, "release", done)] : []), ...(isHeld && Date.parse(line.at) <= Date.now() ? [] : [change(line, "hold", done), change(line, "skip", done)]), moved(line, done), given(line, done)];
