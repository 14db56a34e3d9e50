// What a component shows is what the API answers now: read at first, again when an event says that it has changed, and
// now and then. Under a storm of events it is read as often as it takes a fifth of the time, never more.

import * as api from "./api.js";
import { suspect } from "./nodes.js";
import { useEffect, useRef, useState } from "./html.js";
import { hear } from "./stream.js";

const SOON_MS = 300, SHARE = 5, KEPT_MAX = 40, SELDOM_MS = 20000, GONE = [403, 404]; // what is not there for the reader any more is not shown either
const kept = new Map(); // path → what was read last, so that going back shows at once

function keep(path, data) {
  kept.delete(path);
  kept.set(path, data);
  if (kept.size > KEPT_MAX) kept.delete(kept.keys().next().value);
}
export const forgetAll = () => kept.clear();

// `types`: names of events that may change it, or a function of an event. `path` null: nothing is read.
export function useRead(path, { types = [], every = SELDOM_MS, as = api.read } = {}) {
  const [found, set] = useState({ path: null, data: undefined, error: null });
  const again = useRef(() => {});
  useEffect(() => {
    if (path === null) return undefined;
    const stop = new AbortController();
    const wants = typeof types === "function" ? types : (event) => types.includes(event.type);
    let soon = null, often = null, busy = false, missed = false, took = 0, done = false;
    const work = async () => {
      clearTimeout(soon);
      soon = null;
      if (busy || document.hidden) { missed = true; return; }
      busy = true;
      missed = false;
      const began = performance.now();
      try {
        const data = await as(path, { signal: stop.signal });
        keep(path, data);
        if (!done) set({ path, data, error: null });
      } catch (error) {
        if (done) return;
        if (error instanceof api.Silence) suspect();
        const isGone = GONE.includes(error.status);
        if (isGone) kept.delete(path);
        set((old) => ({ path, data: old.path === path && !isGone ? old.data : undefined, error }));
      } finally {
        busy = false;
        took = performance.now() - began;
        clearTimeout(often);
        if (!done && every) often = setTimeout(work, Math.max(every, took * SHARE));
        if (!done && missed && !document.hidden) later();
      }
    };
    const later = () => { soon ??= setTimeout(work, Math.max(SOON_MS, took * SHARE)); };
    const seen = () => { if (!document.hidden && missed) work(); };
    again.current = work;
    const unhear = hear((events) => { if (events.some((event) => event.type === "reset" || wants(event))) later(); });
    document.addEventListener("visibilitychange", seen);
    work();
    return () => {
      done = true;
      stop.abort();
      unhear();
      clearTimeout(soon);
      clearTimeout(often);
      document.removeEventListener("visibilitychange", seen);
    };
  }, [path]);
  const data = found.path === path && found.data !== undefined ? found.data : kept.get(path);
  return { data, error: found.path === path ? found.error : null, again: () => again.current() };
}

// Draws again each second: for countdowns and ages.
export function useNow(ms = 1000) {
  const [now, set] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => { if (!document.hidden) set(Date.now()); }, ms);
    return () => clearInterval(timer);
  }, [ms]);
  return now;
}
