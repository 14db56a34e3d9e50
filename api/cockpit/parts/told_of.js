// Was anybody told of a run? Each notice with its receiver, what became of it and who saw it.

import { at, html, Said, Status, t, When } from "../house.js";

export const NOTICED = { sent: "ok", given_up: "bad", waiting: "wait", gathered: "wait", muted: "stop", together: "ok" };

export function ToldOf({ told }) {
  return told.length ? html`<section aria-labelledby="told-title"><div class="head"><h2 id="told-title">${t("run.told")}</h2><a class="push" href=${at("notifications")}>${t("notify.title")}</a></div>
    <ul class="needs card">${told.map((one) => html`<li key=${one.effect}><${Status} look=${NOTICED[one.state] || "none"}>${t(`noticed.${one.state}`)}</${Status}><div><p><span class="who">${one.to}</span> <span class="note">${one.about} <${When} at=${one.at} /></span></p>
      ${one.acknowledged || one.reason ? html`<p class="note">${one.acknowledged ? t("notify.seen", { by: one.acknowledged }) : ""} ${one.reason ? html`<${Said}>${one.reason}</${Said}>` : null}</p>` : null}</div></li>`)}</ul></section>` : null;
}
