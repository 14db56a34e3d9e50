// The output of one attempt, read by byte ranges: its end first, what is before on demand, what comes while it comes. A place
// is a number of bytes in one attempt's output; a reply that is cut off is asked for again from there. What is held is bounded.

import { newPen, pieces } from "./ansi.js";

const END_BYTES = 256 << 10, EARLIER_BYTES = 512 << 10, KEPT_BYTES = 6 << 20, CHUNK_LINES = 200, LINE_LETTERS_MAX = 64 << 10, AGAIN_MS = 1000, DRAW_MS = 120;

export class Log {
  // `path`: of the attempt's output, with its query. `tell` is called when there is something new to draw.
  constructor(path, tell) {
    this.path = path;
    this.tell = tell;
    this.chunks = []; // of {lines, bytes}: a full one never changes, so what is drawn of it is kept
    this.from = 0; // place of the first byte that is held
    this.end = 0; // place behind the last one
    this.bytes = null; // how long it is, as far as known
    this.source = "";
    this.missing = "";
    this.attempt = null;
    this.error = null;
    this.isOver = false;
    this.stopping = new AbortController();
    this.pen = newPen();
    this.rest = "";
    this.decoder = new TextDecoder();
    this.timer = null;
  }

  stop() {
    this.stopping.abort();
    clearTimeout(this.timer);
  }

  at(offset, more = "") {
    return `${this.path}${this.path.includes("?") ? "&" : "?"}consistency=stale&offset=${offset}${more}`;
  }

  async ask(offset, more, signal = this.stopping.signal) {
    const reply = await fetch(this.at(offset, more), { credentials: "same-origin", cache: "no-store", signal });
    if (reply.ok) return reply;
    const problem = await reply.json().catch(() => ({}));
    throw Object.assign(new Error(problem.detail || `HTTP ${reply.status}`), { hint: problem.hint, isFinal: reply.status < 500 && reply.status !== 429 });
  }

  // Until it is over or stopped. `isLive`: whether more may come.
  async follow(isLive) {
    let first = true;
    while (!this.stopping.signal.aborted) {
      try {
        const cut = new AbortController();
        const signal = AbortSignal.any([this.stopping.signal, cut.signal]);
        const reply = await this.ask(this.end, isLive() ? "&follow=true&wait=60s" : "", signal);
        this.note(reply);
        if (first && this.bytes > END_BYTES && this.end === 0) {
          first = false;
          this.from = this.end = this.bytes - END_BYTES;
          this.decoder = new TextDecoder();
          this.skips = true;
          cut.abort();
          continue;
        }
        first = false;
        const starts = Number(reply.headers.get("x-cronclave-log-offset"));
        if (starts > this.end) { // what is between cannot be had
          if (!this.chunks.length) this.from = starts;
          this.end = starts;
        }
        await this.take(reply);
        this.error = null;
        if (!isLive()) { this.close(); return; }
      } catch (error) {
        if (this.stopping.signal.aborted) return;
        this.error = error.isFinal ? error : null;
        if (error.isFinal) { this.draw(); return; }
      }
      this.draw();
      await new Promise((resolve) => { this.timer = setTimeout(resolve, AGAIN_MS); });
    }
  }

  note(reply) {
    const of = (name) => reply.headers.get(`x-cronclave-${name}`);
    this.source = of("log-source") || "";
    this.missing = of("log-missing") || "";
    this.attempt = Number(of("attempt")) || null;
    const bytes = of("log-bytes");
    if (bytes !== null) this.bytes = Math.max(this.bytes ?? 0, Number(bytes));
  }

  async take(reply) {
    const reader = reply.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      this.end += value.length;
      this.bytes = Math.max(this.bytes ?? 0, this.end);
      const begins = this.skips ? wholeFrom(value) : 0;
      this.skips = false;
      this.from += begins;
      this.add(this.decoder.decode(value.subarray(begins), { stream: true }), value.length - begins);
      this.draw();
    }
  }

  add(text, bytes) {
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop();
    if (this.rest.length > LINE_LETTERS_MAX) { // no end in sight, or written over and over
      lines.push(this.rest);
      this.rest = "";
    }
    this.put(lines, bytes);
  }

  put(lines, bytes) {
    for (const line of lines) {
      let last = this.chunks.at(-1);
      if (!last || last.lines.length >= CHUNK_LINES) this.chunks.push(last = { id: Symbol("chunk"), lines: [], bytes: 0 });
      last.lines.push(lineOf(line, this.pen));
      last.version = last.lines.length;
    }
    if (this.chunks.length) this.chunks.at(-1).bytes += bytes;
    let held = this.chunks.reduce((sum, chunk) => sum + chunk.bytes, 0);
    while (held > KEPT_BYTES && this.chunks.length > 2) {
      const gone = this.chunks.shift();
      held -= gone.bytes;
      this.from += gone.bytes;
    }
  }

  close() {
    this.isOver = true;
    if (this.rest) { this.put([this.rest], 0); this.rest = ""; }
    this.draw();
  }

  // The bytes before what is held.
  async earlier() {
    const start = Math.max(0, this.from - EARLIER_BYTES);
    const cut = new AbortController();
    const reply = await this.ask(start, "", AbortSignal.any([this.stopping.signal, cut.signal]));
    const begins = Math.max(start, Number(reply.headers.get("x-cronclave-log-offset")) || 0);
    const parts = [];
    let wanted = this.from - begins;
    const reader = reply.body.getReader();
    while (wanted > 0) {
      const { done, value } = await reader.read();
      if (done) break;
      parts.push(value.subarray(0, wanted));
      wanted -= value.length;
    }
    cut.abort();
    const read = new Uint8Array(await new Blob(parts).arrayBuffer());
    const whole = begins > 0 ? wholeFrom(read) : 0;
    const lines = new TextDecoder().decode(read.subarray(whole)).split("\n");
    if (lines.at(-1) === "") lines.pop();
    const pen = newPen();
    const made = [];
    for (let i = 0; i < lines.length; i += CHUNK_LINES) {
      const some = lines.slice(i, i + CHUNK_LINES);
      made.push({ id: Symbol("chunk"), lines: some.map((line) => lineOf(line, pen)), version: some.length, bytes: 0 });
    }
    if (made.length) made.at(-1).bytes = this.from - begins - whole;
    this.chunks = [...made, ...this.chunks];
    this.from = begins + whole;
    this.draw(true);
  }

  draw(now = false) {
    if (now) { this.asked = false; this.tell(); return; }
    if (this.asked) return;
    this.asked = true;
    setTimeout(() => { if (this.asked && !this.stopping.signal.aborted) { this.asked = false; this.tell(); } }, DRAW_MS);
  }
}

// Where the first line begins that is whole: what is before is read later, with the beginning of its line.
const wholeFrom = (read) => (read.indexOf(0x0a) + 1) % read.length || 0;

function lineOf(line, pen) {
  const parts = pieces(line, pen);
  return { parts, text: parts.map((part) => part.text).join("") };
}
