// A text that somebody gives an action along, kept while its dialog is open: `field()` is drawn in it, `value()` is what stands there.

import { html } from "./html.js";

export function answer(label, { first = "", type = "text", name = "reason", options = null, note = "", step = null } = {}) {
  let text = first;
  const set = (event) => { text = event.target.value; };
  return {
    value: () => text.trim(),
    field: () => html`<label class="field"><span>${label}</span>${options
      ? html`<select name=${name} onChange=${set}>${options.map(([each, words]) => html`<option value=${each} selected=${each === first} key=${each}>${words}</option>`)}</select>`
      : html`<input type=${type} name=${name} defaultValue=${first} step=${step} onInput=${set} autocomplete="off" spellcheck=${false} />`}
      ${note ? html`<span class="note">${note}</span>` : null}</label>`,
  };
}
