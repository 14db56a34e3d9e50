// Ticks of the last minute, a bar for each second, stacked by outcome. Fed by events alone.

import { svg } from "./dom.js";

const SECONDS = 60, WIDTH = 240, HEIGHT = 34;
const ORDER = ["ran", "skipped", "coalesced", "missed"];
const slots = new Map();
const since = Date.now();

// It has seen nothing from before it was opened.
export function title() {
  const seconds = Math.floor((Date.now() - since) / 1000);
  return seconds >= SECONDS ? "Ticks, last minute" : `Ticks, last ${Math.max(1, seconds)} s`;
}

export function count(event) {
  const second = Math.floor(Date.parse(event.at) / 1000);
  const slot = slots.get(second) || {};
  slot[event.outcome] = (slot[event.outcome] || 0) + event.count;
  slots.set(second, slot);
}

export function totals() {
  const sum = { ran: 0, skipped: 0, coalesced: 0, missed: 0 };
  prune();
  for (const slot of slots.values()) for (const name of ORDER) sum[name] += slot[name] || 0;
  return sum;
}

function prune() {
  const oldest = Math.floor(Date.now() / 1000) - SECONDS;
  for (const second of slots.keys()) if (second <= oldest) slots.delete(second);
}

export function draw() {
  prune();
  const now = Math.floor(Date.now() / 1000);
  const sums = [...slots.values()].map((slot) => ORDER.reduce((sum, name) => sum + (slot[name] || 0), 0));
  const most = Math.max(1, ...sums);
  const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "pulse", role: "img",
    preserveAspectRatio: "none", "aria-label": `Ticks of the last minute, at most ${most} in a second` });
  const step = WIDTH / SECONDS;
  for (let i = 0; i < SECONDS; i += 1) {
    const slot = slots.get(now - SECONDS + 1 + i);
    const x = i * step;
    if (!slot) {
      picture.append(svg("rect", { x, y: HEIGHT - 1, width: step - 1, height: 1, class: "empty" }));
      continue;
    }
    let y = HEIGHT;
    for (const name of ORDER) {
      const height = ((slot[name] || 0) / most) * (HEIGHT - 2);
      if (height > 0) {
        y -= Math.max(height, 1.5);
        picture.append(svg("rect", { x, y, width: step - 1, height: Math.max(height, 1.5), class: name }));
      }
    }
  }
  return picture;
}
