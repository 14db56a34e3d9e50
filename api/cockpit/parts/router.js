// Where the page is. All that a view can be set to stands in the address, so that it can be sent to somebody, reloaded,
// and taken to another node. A view asks `useQuery`, and changes it with `setQuery`; nothing else keeps such state.

import { store } from "./store.js";

export const BASE = "/cockpit";

const read = () => ({ path: location.pathname === "/" ? BASE : location.pathname.replace(/\/+$/, "") || BASE, search: location.search });
const place = store(read());
let holding = null;

export const useRoute = () => place.use();
export const here = () => location.pathname + location.search;

// A view with work that would be lost says so here, and gets asked; null: nothing would be.
export const holdLeaving = (question) => { holding = question; };
export const isHeld = () => holding !== null;

export function go(to, { replace = false } = {}) {
  if (holding !== null && !replace && !confirm(holding)) return;
  if (!replace) holding = null;
  history[replace ? "replaceState" : "pushState"](null, "", to);
  const before = place.get();
  place.set(read());
  if (before.path !== place.get().path) {
    scrollTo(0, 0);
    document.getElementById("main")?.focus({ preventScroll: true });
  }
}

export function useQuery() {
  return Object.fromEntries(new URLSearchParams(useRoute().search));
}

// Changes to the query: null and "" take a name away. Typing replaces the entry, choosing makes a new one.
export function setQuery(changes, { push = false } = {}) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === "" || value === undefined) query.delete(name); else query.set(name, value);
  }
  const text = query.toString();
  go(location.pathname + (text ? `?${text}` : ""), { replace: !push });
}

export const at = (...parts) => [BASE, ...parts.map((part) => encodeURIComponent(part))].join("/");

// "/cockpit/jobs/:namespace/:name" against a path: what the names stand for, or null.
export function match(pattern, path) {
  const wanted = pattern.split("/"), given = path.split("/");
  if (wanted.length !== given.length) return null;
  const found = {};
  for (let i = 0; i < wanted.length; i += 1) {
    if (wanted[i].startsWith(":")) {
      try {
        found[wanted[i].slice(1)] = decodeURIComponent(given[i]);
      } catch { return null; }
    } else if (wanted[i] !== given[i]) return null;
  }
  return found;
}

addEventListener("popstate", () => { holding = null; place.set(read()); });
addEventListener("beforeunload", (event) => { if (holding !== null) event.preventDefault(); });
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  if (link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
  if (link.pathname !== "/" && link.pathname !== BASE && !link.pathname.startsWith(`${BASE}/`)) return;
  if (link.hash && link.pathname === location.pathname) return; // a place on this page
  event.preventDefault();
  go(link.pathname + link.search);
});
