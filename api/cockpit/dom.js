// The few lines that stand in for a framework: elements from values, and a table body that changes only where it must.

export const $ = (id) => document.getElementById(id);

export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

const SVG = "http://www.w3.org/2000/svg";
export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// Rows are kept by key and replaced only when `signature` changed, so focus and selection survive a refresh.
export function rows(body, items, key, signature, make) {
  const kept = new Map([...body.children].map((row) => [row.dataset.key, row]));
  const wanted = items.map((item) => {
    const id = String(key(item));
    const mark = signature(item);
    const old = kept.get(id);
    if (old && old.dataset.mark === mark) return old;
    const row = make(item);
    row.dataset.key = id;
    row.dataset.mark = mark;
    if (old && old.contains(document.activeElement)) {
      const name = document.activeElement.dataset.name;
      queueMicrotask(() => row.querySelector(`[data-name="${name}"]`)?.focus());
    }
    return row;
  });
  if (wanted.length !== body.children.length || wanted.some((row, i) => body.children[i] !== row)) {
    body.replaceChildren(...wanted);
  }
}

// Status by shape, text and colour: each state has a shape of its own.
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
  succeeded: "ok", ran: "ok", active: "ok", connected: "ok", follower: "ok", reachable: "ok", ready: "ok",
  failed: "bad", timed_out: "bad", lost: "bad", missed: "bad", unreachable: "bad",
  running: "run", granted: "run",
  pending: "wait", assigned: "wait", queued: "wait", candidate: "wait", joining: "wait", blocked: "wait", retry_wait: "wait",
  paused: "stop", cancelled: "stop", cancelling: "stop", skipped: "stop", coalesced: "stop", stopping: "stop",
  unplaceable: "warn", expired: "warn", disconnected: "warn", draining: "stop",
  leader: "lead",
};

export function status(state, words = state) {
  const look = LOOKS[state] || "none";
  const shape = svg("svg", { viewBox: "0 0 16 16", width: 12, height: 12, "aria-hidden": "true" },
    svg("path", { d: SHAPES[look], "fill-rule": "evenodd" }));
  return h("span", { class: `status ${look}` }, shape, " ", String(words).replaceAll("_", " "));
}
