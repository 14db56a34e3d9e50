// The cluster as this node tells it, and what happens when this node tells nothing any more.
//
// A page can talk to the node that served it alone: there is no CORS, and its cookie belongs to this address. So it
// survives the node by going to another one with all of its view, which stands in the address. Which nodes are alive it finds out
// by asking without reading (`no-cors`), which the page's policy allows for members alone. Work that is not saved is never left.

import * as api from "./api.js";
import { here, isHeld } from "./router.js";
import { store } from "./store.js";
import { hear, lastId, live } from "./stream.js";

export const cluster = store(null); // the last word of GET /v1/cluster
export const away = store(null); // null, or {node, since, next}: this node is silent; next: who would take over
export const arrived = store(null); // null, or {from}: this page has just come from there

const GRACE_MS = 2500, FAILED_LEAST = 3, LOOK_MS = 700, PROBE_MS = 2000, EVERY_MS = 2000, GREET_MS = 9000, BETWEEN_MOVES_MS = 15000;
let looking = false, timer = null, movedAt = 0;

const answers = async (url, mode) => {
  try {
    const reply = await fetch(`${url}/readyz`, { mode, cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(PROBE_MS) });
    return mode === "no-cors" || reply.status < 600;
  } catch { return false; }
};

export const others = () => {
  const known = cluster.get();
  return (known?.peers || []).filter((peer) => peer.node !== known.node && /^https?:/.test(peer.url || "") && new URL(peer.url).origin !== location.origin);
};

const addressAt = (peer) => {
  const word = new URLSearchParams({ from: cluster.get().node, after: lastId(), moved: String(Date.now()) });
  return `${peer.url.replace(/\/$/, "")}${here()}#${word}`;
};

export function move(peer) {
  location.replace(addressAt(peer));
}

// Somebody got no answer. Harmless to call often.
export async function suspect() {
  if (looking) return;
  looking = true;
  const since = Date.now();
  let failed = 0;
  while (!(await answers("", "same-origin"))) {
    const peers = others();
    const alive = await Promise.all(peers.map((peer) => answers(peer.url.replace(/\/$/, ""), "no-cors")));
    const next = peers[alive.indexOf(true)] || null;
    away.set({ node: cluster.get()?.node || location.host, since, next });
    const now = Date.now();
    failed += 1; // a node that is only slow is not left for one late answer
    if (next && !isHeld() && failed >= FAILED_LEAST && now - since >= GRACE_MS && now - movedAt >= BETWEEN_MOVES_MS) return move(next);
    await new Promise((resolve) => { setTimeout(resolve, LOOK_MS); });
  }
  looking = false;
  away.set(null);
  refresh();
  return undefined;
}

// How the cluster is, now: for somebody who waits for it.
export async function look() {
  try {
    cluster.set(await api.read("/v1/cluster"));
  } catch (error) {
    if (error instanceof api.Silence) suspect();
  }
}

async function refresh() {
  clearTimeout(timer);
  if (!document.hidden) await look();
  if (api.session.get()) timer = setTimeout(refresh, EVERY_MS);
}

export function watch(from) {
  if (from.node) {
    movedAt = Number(from.moved) || 0;
    arrived.set({ from: from.node });
    setTimeout(() => arrived.set(null), GREET_MS);
  }
  refresh();
}
export function unwatch() {
  clearTimeout(timer);
  timer = null;
}

hear((events) => { if (timer && events.some((event) => event.type === "led" || event.type === "node_lost")) look(); });
live.listen(({ state }) => { if (state === "away") suspect(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden && timer) refresh(); });
