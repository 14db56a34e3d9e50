// Lays a graph out, beside the page: dagre takes most of a second for 500 tasks.

import { Graph, layout } from "../vendor/dagre.js";

onmessage = ({ data: { turn, nodes, edges } }) => {
  const graph = new Graph({ compound: true }), frames = new Map();
  graph.setGraph({ rankdir: "LR", nodesep: 14, ranksep: 44, marginx: 4, marginy: 4 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const { id, width, height, frame } of nodes) {
    graph.setNode(id, { width, height });
    if (frame === undefined) continue;
    frames.set(`frame of ${frame}`, frame);  // no name holds a blank
    graph.setNode(`frame of ${frame}`, {});
    graph.setParent(id, `frame of ${frame}`);
  }
  for (const [from, to] of edges) graph.setEdge(from, to);
  layout(graph);
  const { width, height } = graph.graph();
  postMessage({
    turn, width, height,
    frames: [...frames.keys()].map((id) => { const { x, y, width, height } = graph.node(id); return { id, x, y, width, height }; }),
    nodes: graph.nodes().filter((id) => !frames.has(id)).map((id) => ({ id, x: graph.node(id).x, y: graph.node(id).y })),
    edges: graph.edges().map((edge) => ({ key: `${edge.v} ${edge.w}`, points: graph.edge(edge).points })),
  });
};
