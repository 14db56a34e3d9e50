// The members of a task that is divided: how they stand, those to look at first, and hands on one.

import { Act, html, Said, Status, t, useRead } from "../house.js";
import { Completion } from "./completions.js";

const SHOWN = 500, WORST = ["failed", "timed_out", "lost", "expired", "cancelled", "held", "retry_wait"];
const HANDS = { blocked: ["hold", "skip"], queued: ["hold", "skip"], retry_wait: ["retry", "hold", "skip", "stop"], held: ["release", "skip"], active: ["stop"] };
const shown = (state) => state === "active" ? "running" : state;

const worstFirst = (members) => members.slice().sort((one, other) => WORST.includes(other.state) - WORST.includes(one.state));

// `current`: the member whose output is shown; `href`: of a member; `act`: of a member and a hand the action.
export function Members({ run, task, current, href, act }) {
  const path = `/v1/runs/${run.id}/tasks/${encodeURIComponent(task)}/members`, types = { types: (event) => event.run === run.id, every: 5000 };
  const all = useRead(`${path}?limit=${SHOWN}`, types), odd = useRead(`${path}?limit=50&state=${WORST.join(",")}`, types);
  const chosen = useRead(current ? `${path}?member=${encodeURIComponent(current)}` : null, types), one = chosen.data?.items[0]; // it may be none of those shown
  const counts = run.tasks[task].members, first = all.data?.items || [], known = new Set(first.map((each) => each.member));
  const members = worstFirst([...first, ...(odd.data?.items || []).filter((each) => !known.has(each.member))]);
  const awaits = one?.attempt?.state === "awaiting" ? ["complete"] : [];
  const hands = one && !run.finished && !run.stopping ? [...awaits, ...(HANDS[one.state] || [])] : [];
  return html`<section aria-labelledby="members-title"><div class="head"><h2 id="members-title">${t("run.members")}</h2><span class="who">${task}</span>
      <span class="note">${["succeeded", "failed", "skipped", "going"].filter((name) => counts[name]).map((name) => t(`run.members_${name}`, { n: counts[name] })).join(", ")} ${t("run.membersOf", { n: counts.all })}</span>
      ${hands.map((hand) => html`<${Act} key=${hand} action=${act(one.member, hand)} />`)}</div>
    <nav class="cells tries card" aria-label=${t("run.members")}>${members.map((each) => html`<a key=${each.member} href=${href(each.member)} title=${each.item} aria-current=${each.member === current ? "true" : undefined}>
      <${Status} state=${each.warned ? "warned" : shown(each.state)}>${each.member}</${Status}></a>`)}</nav>
    ${counts.all > members.length ? html`<p class="note">${t("run.membersMore", { n: counts.all - members.length })}</p>` : null}
    ${one ? html`<p class="note"><code>${one.item.slice(0, 200)}</code> ${one.attempt ? one.attempt.agent : ""} ${one.reason ? html`<${Said}>${one.reason}</${Said}>` : null}</p>` : null}
    ${one?.attempt?.completion ? html`<${Completion} known=${one.attempt.completion} ended=${one.attempt.finished} />` : null}</section>`;
}
