// A job's runs in numbers, as its charts draw them: how long each took, how late it was, and which ended badly, and how.

const BAD = ["failed", "timed_out", "lost", "expired"];

// `data`: columns and rows, the newest first. `ends`: the states of those that ended badly, so that a legend names no other.
export function seriesOf({ columns, rows: given }) {
  const place = Object.fromEntries(columns.map((name, i) => [name, i]));
  const rows = given.filter((row) => row[place.started]).sort((a, b) => a[place.started] - b[place.started]);
  const took = (row) => row[place.finished] ? (row[place.finished] - row[place.started]) / 1000 : null;
  const bad = (row) => BAD.includes(row[place.state]);
  return { times: rows.map((row) => row[place.started] / 1000), all: rows.map(took), failed: rows.map((row) => bad(row) ? took(row) : null),
    ends: BAD.filter((state) => rows.some((row) => row[place.state] === state)), late: rows.map((row) => Math.max(0, row[place.started] - row[place.due]) / 1000) };
}
