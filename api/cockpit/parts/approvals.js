// What waits for a person: what is asked, who may answer until when, and the two answers.

import { Act, command, html, Status, t, tn, When } from "../house.js";
import { nameOf, runAt } from "./jobs.js";
import { answer } from "./reason.js";
import { named } from "./run_rows.js";

// `run`: its id and namespace; an answer is for one round.
const say = (run, task, round, word) => {
  const reason = answer(t("approval.reason"));
  return {
    text: t(`approval.${word}`), title: t(`approval.${word}It`, { task, run: run.id }), capability: "approve", namespace: run.namespace, method: "POST", dry: true,
    path: `/v1/runs/${run.id}/tasks/${encodeURIComponent(task)}/${word}?round=${round}`, danger: word === "reject",
    body: () => ({ ...(reason.value() && { reason: reason.value() }) }), fields: () => reason.field(),
    says: t(`approval.${word}Says`), did: t(`approval.${word}Did`, { task }),
    cli: () => command("run", word, String(run.id), task, "--round", String(round + 1), ...(reason.value() ? ["--reason", reason.value()] : [])),
  };
};
export const answers = (run, task, round) => [say(run, task, round, "approve"), say(run, task, round, "reject")];

const who = (asked) => `${asked.by.length ? asked.by.join(", ") : t("approval.anybody")}${asked.not ? ` ${t("approval.not", { who: asked.not })}` : ""}`;

// Of a task of a run: what it asks, or what somebody answered.
export function Approval({ asked }) {
  if (asked.answer) return html`<p class="banner-of">${t(`approval.${asked.answer}`, { by: asked.answered_by || "–" })} <${When} at=${asked.answered} />${asked.reason ? `: ${asked.reason}` : ""}</p>`;
  return html`<p class="banner-of">${asked.text || t("approval.question")} <span class="note">${t("approval.who", { who: who(asked) })} <${When} at=${asked.expires} /></span></p>`;
}

// What the reader may answer, in the overview. `told`: a page of it.
export default function Mine({ told }) {
  const more = told.next_cursor ? "+" : "";
  return html`<section aria-labelledby="mine-title"><div class="head"><h2 id="mine-title">${t("approval.mine")}</h2><${Status} state="held">${told.items.length}${more} ${tn("approval.wait", told.items.length)}</${Status}></div>
    <ul class="needs card">${told.items.map((item) => {
      const run = { id: item.run, namespace: item.namespace };
      return html`<li key=${`${item.run} ${item.task}`}><${Status} state="held">${t("approval.asks")}</${Status}><div><p><a class="who" href=${`${runAt(item.run)}?task=${encodeURIComponent(item.task)}`}>${nameOf(named(item))}, ${item.task}</a></p>
        <p class="note">${item.text || t("approval.question")} ${t("approval.until")} <${When} at=${item.expires} /></p></div>
        <span class="buttons">${answers(run, item.task, item.round).map((action) => html`<${Act} key=${action.path} action=${action} small />`)}</span></li>`;
    })}</ul></section>`;
}
