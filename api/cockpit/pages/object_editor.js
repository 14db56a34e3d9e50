// The text of an object, edited: mistakes at their lines, what changes, who refers to it, and only then is it saved.

import { api, at, go, html, Loading, Status, t, useEffect, useRead, useState, When } from "../house.js";
import { Diff } from "../parts/diff.js";
import { nameOf } from "../parts/jobs.js";
import { deleteObject, FIRST, KINDS, objectAt, pathOf, putObject, Referrer } from "../parts/objects.js";
import { nameIn, TextEditor } from "../parts/text_editor.js";

const REFERRERS = 20, MOVED_SHOWN = 3;

function Touched({ one }) {
  const { data } = useRead(`${pathOf(one, "referrers")}&limit=${REFERRERS}`, { every: 0 });
  if (!data?.items.length) return null;
  return html`<div><h3>${t("objects.touches")}</h3><ul class="plain-list">${data.items.map((each) => html`<li key=${`${each.kind} ${each.namespace} ${each.name}`}><${Referrer} of=${each} /></li>`)}
    ${data.next_cursor ? html`<li class="note">${t("agents.moreWork")}</li>` : null}</ul></div>`;
}

const Instants = ({ of, count }) => count ? html`${of.slice(0, MOVED_SHOWN).map((instant, i) => html`${i ? ", " : ""}<${When} at=${instant} key=${instant} />`)}${count > MOVED_SHOWN ? ` ${t("objects.movesMore", { n: count - MOVED_SHOWN })}` : ""}` : "–";

// Which ticks of which jobs are others by what is edited.
function Moves({ moves, cut }) {
  if (!moves?.length) return null;
  return html`<div><h3>${t("objects.moves")}</h3><table><thead><tr><th scope="col">${t("objects.movesWhose")}</th><th scope="col">${t("objects.movesGone")}</th><th scope="col">${t("objects.movesCome")}</th></tr></thead>
    <tbody>${moves.map((one) => html`<tr key=${`${one.namespace} ${one.job} ${one.trigger}`}><td><a class="who" href=${at("jobs", one.namespace, one.job)}>${nameOf({ namespace: one.namespace, name: one.job })}</a> <span class="note">${one.trigger}</span></td>
      <td><${Instants} of=${one.gone} count=${one.gone_count} /></td><td><${Instants} of=${one.come} count=${one.come_count} /></td></tr>`)}</tbody></table>${cut ? html`<p class="note">${t("objects.movesCut")}</p>` : null}</div>`;
}

export const changes = (before, one) => function Changes({ preview, text }) {
  return html`<section aria-labelledby="would-title"><div class="head"><h2 id="would-title">${t("editor.would")}</h2><${Status} state=${preview.change === "unchanged" ? "pending" : "ok"}>${t(`become.${preview.change}`)}</${Status}></div>
    ${before !== null && preview.change !== "unchanged" ? html`<div class="card would"><div><h3>${t("editor.changes")}</h3><${Diff} before=${before} after=${text} label=${t("editor.changes")} /></div>${one ? html`<${Touched} one=${one} />` : null}<${Moves} moves=${preview.moves} cut=${preview.moves_cut} /></div>` : null}</section>`;
};

function Editor({ kind, one, first }) {
  const isNew = one === null;
  const [shown] = useState(() => changes(isNew ? null : first, one));
  const headers = isNew ? { "If-None-Match": "*" } : { "If-Match": `"${one.revision}"` };
  const target = (text) => ({ kind, name: one?.name || nameIn(text, KINDS[kind]) || "unnamed", namespace: one?.namespace || nameIn(text, "namespace") || "default" });
  const request = (text) => ({ path: pathOf(target(text)), headers });
  const actionOf = (_, text) => {
    const to = target(text);
    return putObject(to, text, headers, t("editor.save"), isNew ? t("objects.saysNew", { name: nameOf(to) }) : t("objects.saysChange", { name: nameOf(to), from: one.revision, to: one.revision + 1 }), {
      undo: (reply) => isNew ? deleteObject({ ...to, revision: reply.revision }, null, () => go(at("objects", kind))) : putObject(to, first, { "If-Match": `"${reply.revision}"` }, t("job.putBack"), t("job.putBackSays", { name: nameOf(to) })) });
  };
  return html`<${TextEditor} first=${first} title=${isNew ? t(`new.${kind}`) : t("editor.edit", { name: nameOf(one) })} note=${isNew ? "" : t("job.revision", { n: one.revision })} label=${t("objects.text")}
    schema=${`/v1/schemas/${KINDS[kind]}`} fields=${t("objects.fields")} request=${request} revision=${one?.revision} actionOf=${actionOf} cancel=${isNew ? at("objects", kind) : objectAt(one)} preview=${shown} />`;
}

export function Edit({ kind, namespace, name }) {
  const place = { kind, namespace, name };
  const [opened, open] = useState(null); // as it was when it was opened: what others change meanwhile is refused by the revision
  const [error, fail] = useState(null);
  useEffect(() => {
    if (KINDS[kind]) Promise.all([api.read(pathOf(place)), api.text(pathOf(place, "definition"))]).then(([one, text]) => open({ one: { ...one, kind }, text }), fail);
  }, []);
  if (!opened) return html`<h1>${nameOf(place)}</h1>${KINDS[kind] ? html`<${Loading} error=${error} />` : html`<p>${t("shell.missingWhat")}</p>`}`;
  return html`<${Editor} kind=${kind} one=${opened.one} first=${opened.text} />`;
}

export const New = ({ kind }) => KINDS[kind] ? html`<${Editor} kind=${kind} one=${null} first=${FIRST[kind]} />` : html`<h1>${t("shell.missing")}</h1><p>${t("shell.missingWhat")}</p>`;
