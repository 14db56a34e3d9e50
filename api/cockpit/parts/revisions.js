// A text as it is, each of its revisions, and what one says otherwise than the one before: of jobs, objects and namespaces. Which is shown stands in the address.

import * as api from "./api.js";
import { Diff } from "./diff.js";
import { html } from "./html.js";
import { Loading, When } from "./parts.js";
import { useRead } from "./reads.js";
import { setQuery, useQuery } from "./router.js";
import { t } from "./words.js";

const asText = { as: api.text, every: 0 };
const withQuery = (path, query) => `${path}${path.includes("?") ? "&" : "?"}${query}`;

function Text({ path, revision, against }) {
  const of = (number) => withQuery(path("definition"), `revision=${number}`);
  const now = useRead(of(revision), asText);
  const before = useRead(against ? of(against) : null, asText);
  if (now.data === undefined || (against && before.data === undefined)) return html`<${Loading} error=${now.error || before.error} />`;
  if (against) return html`<${Diff} before=${before.data} after=${now.data} label=${t("job.diff", { from: against, to: revision })} />`;
  return html`<pre tabindex="0" aria-label=${t("job.definition")}>${now.data}</pre>`;
}

// `path(what)`: the address of its `definition` and `revisions`; `current`: the revision that counts; `types`: events that may make a new one; `audit`: who changed what, or null.
export function Revisions({ path, current, types, audit }) {
  const query = useQuery();
  const { data } = useRead(withQuery(path("revisions"), "limit=50"), { types });
  const revision = Number(query.revision) || current, against = Number(query.against) || 0;
  const rows = (data?.items || []).filter((row) => !row.deleted);
  const show = (changes) => setQuery(changes, { push: true });
  return html`<section aria-labelledby="text-title"><div class="head"><h2 id="text-title">${against ? t("job.diff", { from: against, to: revision }) : t("job.definitionOf", { revision })}</h2>
      ${audit ? html`<a href=${audit}>${t("audit.title")}</a>` : null}
      ${against || revision !== current ? html`<button type="button" class="small" onClick=${() => show({ revision: "", against: "" })}>${t("job.showCurrent")}</button>` : null}</div>
    <div class="text-and-list"><div class="card"><${Text} path=${path} revision=${revision} against=${against} /></div>
      <ol class="revisions card" aria-label=${t("job.revisions")}>${rows.map((row, i) => html`<li key=${row.revision} aria-current=${row.revision === revision ? "true" : undefined}>
        <button type="button" class="link" onClick=${() => show({ revision: row.revision === current ? "" : String(row.revision), against: "" })}>${t("job.revision", { n: row.revision })}</button>
        <span class="note"><${When} at=${row.changed} /> ${row.actor}</span>
        ${rows[i + 1] ? html`<button type="button" class="small" aria-label=${t("job.diff", { from: rows[i + 1].revision, to: row.revision })} onClick=${() => show({ revision: String(row.revision), against: String(rows[i + 1].revision) })}>${t("job.changes")}</button>` : null}</li>`)}</ol></div></section>`;
}
