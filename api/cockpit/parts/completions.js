// What somebody outside completes: until when, how far it is, and a person's word in place of theirs.

import { command, html, Said, t, When } from "../house.js";
import { answer } from "./reason.js";

const OUTCOMES = ["succeeded", "failed"];

// Of a task of a run, or of a member of it. One that is not async has none.
export function completing(run, task, member = "") {
  const outcome = answer(t("completion.as"), { first: OUTCOMES[0], name: "outcome", options: OUTCOMES.map((word) => [word, t(`state.${word}`)]) });
  const message = answer(t("approval.reason"), { name: "message" });
  return {
    text: t("completion.complete"), title: t("completion.completeIt", { task: member ? `${task} (${member})` : task, run: run.id }), capability: "operate", namespace: run.namespace, method: "POST", dry: true,
    path: `/v1/runs/${run.id}/tasks/${encodeURIComponent(task)}/complete${member ? `?member=${encodeURIComponent(member)}` : ""}`,
    body: () => ({ outcome: outcome.value(), ...(message.value() && { message: message.value() }) }), fields: () => html`${outcome.field()}${message.field()}`,
    says: t("completion.completeSays"), did: t("completion.completeDid", { task }),
    cli: () => command("run", "complete", String(run.id), task, "--as", outcome.value(), ...(message.value() ? ["--message", message.value()] : []), ...(member ? ["--member", member] : [])),
  };
}

// What is known of an attempt: how far it is, then who completed it, or until when somebody may.
export function Completion({ known, ended }) {
  const far = known.progress, by = known.by ? t("completion.by", { by: known.by }) : t("completion.byToken");
  return html`${far && !ended ? html`<p class="banner-of">${far.percent === null ? null : html`<progress max="100" value=${far.percent} aria-label=${t("completion.far")}></progress> ${far.percent} % `}${far.text || ""} <span class="note"><${When} at=${far.at} /></span></p>` : null}
    ${known.outcome ? html`<p class="banner-of">${t(`completion.${known.outcome}`)} ${by} <${When} at=${known.at} />${known.message ? html`: <${Said}>${known.message}</${Said}>` : null}</p>`
      : known.until ? html`<p class="banner-of">${t("completion.awaits")} <${When} at=${known.until} /></p>` : null}`;
}
