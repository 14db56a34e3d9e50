// What may stand where the cursor is, from the published schema of jobs: the path is read off the indentation of the YAML.

// The keys around a line, outermost first; "*" is the item of a list, or a name that the writer chooses.
export function pathAt(text, line) {
  const lines = text.split("\n");
  const path = [];
  let limit = Infinity;
  for (let i = Math.min(line, lines.length - 1); i >= 0; i -= 1) {
    const found = /^(\s*)((?:- +)*)(?:([\w./-]+)\s*:)?/.exec(lines[i]);
    if (!lines[i].trim() || lines[i].trim().startsWith("#")) continue;
    const dashes = found[2].length, indent = found[1].length;
    const inner = indent + dashes;
    if (found[3] && inner < limit && i !== line) { path.unshift(found[3]); limit = inner; }
    else if (i === line) limit = lines[i].trim() ? inner : Math.max(1, lines[i].length || (/:\s*$/.test(lines[i - 1] || "") ? Infinity : 0)) || Infinity;
    if (dashes && indent < limit) { path.unshift("*"); limit = Math.min(limit, indent + 1); }
    if (limit === 0) break;
  }
  return path;
}

const follow = (schema, node) => {
  if (node?.$ref) return follow(schema, schema.$defs[node.$ref.split("/").at(-1)]);
  const branches = (node?.anyOf || []).filter((each) => each.type !== "null");
  return branches.length === 1 && !node.properties ? { ...node, ...follow(schema, branches[0]) } : node;
};
const parts = (schema, node) => (node?.anyOf || []).filter((each) => each.type !== "null").map((each) => follow(schema, each));

// Steps along a path; what has several shapes (a trigger or a list of them) is gone through by the one that fits.
export function nodeAt(schema, path) {
  let node = schema;
  for (const key of path) {
    node = follow(schema, node);
    const shapes = [node, ...parts(schema, node)];
    const next = key === "*" ? shapes.map((each) => each?.items).find(Boolean)
      : shapes.map((each) => each?.properties?.[key] || (typeof each?.additionalProperties === "object" ? each.additionalProperties : null)).find(Boolean);
    if (!next) return key === "*" ? node : null;
    node = next;
  }
  return follow(schema, node);
}

export function fieldsOf(schema, node) {
  const shapes = [node, ...parts(schema, node)];
  const found = shapes.find((each) => each?.properties);
  if (!found) return [];
  return Object.entries(found.properties).map(([name, field]) => {
    const whole = follow(schema, field);
    const choices = whole.enum || parts(schema, whole).map((each) => each.enum).find(Boolean);
    const kinds = [whole.type, ...(whole.anyOf || []).map((each) => follow(schema, each)?.type)].flat().filter((each) => each && each !== "null");
    return { name, description: field.description || whole.description || "", choices: choices || null, kind: [...new Set(kinds)].join(", "), fallback: field.default ?? whole.default ?? null, required: (found.required || []).includes(name) };
  });
}
