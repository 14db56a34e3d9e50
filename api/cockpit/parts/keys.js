// Keys that work anywhere: one table of what is bound now, which `?` shows. A view binds its own with `useKeys`.
// A key of two strokes is written "g j". While somebody types, keys without Ctrl or ⌘ are theirs.

import { useLayoutEffect } from "./html.js";

const bound = new Set(); // {key, text, work}
const STROKE_MS = 1200;
let first = "", firstAt = 0;

export function bind(key, text, work) {
  const one = { key, text, work };
  bound.add(one);
  return () => bound.delete(one);
}
export const allKeys = () => [...bound];
export const isMac = /Mac|iPhone|iPad/.test(navigator.platform || "");

// `table`: key → [text, work]. A new table needs new `inputs`.
export function useKeys(table, inputs = []) {
  useLayoutEffect(() => { // with the page, not after it was painted: who sees it may type
    const undo = Object.entries(table).map(([key, [text, work]]) => bind(key, text, work));
    return () => undo.forEach((each) => each());
  }, inputs);
}

const typing = (node) => node && (/^(INPUT|SELECT|TEXTAREA)$/.test(node.tagName) || node.isContentEditable);

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing) return;
  const control = event.ctrlKey || event.metaKey;
  const open = document.querySelector("dialog[open]");
  let key = control ? `mod+${event.key.toLowerCase()}` : event.key;
  if (!control && (typing(document.activeElement) || open || event.altKey)) return;
  if (open && key !== "mod+k") return;
  const now = performance.now();
  if (first && now - firstAt < STROKE_MS) key = `${first} ${key}`;
  const found = [...bound].reverse().find((one) => one.key === key);
  if (!found && !control && [...bound].some((one) => one.key.startsWith(`${event.key} `))) {
    first = event.key;
    firstAt = now;
    return;
  }
  first = "";
  if (!found) return;
  event.preventDefault();
  found.work(event);
});
