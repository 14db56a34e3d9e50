// Who is told what: notices newest first, what is muted and until when, and receivers that take nothing.

import { Act, Ago, Choice, command, html, Mistake, Status, t, tn, useQuery, useRead, When } from "../house.js";
import { instantOf, localOf } from "../parts/instants.js";
import { jobAt, nameOf, runAt } from "../parts/jobs.js";
import { usePages } from "../parts/pages_of.js";
import { answer } from "../parts/reason.js";
import { NOTICED } from "../parts/told_of.js";
import { LongTable } from "../parts/window.js";

const EVENTS = ["effect_queued", "effect_sent", "effect_given_up", "effect_dropped", "effect_acknowledged", "effect_escalated", "effect_muted"];
const STATES = ["all", "open", "waiting", "gathered", "sent", "given_up", "muted", "together"];
const ROW_PIXELS = 46, COLUMNS = 6, FIRST_MS = 4 * 3600000;

const of = (one) => ({ namespace: one.namespace, capability: "operate", method: "POST", dry: true });

const acknowledge = (one, done) => {
  const reason = answer(t("expected.reason"));
  return { ...of(one), text: t("notify.acknowledge"), title: t("notify.acknowledgeIt", { job: one.job, about: one.about }), path: `/v1/outbox/${one.id}/acknowledge`, says: t("notify.acknowledgeSays"),
    did: t("expected.did"), done, fields: () => reason.field(), body: () => reason.value() ? { reason: reason.value() } : {},
    cli: () => command("notify", "acknowledge", String(one.id), ...(reason.value() ? ["--reason", reason.value()] : [])) };
};
const resend = (one, done) => ({ ...of(one), text: t("notify.resend"), title: t("notify.resendIt", { n: one.id }), path: `/v1/outbox/${one.id}/resend`, says: t("notify.resendSays", { to: one.target }), did: t("notify.resendDid"), done, cli: command("notify", "resend", String(one.id)) });
const unmute = (one, done) => ({ ...of(one), method: "DELETE", text: t("notify.unmute"), title: t("notify.unmuteIt"), path: `/v1/mutes/${one.id}`, says: t("notify.unmuteSays"), did: t("notify.unmuteDid"), done, cli: command("notify", "unmute", String(one.id)) });
const mute = (namespace, done) => {
  const until = answer(t("expected.until"), { first: localOf(new Date(Date.now() + FIRST_MS).toISOString()), type: "datetime-local", name: "until", step: 1 });
  const job = answer(t("notify.job"), { name: "job", note: t("notify.jobNote") }), reason = answer(t("expected.reason"));
  return { ...of({ namespace }), text: t("notify.mute"), title: t("notify.muteIt", { namespace }), path: "/v1/mutes", says: t("notify.muteSays"), did: t("notify.muteDid"), done,
    fields: () => html`${job.field()}${until.field()}${reason.field()}`,
    body: () => ({ namespace, until: instantOf(until.value()), ...(job.value() && { job: job.value() }), ...(reason.value() && { reason: reason.value() }) }),
    cli: () => command("notify", "mute", ...(job.value() ? [job.value()] : []), "--namespace", namespace, "--until", instantOf(until.value()) || "", ...(reason.value() ? ["--reason", reason.value()] : [])) };
};

const whose = (one) => one.namespace ? nameOf({ namespace: one.namespace, name: one.job || "*" }) : t("notify.everything");

function Mutes({ namespace }) {
  const { data, again } = useRead("/v1/mutes", { types: ["muted", "unmuted"] });
  return html`<section aria-labelledby="mutes-title"><div class="head"><h2 id="mutes-title">${t("notify.mutes")}</h2><${Act} action=${mute(namespace, again)} small /></div>
    ${data?.items.length ? html`<ul class="needs card">${data.items.map((one) => html`<li key=${one.id}><${Status} look="stop">${one.about || t("notify.all")}</${Status}><div><p class="who">${whose(one)}</p>
      <p class="note">${t("notify.mutedBy", { by: one.by || "–" })} <${When} at=${one.until} />${one.reason ? `: ${one.reason}` : ""}</p></div><${Act} action=${unmute(one, again)} small /></li>`)}</ul>` : html`<p class="note">${t("notify.noMutes")}</p>`}</section>`;
}

function Failing() {
  const { data } = useRead("/v1/receivers", { types: ["receiver_failing", "receiver_recovered"] });
  return data?.items.length ? html`<section aria-labelledby="failing-title"><h2 id="failing-title">${t("notify.failing")}</h2>
    <ul class="needs card">${data.items.map((one) => html`<li key=${one.target}><${Status} state="failing" /><div><p class="who">${one.channel || one.target}</p>
      <p class="note">${tn("notify.tries", one.failures)} <${Ago} at=${one.since} />: ${one.reason}</p></div></li>`)}</ul></section>` : null;
}

function Row({ one, again }) {
  const open = ["waiting", "given_up"].includes(one.state), silent = one.escalates && !one.acknowledged;
  return html`<tr><td><${When} at=${one.created} /></td><td><${Status} look=${NOTICED[one.state] || "none"} title=${one.reason || ""}>${t(`noticed.${one.state}`)}</${Status}></td>
    <td>${one.about} ${one.run ? html`<a href=${runAt(one.run)}>#${one.run}</a>` : null}</td>
    <td>${one.job ? html`<a class="who plain" href=${jobAt({ namespace: one.namespace, name: one.job })}>${nameOf({ namespace: one.namespace, name: one.job })}</a>` : null}</td>
    <td class="wide"><span class="note" title=${one.target}>${one.channel || one.target}${one.reason ? `: ${one.reason}` : ""}</span></td>
    <td>${one.acknowledged ? html`<span class="note">${t("notify.seen", { by: one.acknowledged.by || "–" })}</span>` : silent ? html`<${Act} action=${acknowledge(one, again)} small />` : open ? html`<${Act} action=${resend(one, again)} small />` : null}</td></tr>`;
}

export default function Notifications() {
  const query = useQuery(), state = STATES.includes(query.state) ? query.state : "all", namespace = query.namespace || "default";
  const list = usePages(`/v1/outbox?newest=true&state=${state}`, EVENTS);
  return html`<div class="head"><h1>${t("notify.title")}</h1><span class="note" role="status">${list.loading || list.error ? "" : list.whole ? tn("notify.count", list.known) : tn("notify.countMore", list.known)}</span>
      <${Choice} name="state" label=${t("notify.which")} options=${STATES.map((each) => [each === "all" ? "" : each, t(`noticed.${each}`)])} /></div>
    <${Failing} /><${Mutes} namespace=${namespace} />
    ${list.error ? html`<${Mistake} error=${list.error} />` : html`<${LongTable} list=${list} height=${ROW_PIXELS} label=${t("notify.title")} columns=${COLUMNS} empty=${html`<p class="more">${t("notify.none")}</p>`}
      head=${html`<tr><th scope="col" class="w-m">${t("audit.at")}</th><th scope="col" class="w-m">${t("jobs.state")}</th><th scope="col">${t("notify.about")}</th><th scope="col">${t("job.job")}</th><th scope="col" class="wide">${t("notify.to")}</th><th scope="col" class="w-m">${t("notify.answer")}</th></tr>`}
      row=${(one) => html`<${Row} key=${one.id} one=${one} again=${list.again} />`} />`}`;
}
