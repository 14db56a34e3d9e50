// Terminal output as a terminal shows it: colours and weights by escape sequences, a line written over after a carriage
// return. What moves a cursor about is left out, and so is what turns the order of letters around: it shows another text than
// the one that is there. A pen keeps its look from line to line. The same rules as on the command line (cli/terminal.py).

const CSI = /(?:\x1b\[|\x9b)(?<codes>[0-?]{0,64})[ -/]{0,4}(?:(?<kind>[@-~])|$)/; // longer ones are none: a line of a megabyte may be one
const STRING = /(?:\x1b[P\]X^_]|[\x90\x98\x9d-\x9f])[^\x07\x18\x1a\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?/;
const ESCAPE = new RegExp(`${CSI.source}|${STRING.source}|\x1b(?:[ -/]{0,4}[0-~]|$)`, "g");
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g;
const PIECES_MAX = 1000; // of a line; what follows looks like the last one
const CUBE = [0, 95, 135, 175, 215, 255];

export const newPen = () => ({ fore: null, back: null, bold: false, dim: false, italic: false, under: false, inverse: false });

// A colour of the table of 256: its name's number below 16, else its parts.
function indexed(n) {
  if (n < 16) return n;
  if (n > 231) { const grey = 8 + (n - 232) * 10; return `rgb(${grey} ${grey} ${grey})`; }
  const at = n - 16;
  return `rgb(${CUBE[Math.floor(at / 36)]} ${CUBE[Math.floor(at / 6) % 6]} ${CUBE[at % 6]})`;
}

function draw(pen, codes) {
  if (/[<-?]/.test(codes)) return; // some terminal's own
  const rest = codes.split(/[;:]/).map((code) => Number(code) || 0);
  while (rest.length) {
    const code = rest.shift();
    if (code === 0) Object.assign(pen, newPen());
    else if (code === 1) pen.bold = true;
    else if (code === 2) pen.dim = true;
    else if (code === 3) pen.italic = true;
    else if (code === 4) pen.under = true;
    else if (code === 7) pen.inverse = true;
    else if (code === 22) pen.bold = pen.dim = false;
    else if (code === 23) pen.italic = false;
    else if (code === 24) pen.under = false;
    else if (code === 27) pen.inverse = false;
    else if (code >= 30 && code <= 37) pen.fore = code - 30;
    else if (code >= 90 && code <= 97) pen.fore = code - 82;
    else if (code === 39) pen.fore = null;
    else if (code >= 40 && code <= 47) pen.back = code - 40;
    else if (code >= 100 && code <= 107) pen.back = code - 92;
    else if (code === 49) pen.back = null;
    else if (code === 38 || code === 48) {
      const form = rest.shift();
      const colour = form === 5 ? indexed(Math.min(255, rest.shift() ?? 0)) : form === 2 ? `rgb(${rest.splice(0, 3).map((part) => Math.min(255, part)).join(" ")})` : null;
      pen[code === 38 ? "fore" : "back"] = colour;
    }
  }
}

function lookOf(pen) {
  const names = [], style = {};
  const [fore, back] = pen.inverse ? [pen.back ?? "ground", pen.fore ?? "ink"] : [pen.fore, pen.back];
  for (const [colour, name, property] of [[fore, "fore", "color"], [back, "back", "backgroundColor"]]) {
    if (typeof colour === "string" && colour.startsWith("rgb")) style[property] = `color-mix(in srgb, ${colour} 40%, var(--${property === "color" ? "ink" : "code"}))`; // readable on both grounds
    else if (colour !== null) names.push(`${name}-${colour}`);
  }
  for (const name of ["bold", "dim", "italic", "under"]) if (pen[name]) names.push(name);
  return { look: names.join(" "), style };
}

// A line as [{text, look, style}]; what it looks like is words of the style sheet, or a style where a colour has no name.
export function pieces(line, pen) {
  const found = [];
  let last = 0, column = line.replace(/\r+$/, "");
  const over = column.lastIndexOf("\r");
  if (over >= 0) {
    for (const { groups } of column.slice(0, over).matchAll(ESCAPE)) if (groups.kind === "m") draw(pen, groups.codes);
    column = column.slice(over + 1);
  }
  let drawn = true;
  const put = (text) => {
    const clean = text.replace(CONTROL, "");
    if (!clean) return;
    if (drawn && found.length < PIECES_MAX) found.push({ text: clean, ...lookOf(pen) });
    else found.at(-1).text += clean;
    drawn = false;
  };
  for (const match of column.matchAll(ESCAPE)) {
    put(column.slice(last, match.index));
    last = match.index + match[0].length;
    if (match.groups.kind === "m") { draw(pen, match.groups.codes); drawn = true; }
  }
  put(column.slice(last));
  return found;
}
