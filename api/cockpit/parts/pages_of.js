// A long list of the server's, of which the client holds what is near the window: pages of PAGE rows, each by its cursor.

import * as api from "./api.js";
import { useEffect, useRef, useState } from "./html.js";
import { suspect } from "./nodes.js";
import { hear } from "./stream.js";

export const PAGE = 100;
const KEPT_PAGES = 6, SOON_MS = 500, SHARE = 8, SELDOM_MS = 30000;

// `path`: of the list, with its filters. `row(i)` is undefined while it is not here; `need(first, last)` fetches.
export function usePages(path, types) {
  const [, draw] = useState(0);
  const state = useRef(null);
  if (state.current?.path !== path) {
    state.current?.stop.abort();
    state.current = { path, stop: new AbortController(), pages: [{ cursor: null, items: null, next: undefined, count: 0 }], window: [0, 30], error: null, busy: false, took: 0 };
  }
  const list = state.current;

  const load = async (page) => {
    const query = new URLSearchParams({ limit: PAGE, ...(page.cursor ? { cursor: page.cursor } : {}) });
    const found = await api.read(`${path}${path.includes("?") ? "&" : "?"}${query}`, { signal: list.stop.signal });
    const i = list.pages.indexOf(page);
    if (i < 0) return;
    Object.assign(page, { items: found.items, count: found.items.length, next: found.next_cursor });
    if (list.pages[i + 1]?.cursor !== (found.next_cursor ?? undefined)) list.pages.length = i + 1; // rows came or went: what follows is another
    if (found.next_cursor && !list.pages[i + 1]) list.pages.push({ cursor: found.next_cursor, items: null, next: undefined, count: 0 });
  };

  const pageAt = (index) => {
    let first = 0;
    for (let i = 0; i < list.pages.length; i += 1) {
      const last = first + (list.pages[i].next === undefined ? PAGE : list.pages[i].count);
      if (index < last) return [i, first];
      first = last;
    }
    return [list.pages.length - 1, first];
  };

  // Fetches what the window wants, in order: a cursor is known once the page before it is.
  const work = async (fresh) => {
    if (list.busy) { list.again ||= fresh ? "fresh" : "missing"; return; }
    list.busy = true;
    const began = performance.now();
    try {
      const seen = new Set();
      for (;;) {
        const [from] = pageAt(list.window[0]), [to] = pageAt(list.window[1]);
        const page = list.pages.slice(from, to + 1).find((each) => !seen.has(each) && (fresh || each.items === null));
        if (!page) break;
        seen.add(page);
        await load(page);
        list.error = null;
        draw((n) => n + 1);
      }
      const [middle] = pageAt(list.window[0]);
      list.pages.forEach((page, i) => { if (Math.abs(i - middle) > KEPT_PAGES && page.items) page.items = null; });
    } catch (error) {
      if (list.stop.signal.aborted) return;
      if (error instanceof api.Silence) suspect();
      list.error = error;
      draw((n) => n + 1);
    } finally {
      list.took = performance.now() - began;
      list.busy = false;
      if (list.again) { const what = list.again; list.again = null; work(what === "fresh"); }
    }
  };

  useEffect(() => {
    let soon = null;
    const later = () => { soon ??= setTimeout(() => { soon = null; if (!document.hidden) work(true); }, Math.max(SOON_MS, list.took * SHARE)); };
    const unhear = hear((events) => { if (events.some((event) => event.type === "reset" || types.includes(event.type))) later(); });
    const often = setInterval(later, SELDOM_MS);
    document.addEventListener("visibilitychange", later);
    work(false);
    return () => {
      list.stop.abort();
      unhear();
      clearTimeout(soon);
      clearInterval(often);
      document.removeEventListener("visibilitychange", later);
    };
  }, [path]);

  const known = list.pages.reduce((sum, page) => sum + page.count, 0);
  const tail = list.pages.at(-1);
  return {
    known, // rows that were counted so far
    whole: tail.next === null, // that is all of them
    length: known + (tail.next === undefined && known ? PAGE : 0),
    loading: list.pages[0].next === undefined && !list.error,
    error: list.error,
    row(index) {
      const [i, first] = pageAt(index);
      return list.pages[i].items?.[index - first];
    },
    need(first, last) {
      list.window = [first, last];
      work(false);
    },
    again: () => work(true),
  };
}
