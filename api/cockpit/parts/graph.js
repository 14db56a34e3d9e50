// A graph of tasks, laid out in a worker. `tasks`: [{name, needs: [names], state?, note?, group?, catches?, isLast?}]; `href(name)`: where a task leads.
// A group is a box too, drawn as a frame around what is inside: `group` names it, `catches` says that the task catches its failures, `isLast` that it is one of `finally`.
// Tasks that stand alike (same needs, needed by the same) are one box where there are too many to tell apart.

import { html, useEffect, useMemo, useRef, useState } from "./html.js";
import { Shape, lookOf } from "./status.js";
import { t, tn, word } from "./words.js";

const WIDTH = 168, HEIGHT = 34, SHOWN_MAX = 300;
const ORDER = ["failed", "timed_out", "lost", "expired", "running", "active", "queued", "retry_wait", "blocked"];

// After which tasks each is drawn: after what it needs; what `finally` begins with, after all that the rest ends with. Looked for once: a job may have 10,000 tasks.
function needsOf(job) {
  const boxes = { ...job.groups, ...job.tasks }, names = Object.keys(boxes), last = new Set(job.finally || []), inside = new Set(Object.values(job.groups || {}).flatMap((group) => [...group.tasks, ...(group.catch || [])]));
  const needs = new Map(names.map((name) => [name, (boxes[name].needs || []).map((need) => typeof need === "string" ? need : need.task)]));
  const needed = new Set([...needs.values()].flat());
  const ends = names.filter((name) => !last.has(name) && !needed.has(name) && !inside.has(name));
  return (name) => last.has(name) && !needs.get(name).length ? ends : needs.get(name);
}

export function grouped(tasks) {
  if (tasks.length <= SHOWN_MAX) return tasks.map((task) => ({ ...task, members: [task] }));
  const before = new Map(tasks.map((task) => [task.name, []]));
  for (const task of tasks) for (const need of task.needs) before.get(need)?.push(task.name);
  const groups = new Map();
  for (const task of tasks) {
    const key = JSON.stringify([[...task.needs].sort(), before.get(task.name).sort()]);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(task);
  }
  const of = new Map();
  const found = [...groups.values()].map((members) => {
    const name = members.length === 1 ? members[0].name : `${members[0].name} …`;
    for (const member of members) of.set(member.name, name);
    const state = ORDER.find((each) => members.some((member) => member.state === each)) || members[0].state;
    return { name, members, state, needs: members[0].needs };
  });
  return found.map((group) => ({ ...group, needs: [...new Set(group.needs.map((need) => of.get(need)).filter(Boolean))] }));
}

// The boxes of a job as it is defined: by name what each is drawn after, and the group that it is in.
export function boxesOf(job) {
  const groups = job.groups || {}, needs = needsOf(job), last = new Set(job.finally || []);
  const found = new Map([...Object.entries(groups), ...Object.entries(job.tasks || {})].map(([name, box]) => [name, { name, box, needs: needs(name), isLast: last.has(name) }]));
  for (const [group, { tasks: inside, catch: catching }] of Object.entries(groups))
    for (const name of [...inside, ...(catching || [])]) if (found.has(name)) Object.assign(found.get(name), { group, catches: (catching || []).includes(name) });
  return found;
}

// What leads where: into a group by its own box, out of it by what ends last inside.
export function edgesOf(boxes) {
  const known = new Set(boxes.map((box) => box.name)), needed = new Set(boxes.flatMap((box) => box.needs));
  const last = (group, all) => boxes.filter((box) => box.group === group && !needed.has(box.name) && (all || !box.catches)).map((box) => box.name);
  const groups = new Set(boxes.map((box) => box.group).filter(Boolean));
  return boxes.flatMap((box) => [...box.needs.flatMap((need) => groups.has(need) ? last(need, true) : [need]),
    ...(box.group && !box.needs.length ? box.catches ? last(box.group, false) : [box.group] : [])].filter((from) => known.has(from)).map((from) => [from, box.name]));
}

