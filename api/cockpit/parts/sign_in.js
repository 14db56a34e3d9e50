// The door: a token becomes a session. The view that was asked for stays in the address and is shown behind it.

import * as api from "./api.js";
import { Mistake } from "./action.js";
import { html, useEffect, useRef, useState } from "./html.js";
import { t } from "./words.js";

export function SignIn({ waiting, error, from, onSignedIn }) {
  const [wrong, fail] = useState(null);
  const [busy, work] = useState(false);
  const field = useRef(null);
  useEffect(() => { field.current?.focus(); }, [waiting]);
  const submit = async (event) => {
    event.preventDefault();
    work(true);
    try {
      await api.begin(field.current.value);
      onSignedIn();
    } catch (problem) {
      fail(problem);
      work(false);
    }
  };
  if (waiting) return html`<main class="door" id="main" tabindex="-1"><p role="status" class="note">${error ? t("door.silent") : t("door.wait")}</p></main>`;
  return html`<main class="door" id="main" tabindex="-1"><form onSubmit=${submit}>
    <p class="brand"><img src="/assets/icon.svg" alt="" width="28" height="28" /> Cronclave</p>
    <h1>${t("door.title")}</h1>
    <p>${from ? t("door.moved", { node: from }) : t("door.how")}</p>
    <label for="token">${t("door.token")}</label>
    <input id="token" ref=${field} type="password" autocomplete="current-password" required spellcheck=${false} />
    <${Mistake} error=${wrong || error} />
    <button type="submit" class="primary" disabled=${busy}>${t("door.enter")}</button>
  </form></main>`;
}
