/**
 * Where the components of a job and the lines between them are drawn. Pure: no page is needed.
 *
 * @typedef {import("./types").Dag} Dag
 * @typedef {{name: string, kind: string, x: number, y: number}} PlacedPort
 * @typedef {{name: string, x: number, y: number, w: number, h: number, rank: number,
 *   inputs: PlacedPort[], outputs: PlacedPort[]}} PlacedNode
 * @typedef {{id: string, source: string, target: string, kind: string, path: string,
 *   from: string, to: string}} PlacedEdge
 * @typedef {{nodes: Map<string, PlacedNode>, edges: PlacedEdge[], width: number, height: number}} Placed
 * @typedef {{x: number, y: number, scale: number}} Viewport
 */

export const HEIGHT = 46;
const [RANK_GAP, NODE_GAP, MARGIN] = [34, 16, 12];
const [NARROWEST, WIDEST, FURNITURE] = [160, 290, 56];
const FOOT = 30; // where the legend stands
const [SMALLEST, LARGEST] = [0.1, 2.5];

/** All nodes are as wide as the longest name wants, within limits.
 * @param {number} longest width of the longest name */
export function nodeWidth(longest) {
  return Math.min(WIDEST, Math.max(NARROWEST, Math.ceil(longest + FURNITURE)));
}

/** As much of a text as fits, with an ellipsis. @param {string} text @param {number} letters */
export function shorten(text, letters) {
  return text.length <= letters ? text : `${text.slice(0, Math.max(1, letters - 1))}…`;
}

/**
 * @param {Dag} dag
 * @param {any} dagre the vendored library, which is loaded when the first graph is drawn
 * @param {number} width of every node
 * @returns {Placed}
 */
export function place(dag, dagre, width) {
  const graph = new dagre.Graph({ multigraph: true });
  graph.setGraph({
    rankdir: "TB", nodesep: NODE_GAP, ranksep: RANK_GAP, marginx: MARGIN, marginy: MARGIN,
  });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const node of dag.nodes) graph.setNode(node.name, { width, height: HEIGHT });
  const edges = dag.edges.filter((edge) => graph.hasNode(edge.source) && graph.hasNode(edge.target));
  for (const edge of edges) graph.setEdge(edge.source, edge.target, {}, edgeId(edge));
  dagre.layout(graph);
  const size = graph.graph();
  if (backwards(dag, graph)) mirror(graph, size.width);
  const nodes = new Map(dag.nodes.map((node) => [node.name, placedNode(node, graph.node(node.name))]));
  return {
    nodes,
    edges: edges.map((edge) => placedEdge(edge, nodes, graph)),
    width: Math.max(1, size.width || 0),
    height: Math.max(1, size.height || 0),
  };
}

/** Whether neighbours in a row mostly stand against the order of the job's components.
 * @param {Dag} dag @param {any} graph */
function backwards(dag, graph) {
  let against = 0;
  const last = new Map();
  for (const { name } of dag.nodes) {
    const { x, y } = graph.node(name);
    if (last.has(y)) against += x < last.get(y) ? 1 : -1;
    last.set(y, x);
  }
  return against > 0;
}

/** @param {any} graph @param {number} width */
function mirror(graph, width) {
  for (const name of graph.nodes()) graph.node(name).x = width - graph.node(name).x;
  for (const edge of graph.edges()) for (const point of graph.edge(edge).points) point.x = width - point.x;
}

/** @param {import("./types").DagEdge} edge */
function edgeId(edge) {
  return `${edge.source}.${edge.source_port}>${edge.target}.${edge.target_port}`;
}

/** @param {import("./types").DagNode} node @param {any} at @returns {PlacedNode} */
function placedNode(node, at) {
  const [x, y] = [at.x - at.width / 2, at.y - at.height / 2];
  return {
    name: node.name, x, y, w: at.width, h: at.height, rank: at.y,
    inputs: spread(node.inputs, x, at.width, y),
    outputs: spread(node.outputs, x, at.width, y + at.height),
  };
}

/** @param {import("./types").Port[]} ports @param {number} x @param {number} width @param {number} y */
function spread(ports, x, width, y) {
  return ports.map((port, n) => ({ ...port, x: x + (width * (n + 1)) / (ports.length + 1), y }));
}

