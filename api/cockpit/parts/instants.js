// An instant that somebody types, in the reader's own time.

import { html } from "./html.js";
import { t } from "./words.js";

const MINUTE_MS = 60000;

// As a field of the type datetime-local has it; "" of what is none.
export const localOf = (text) => !Number.isNaN(Date.parse(text)) ? new Date(Date.parse(text) - new Date(text).getTimezoneOffset() * MINUTE_MS).toISOString().slice(0, 19) : "";
// And back, as the API takes it; "" of what is none.
export const instantOf = (local) => Number.isNaN(Date.parse(local)) ? "" : new Date(local).toISOString().replace(".000Z", "Z");

// One that is asked for: `set` gets it when it is sent. `value`: what stands there first.
export function Instant({ id, label, value, set }) {
  const send = (event) => {
    event.preventDefault();
    const instant = instantOf(event.currentTarget.elements.instant.value);
    if (instant) set(instant);
  };
  return html`<form class="instant" onSubmit=${send}><label><span class="unseen">${label}</span><input id=${id} name="instant" type="datetime-local" step="1" defaultValue=${value} required title=${label} /></label><button type="submit">${t("why.ask")}</button></form>`;
}
