// The page's end of the event stream. `live` says how it stands: off, live, away. `hear` gets every event.

import { Feed } from "./feed.js";
import { store } from "./store.js";

export const live = store({ state: "off", since: 0 });
const heard = new Set();
let last = "", post = null, own = null;

export const lastId = () => last;
export function hear(listen) {
  heard.add(listen);
  return () => heard.delete(listen);
}

function take(message) {
  if (message.kind === "state") {
    if (message.state !== live.get().state) live.set({ state: message.state, since: Date.now() });
  } else {
    if (message.last) last = message.last;
    const events = message.kind === "reset" ? [{ type: "reset" }] : message.events;
    for (const listen of [...heard]) listen(events);
  }
}

function begin() {
  if (typeof SharedWorker === "undefined") {
    own = new Feed(take);
    post = { open: (after) => own.open(after), leave: () => own.close(), restart: () => { own.close(); own.open(); } };
    return;
  }
  const worker = new SharedWorker("/assets/parts/feed.worker.js", { type: "module", name: "cronclave-events" });
  worker.port.onmessage = ({ data }) => take(data);
  worker.port.start();
  const tell = (message) => worker.port.postMessage(message);
  post = { open: (after) => tell({ kind: "open", after }), leave: () => tell({ kind: "leave" }), restart: () => tell({ kind: "restart" }) };
}

let isOpen = false;
export function open(after = "") {
  if (post === null) begin();
  isOpen = true;
  post.open(after);
}
export function close() {
  if (isOpen) post.leave();
  isOpen = false;
  live.set({ state: "off", since: Date.now() });
}
export const restart = () => post?.restart();

addEventListener("pagehide", () => { if (isOpen) post.leave(); });
addEventListener("pageshow", (event) => { if (event.persisted && isOpen) post.open(last); });
