// A modal dialog: the browser keeps the focus inside, Escape closes it, and the focus goes back to where it was.

import { html, useId, useLayoutEffect, useRef } from "./html.js";
import { t } from "./words.js";

export function Dialog({ title, onClose, children, wide = false, plain = false }) {
  const box = useRef(null);
  const id = useId();
  useLayoutEffect(() => { // before anything is painted: what is typed at once goes into it
    const node = box.current;
    const before = document.activeElement;
    node.showModal();
    node.querySelector("[data-first]")?.focus();
    return () => { node.close(); if (before?.isConnected) before.focus(); };
  }, []);
  const outside = (event) => { if (event.target === box.current) onClose(); };
  return html`<dialog ref=${box} class=${wide ? "wide-dialog" : ""} aria-labelledby=${plain ? undefined : id} aria-label=${plain ? title : undefined}
      onCancel=${(event) => { event.preventDefault(); onClose(); }} onMouseDown=${outside}>
    <div class="dialog">
      ${plain ? null : html`<header class="head"><h2 id=${id}>${title}</h2>
        <button type="button" class="quiet" onClick=${onClose}>${t("dialog.close")}</button></header>`}
      ${children}
    </div></dialog>`;
}

export function Copy({ text, children }) {
  const said = useRef(null);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
    } catch { // no clipboard over plain http: the text is selected instead
      const range = document.createRange();
      range.selectNodeContents(said.current);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      return;
    }
    const old = said.current.dataset.copied;
    said.current.dataset.copied = "yes";
    if (!old) setTimeout(() => { if (said.current) delete said.current.dataset.copied; }, 1500);
  };
  return html`<div class="copy"><code ref=${said} tabindex="0">${text}</code>
    <button type="button" onClick=${copy} aria-label=${t("copy.as", { what: children })}>${t("copy.copy", { what: children })}</button></div>`;
}
