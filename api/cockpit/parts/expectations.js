// What was expected of a job or a run and does not hold: what, why, since when; who has seen it, and until when.

import { Act, Ago, command, html, Said, Status, t, useRead, When } from "../house.js";
import { instantOf, localOf } from "./instants.js";
import { runAt } from "./jobs.js";
import { answer } from "./reason.js";

const EVENTS = ["expectation_unmet", "expectation_met", "expectation_acknowledged"], SHOWN = 20, FIRST_MS = 4 * 3600000;
const what = (item) => t(`expected.${item.what}`);

const acknowledge = (item, done) => {
  const until = answer(t("expected.until"), { first: localOf(new Date(Date.now() + FIRST_MS).toISOString()), type: "datetime-local", name: "until", step: 1 });
  const reason = answer(t("expected.reason"));
  return {
    text: t("expected.acknowledge"), title: t("expected.acknowledgeIt", { what: what(item), job: item.job }), capability: "operate", namespace: item.namespace, method: "POST", dry: true,
    path: `/v1/expectations/${item.id}/acknowledge`, says: t("expected.says"), did: t("expected.did"), done,
    body: () => ({ until: instantOf(until.value()), ...(reason.value() && { reason: reason.value() }) }), fields: () => html`${until.field()}${reason.field()}`,
    cli: () => command("expectation", "acknowledge", String(item.id), "--until", instantOf(until.value()) || "", ...(reason.value() ? ["--reason", reason.value()] : [])),
  };
};

const Item = ({ item, ofRun, again }) => html`<li><${Status} state=${item.over ? "ok" : "late"}>${what(item)}</${Status}><div><p><${Said}>${item.said}</${Said}> <span class="note"><${Ago} at=${item.at} /></span>
    ${!ofRun && item.run ? html` <a href=${runAt(item.run)}>#${item.run}</a>` : null}</p>
  ${item.over ? html`<p class="note">${t("expected.over")} <${When} at=${item.over} /></p>` : null}
  ${item.acknowledged ? html`<p class="note">${t("expected.seen", { by: item.acknowledged.by || "–" })} <${When} at=${item.acknowledged.until} />${item.acknowledged.reason ? `: ${item.acknowledged.reason}` : ""}</p>` : null}</div>
  ${item.over ? null : html`<${Act} action=${acknowledge(item, again)} small />`}</li>`;

const List = ({ items, ofRun, again }) => html`<section aria-labelledby="expected-title"><h2 id="expected-title">${t("expected.title")}</h2>
  <ul class="needs card">${items.map((item) => html`<${Item} key=${item.id} item=${item} ofRun=${ofRun} again=${again} />`)}</ul></section>`;

// Of a job: what does not hold now. Nothing, where all does.
export function UnmetOfJob({ job }) {
  const query = new URLSearchParams({ namespace: job.namespace, job: job.name, limit: SHOWN });
  const { data, again } = useRead(`/v1/expectations?${query}`, { types: EVENTS });
  return data?.items.length ? html`<${List} items=${data.items} again=${again} />` : null;
}

// Of a run: all that did not hold, and by when the rest is to come (`limitsOf`).
export const UnmetOfRun = ({ run, again }) => run.expected?.told.length ? html`<${List} items=${run.expected.told} ofRun again=${again} />` : null;
export const limitsOf = ({ expected }) => ["start_by", "end_by", "at_risk_from", "long_from"].map((name) => [t(`expected.${name}`), expected?.[name] && html`<${When} at=${expected[name]} />`]);