/**
 * @param {import("./types").DagEdge} edge @param {Map<string, PlacedNode>} nodes @param {any} graph
 * @returns {PlacedEdge}
 */
function placedEdge(edge, nodes, graph) {
  const [source, target] = [
    /** @type {PlacedNode} */ (nodes.get(edge.source)), /** @type {PlacedNode} */ (nodes.get(edge.target)),
  ];
  const out = source.outputs.find((port) => port.name === edge.source_port);
  const into = target.inputs.find((port) => port.name === edge.target_port);
  const bends = (graph.edge(edge.source, edge.target, edgeId(edge))?.points || []).slice(1, -1);
  const points = [
    out || { x: source.x + source.w / 2, y: source.y + source.h },
    ...(bends.length > 1 ? bends : []),
    into || { x: target.x + target.w / 2, y: target.y },
  ];
  return {
    id: edgeId(edge), source: edge.source, target: edge.target, kind: edge.kind,
    from: edge.source_port, to: edge.target_port, path: smooth(points),
  };
}

/** Leaves and enters each point upright. @param {{x: number, y: number}[]} points */
export function smooth(points) {
  const parts = [`M${round(points[0].x)} ${round(points[0].y)}`];
  for (let n = 1; n < points.length; n += 1) {
    const [a, b] = [points[n - 1], points[n]];
    const half = (a.y + b.y) / 2;
    parts.push(
      `C${round(a.x)} ${round(half)} ${round(b.x)} ${round(half)} ${round(b.x)} ${round(b.y)}`,
    );
  }
  return parts.join("");
}

/** @param {number} value */
const round = (value) => Math.round(value * 10) / 10;

/**
 * The whole graph in the middle of a window, never larger than life.
 * @param {Placed} placed @param {number} width @param {number} height @returns {Viewport}
 */
export function fit(placed, width, height) {
  const free = Math.max(1, height - FOOT);
  const scale = clampScale(Math.min(1, width / placed.width, free / placed.height));
  return { scale, x: (width - placed.width * scale) / 2, y: (free - placed.height * scale) / 2 };
}

/** Zoom about a point of the window. @param {Viewport} view @param {number} factor @param {number} x @param {number} y */
export function zoomed(view, factor, x, y) {
  const scale = clampScale(view.scale * factor);
  const ratio = scale / view.scale;
  return { scale, x: x - (x - view.x) * ratio, y: y - (y - view.y) * ratio };
}

/** Moves as little as shows a node whole. @param {Viewport} view @param {PlacedNode} node @param {number} width @param {number} height */
export function revealed(view, node, width, height) {
  const edge = 12;
  const near = (/** @type {number} */ at, /** @type {number} */ from, /** @type {number} */ size, /** @type {number} */ room) => {
    const [low, high] = [at + from * view.scale, at + (from + size) * view.scale];
    if (low < edge) return at + edge - low;
    if (high > room - edge) return at - (high - room + edge);
    return at;
  };
  return { scale: view.scale, x: near(view.x, node.x, node.w, width), y: near(view.y, node.y, node.h, height) };
}

/** @param {number} scale */
const clampScale = (scale) => Math.min(LARGEST, Math.max(SMALLEST, scale));

/**
 * Where an arrow key leads: up and down follow the lines, left and right stay in the row.
 * @param {Placed} placed @param {string} name @param {string} key
 */
export function neighbour(placed, name, key) {
  const here = placed.nodes.get(name);
  if (!here) return "";
  const closest = (/** @type {PlacedNode[]} */ nodes) =>
    nodes.sort((a, b) => Math.abs(a.x - here.x) - Math.abs(b.x - here.x) || a.rank - b.rank)[0]?.name || "";
  const ends = (/** @type {"source" | "target"} */ from, /** @type {"source" | "target"} */ to) =>
    placed.edges.filter((edge) => edge[from] === name)
      .flatMap((edge) => placed.nodes.get(edge[to]) || []);
  if (key === "ArrowDown") return closest(ends("source", "target"));
  if (key === "ArrowUp") return closest(ends("target", "source"));
  const row = [...placed.nodes.values()].filter((node) => Math.abs(node.rank - here.rank) < 1);
  if (key === "ArrowLeft") return closest(row.filter((node) => node.x < here.x));
  if (key === "ArrowRight") return closest(row.filter((node) => node.x > here.x));
  return "";
}
