// What was deleted: who did it and when, what it was, and how it is put back. Of jobs and objects; `children`: what else stays readable.

import { Act } from "./action.js";
import * as api from "./api.js";
import { html } from "./html.js";
import { Loading } from "./parts.js";
import { useRead } from "./reads.js";
import { Revisions } from "./revisions.js";
import { Status } from "./status.js";
import { t, when } from "./words.js";

// `path(what)`: as revisions have it; `back(text, headers)`: the action that writes it again; `says`: a sentence of {by, at}; `error`: shown where it never was; `more`: below that.
export function Deleted({ name, path, types, back, says, audit, error, more, children }) {
  const { data } = useRead(`${path("revisions")}&limit=2`, { types });
  const [end, last] = data?.items || [];
  const text = useRead(end?.deleted && last ? `${path("definition")}&revision=${last.revision}` : null, { as: api.text, every: 0 });
  if (!end?.deleted) return html`<h1>${name}</h1><${Loading} error=${error} />${more}`;
  return html`<div class="head"><h1>${name}</h1><${Status} state="deleted" /><span class="push"></span>${text.data ? html`<${Act} action=${back(text.data, { "If-None-Match": "*" })} />` : null}</div>
    <p class="note">${t(says, { by: end.actor, at: when(end.changed) })}</p>${children}
    ${last ? html`<${Revisions} path=${path} current=${last.revision} types=${types} audit=${audit} />` : null}`;
}
