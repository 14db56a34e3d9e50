// A view whose file is fetched when it is first shown: what most people open first stays small.

import { Loading } from "./parts.js";
import { html, useEffect, useState } from "./html.js";
import { learn } from "./words.js";

export function lazy(load) {
  let known = null;
  return function Lazy(given) {
    const [error, fail] = useState(null);
    const [, draw] = useState(0);
    useEffect(() => {
      if (!known) load().then((file) => { known = file.default; draw((n) => n + 1); }, fail);
    }, []);
    return known ? html`<${known} ...${given} />` : html`<${Loading} error=${error} />`;
  };
}

// A style sheet, once.
const sheets = new Map();
export function dress(href) {
  if (!sheets.has(href)) {
    sheets.set(href, new Promise((done, fail) => {
      const link = document.createElement("link");
      Object.assign(link, { rel: "stylesheet", href, onload: done, onerror: () => { sheets.delete(href); link.remove(); fail(new Error(href)); } });
      document.head.append(link);
    }));
  }
  return sheets.get(href);
}

// The same with the texts and looks that nothing before it needs.
export const later = (load) => lazy(() => Promise.all([load(), import("../texts_later.js"), dress("/assets/style_later.css")]).then(([file, texts]) => { learn(texts.default); return file; }));
