// Ticks of the last minute, a bar for each second, stacked by outcome. Fed by events alone.

import { html } from "./html.js";
import { useNow } from "./reads.js";
import { hear } from "./stream.js";
import { t, number } from "./words.js";

const SECONDS = 60, WIDTH = 240, HEIGHT = 34;
const ORDER = ["ran", "skipped", "coalesced", "missed"];
const slots = new Map();
const since = Date.now();

hear((events) => {
  for (const event of events) {
    if (event.type !== "tick_decided") continue;
    const second = Math.floor(Date.parse(event.at) / 1000);
    const slot = slots.get(second) || {};
    slot[event.outcome] = (slot[event.outcome] || 0) + event.count;
    slots.set(second, slot);
  }
});

export function Pulse() {
  const now = Math.floor(useNow() / 1000);
  for (const second of slots.keys()) if (second <= now - SECONDS) slots.delete(second);
  const seconds = Math.min(SECONDS, Math.max(1, Math.floor((Date.now() - since) / 1000)));
  const sum = (name) => [...slots.values()].reduce((all, slot) => all + (slot[name] || 0), 0);
  const most = Math.max(1, ...[...slots.values()].map((slot) => ORDER.reduce((all, name) => all + (slot[name] || 0), 0)));
  const step = WIDTH / SECONDS;
  const bars = [];
  for (let i = 0; i < SECONDS; i += 1) {
    const slot = slots.get(now - SECONDS + 1 + i);
    let y = HEIGHT;
    for (const name of ORDER) {
      const height = slot?.[name] ? Math.max(1.5, (slot[name] / most) * (HEIGHT - 2)) : 0;
      y -= height;
      if (height) bars.push(html`<rect key=${`${i} ${name}`} x=${i * step} y=${y} width=${step - 1} height=${height} class=${name} />`);
    }
    if (y === HEIGHT) bars.push(html`<rect key=${i} x=${i * step} y=${HEIGHT - 1} width=${step - 1} height="1" class="empty" />`);
  }
  return html`<div class="figure strip"><span class="name">${t("pulse.title", { n: seconds })}</span>
    <svg viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} class="pulse" role="img" preserveAspectRatio="none" aria-label=${t("pulse.label", { n: number(most) })}>${bars}</svg>
    <span class="note">${t("pulse.sums", { ran: number(sum("ran")), skipped: number(sum("skipped") + sum("coalesced")), missed: number(sum("missed")) })}</span></div>`;
}
