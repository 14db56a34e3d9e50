// Status by shape, text and colour: each look has a shape of its own, so that no colour is needed to read it.

import { html } from "./html.js";
import { word } from "./words.js";

const SHAPES = {
  ok: "M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13Zm3.2 5-3.9 4.1L4.8 8.2l1-1 1.5 1.4 2.9-3.1Z",
  bad: "M8 .8 15.2 8 8 15.2.8 8Zm-2.4 4L4.8 5.6 7.2 8l-2.4 2.4.8.8L8 8.8l2.4 2.4.8-.8L8.8 8l2.4-2.4-.8-.8L8 7.2Z",
  run: "M3 1.8 14 8 3 14.2Z",
  wait: "M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13Zm0 1.6a4.9 4.9 0 1 1 0 9.8 4.9 4.9 0 0 1 0-9.8Z",
  stop: "M3 2h3.6v12H3Zm6.4 0H13v12H9.4Z",
  warn: "M8 1 15.4 14.2H.6Zm-.8 4.6v4.2h1.6V5.6Zm0 5.4v1.6h1.6V11Z",
  none: "M2 7h12v2H2Z",
  lead: "m8 .9 2.1 4.7 5.1.5-3.9 3.4 1.2 5L8 11.9l-4.5 2.6 1.2-5L.8 6.1l5.1-.5Z",
};

const LOOKS = {
  succeeded: "ok", ran: "ok", active: "ok", connected: "ok", follower: "ok", reachable: "ok", ready: "ok", ok: "ok", synced: "ok",
  failed: "bad", timed_out: "bad", lost: "bad", missed: "bad", unreachable: "bad", failing: "bad", differs: "bad", refused: "bad",
  running: "run", granted: "run",
  pending: "wait", assigned: "wait", queued: "wait", candidate: "wait", joining: "wait", blocked: "wait", awaiting: "wait", retry_wait: "wait", waits: "wait", waiting: "wait",
  paused: "stop", held: "stop", suspended: "stop", disabled: "stop", deleted: "stop", cancelled: "stop", cancelling: "stop", skipped: "stop", unstarted: "stop", coalesced: "stop", stopping: "stop", draining: "stop", never: "stop",
  unplaceable: "warn", warned: "warn", expired: "warn", disconnected: "warn", degraded: "warn", overloaded: "warn", late: "warn", clock: "warn", unmet: "warn", drifted: "warn",
  leader: "lead",
};

export const lookOf = (state) => LOOKS[state] || "none";

export const Shape = ({ look, size = 12 }) => html`<svg viewBox="0 0 16 16" width=${size} height=${size} aria-hidden="true">
  <path d=${SHAPES[look]} fill-rule="evenodd" /></svg>`;

// `state` is the API's word; `children`: other words for it.
export const Status = ({ state, look = lookOf(state), title, children }) => html`<span class=${`status ${look}`} title=${title}>
  <${Shape} look=${look} /> ${children ?? word("state", state)}</span>`;
