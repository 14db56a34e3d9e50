// A run that has ended is repeated: what of it, with which revision, and what that comes to, as the cluster judges it.

import { api, command, go, html, t, useEffect, useState } from "../house.js";
import { useId } from "./html.js";
import { runAt } from "./jobs.js";

const NAMES_SHOWN = 8;
const few = (names, count) => `${names.slice(0, NAMES_SHOWN).join(", ")}${count > Math.min(names.length, NAMES_SHOWN) ? ` +${count - Math.min(names.length, NAMES_SHOWN)}` : ""}`;

function Pick({ label, value, options, set }) {
  const id = useId();
  return html`<div class="field"><label for=${id}>${label}</label><select id=${id} value=${value} onChange=${(event) => set(event.target.value)}>
    ${options.map(([key, text]) => html`<option key=${key} value=${key}>${text}</option>`)}</select></div>`;
}

// What would be done again, and what not: asked anew with each choice.
function Plan({ path, body }) {
  const [plan, tell] = useState(null);
  useEffect(() => {
    let asked = true;
    api.send("POST", `${path}?dry_run=true`, body).then((found) => asked && tell(found), (error) => asked && tell({ error }));
    return () => { asked = false; };
  }, [JSON.stringify(body)]);
  if (!plan) return null;
  if (plan.error) return html`<p class="error" role="status">${plan.error.message}${plan.error.hint ? ` ${plan.error.hint}` : ""}</p>`;
  return html`<dl class="plan" role="status">${["anew", "taken", "left_out"].filter((sort) => plan.counts[sort]).map((sort) => html`<div key=${sort}><dt>${t(`rerun.${sort}`, { n: plan.counts[sort] })}</dt>
    <dd class="note">${few(plan[sort], plan.counts[sort])}</dd></div>`)}</dl>`;
}

export function rerun(run, failed) {
  const names = Object.keys(run.tasks).filter((name) => !run.tasks[name].group), many = names.length > 1; // a group is repeated as a whole
  const path = `/v1/runs/${run.id}/rerun`;
  const asked = { what: failed && many ? "failed" : "all", from: names[0], until: "", latest: false, after: false };
  const body = () => ({
    ...(asked.what === "failed" ? { from_failed: true } : asked.what === "from" ? { from: asked.from } : {}),
    ...(asked.until ? { until: asked.until } : {}), ...(asked.latest ? { revision: "latest" } : {}), ...(asked.after ? { after: true } : {}),
  });
  const fields = ({ changed }) => {
    const set = (name) => (value) => { asked[name] = value; changed(); };
    const check = (name) => html`<label class="check"><input type="checkbox" checked=${asked[name]} onChange=${(event) => set(name)(event.target.checked)} /> ${t(`rerun.${name}`)}</label>`;
    const tasks = names.map((name) => [name, name]);
    return html`${many ? html`<${Pick} label=${t("rerun.what")} value=${asked.what} set=${set("what")} options=${["all", "failed", "from"].map((key) => [key, t(`rerun.${key}`)])} />
      ${asked.what === "from" ? html`<${Pick} label=${t("rerun.fromTask")} value=${asked.from} set=${set("from")} options=${tasks} />` : null}
      <${Pick} label=${t("rerun.until")} value=${asked.until} set=${set("until")} options=${[["", t("rerun.end")], ...tasks]} />` : null}
      ${check("latest")}${check("after")}<${Plan} path=${path} body=${body()} />`;
  };
  return {
    text: t("rerun.rerun"), title: t("rerun.it", { run: run.id }), capability: "run", namespace: run.namespace, method: "POST", path, body, fields,
    says: t("rerun.says", { run: run.id }), did: t("rerun.did", { run: run.id }), done: (made) => go(runAt(made.id)),
    cli: () => command("run", "rerun", String(run.id), ...(asked.what === "failed" ? ["--from-failed"] : asked.what === "from" ? ["--from", asked.from] : []),
      ...(asked.until ? ["--until", asked.until] : []), ...(asked.latest ? ["--revision", "latest"] : []), ...(asked.after ? ["--after"] : [])),
  };
}