export function TaskGraph({ tasks, href, current }) {
  const [laid, set] = useState(null);
  const worker = useRef(null), turn = useRef(0);
  const boxes = useMemo(() => grouped(tasks), [tasks]);
  const shape = useMemo(() => boxes.length > SHOWN_MAX ? "" : JSON.stringify(boxes.map((box) => [box.name, box.needs, box.group, box.catches])), [boxes]);
  useEffect(() => () => worker.current?.terminate(), []);
  useEffect(() => {
    if (boxes.length > SHOWN_MAX) return;
    worker.current ??= new Worker("/assets/parts/graph.worker.js", { type: "module" });
    turn.current += 1;
    worker.current.onmessage = ({ data }) => { if (data.turn === turn.current) set(data); };
    const groups = new Set(boxes.map((box) => box.group).filter(Boolean));
    worker.current.postMessage({
      turn: turn.current, edges: edgesOf(boxes),
      nodes: boxes.map((box) => ({ id: box.name, width: WIDTH, height: HEIGHT, frame: box.group ?? (groups.has(box.name) ? box.name : undefined) })),
    });
  }, [shape]);
  if (boxes.length > SHOWN_MAX) return html`<p class="note">${tn("graph.tooMany", tasks.length)}</p>`;
  if (!laid) return html`<div class="graph waits-for" role="status"><span class="unseen">${t("list.wait")}</span></div>`;
  const at = new Map(laid.nodes.map((node) => [node.id, node]));
  const path = (points) => points.map((point, i) => `${i ? "L" : "M"}${point.x.toFixed(1)} ${point.y.toFixed(1)}`).join("");
  return html`<div class="graph" tabindex="0" role="group" aria-label=${tn("graph.label", tasks.length)}>
    <div class="canvas" style=${{ width: `${Math.ceil(laid.width)}px`, height: `${Math.ceil(laid.height)}px` }}>
      <svg width=${Math.ceil(laid.width)} height=${Math.ceil(laid.height)} aria-hidden="true">
        <defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8Z" /></marker></defs>
        ${laid.edges.map((edge) => html`<path key=${edge.key} class="edge" d=${path(edge.points)} marker-end="url(#arrow)" />`)}</svg>
      ${laid.frames.map(({ id, x, y, width, height }) => html`<div key=${id} class="group-frame" aria-hidden="true" style=${{ left: `${x - width / 2}px`, top: `${y - height / 2}px`, width: `${width}px`, height: `${height}px` }}></div>`)}
      ${boxes.filter((box) => at.has(box.name)).map((box) => {
        const { x, y } = at.get(box.name);
        const look = box.state ? lookOf(box.state) : "none";
        const part = box.isLast ? "finally" : box.catches ? "catch" : null; // the word of the job's own text
        const words = `${box.name}${part ? ` (${part})` : ""}${box.state ? `: ${word("state", box.state)}` : ""}${box.note ? `, ${box.note}` : ""}`;
        const place = { left: `${x - WIDTH / 2}px`, top: `${y - HEIGHT / 2}px`, width: `${WIDTH}px`, height: `${HEIGHT}px` };
        const inner = html`${part ? html`<span class="part">${part}</span>` : null}${box.state ? html`<${Shape} look=${look} />` : null}<span class="name">${box.name}</span>${box.members.length > 1
          ? html`<span class="note">×${box.members.length}</span>` : box.note ? html`<span class="note">${box.note}</span>` : null}`;
        return href ? html`<a key=${box.name} class=${`box status ${look} ${box.name === current ? "current" : ""}`} style=${place} href=${href(box.members[0].name)} title=${words} aria-label=${words}>${inner}</a>`
          : html`<span key=${box.name} class=${`box status ${look}`} style=${place} title=${words}>${inner}</span>`;
      })}</div></div>`;
}
