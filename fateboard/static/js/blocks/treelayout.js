// Where the nodes of a decision tree stand: each level in a row, subtrees as close as they fit.

/** @import {TreeNode} from "../types.js" */
/** @typedef {{node: TreeNode, x: number, y: number, depth: number, parent: number | null, side: "left" | "right" | "", hidden: number}} Placed */
/** @typedef {{placed: Map<number, Placed>, width: number, height: number}} Layout */

export const NODE_WIDTH = 136;
export const NODE_HEIGHT = 46;
const LEVEL = 96;
const GAP = 12;
const DEEPEST = 200;

/** Ids of a node's children that the tree has. @param {TreeNode} node @param {Map<number, TreeNode>} nodes */
export function childrenOf(node, nodes) {
  const ids = node.children?.length ? node.children : [node.left ?? -1, node.right ?? -1];
  return ids.filter((id) => id !== node.id && nodes.has(id));
}

/** @param {TreeNode[]} nodes */
export function byId(nodes) {
  return new Map(nodes.map((node) => [node.id, node]));
}

/** Nodes below one, itself not counted. @param {number} id @param {Map<number, TreeNode>} nodes */
export function countBelow(id, nodes) {
  const seen = new Set([id]);
  const open = [id];
  while (open.length) {
    const node = nodes.get(/** @type {number} */ (open.pop()));
    for (const child of node ? childrenOf(node, nodes) : []) {
      if (seen.has(child)) continue;
      seen.add(child);
      open.push(child);
    }
  }
  return seen.size - 1;
}

/** Levels below the root. @param {TreeNode[]} list */
export function depthOf(list) {
  const nodes = byId(list);
  const seen = new Set();
  let level = list.length ? [list[0].id] : [];
  let depth = -1;
  while (level.length) {
    depth += 1;
    for (const id of level) seen.add(id);
    level = level.flatMap((id) => childrenOf(/** @type {TreeNode} */ (nodes.get(id)), nodes)).filter((id) => !seen.has(id));
  }
  return Math.max(0, depth);
}

/** @typedef {{id: number, offset: number, left: number[], right: number[], children: Shape[]}} Shape edges by level, from the subtree's own root */

/**
 * A subtree with its children pushed apart until no level overlaps.
 * @param {number} id @param {number} depth @param {(id: number, depth: number) => number[]} open
 * @param {Set<number>} seen @returns {Shape}
 */
function shapeOf(id, depth, open, seen) {
  seen.add(id);
  const ids = open(id, depth).filter((child) => !seen.has(child));
  const children = ids.map((child) => shapeOf(child, depth + 1, open, seen));
  /** @type {number[]} */
  const left = [];
  /** @type {number[]} */
  const right = [];
  children.forEach((child, index) => {
    let shift = 0;
    if (index) right.forEach((edge, level) => level in child.left && (shift = Math.max(shift, edge + GAP - child.left[level])));
    child.offset = shift;
    child.left.forEach((edge, level) => (left[level] = Math.min(left[level] ?? Infinity, edge + shift)));
    child.right.forEach((edge, level) => (right[level] = Math.max(right[level] ?? -Infinity, edge + shift)));
  });
  const middle = children.length ? (children[0].offset + children[children.length - 1].offset) / 2 : 0;
  for (const child of children) child.offset -= middle;
  const half = NODE_WIDTH / 2;
  return { id, offset: 0, children, left: [-half, ...left.map((edge) => edge - middle)], right: [half, ...right.map((edge) => edge - middle)] };
}

/**
 * @param {TreeNode[]} list its root first
 * @param {Set<number>} folded nodes whose children are hidden
 * @param {number} deepest level below which nodes are hidden unless `unfolded`
 * @param {Set<number>} unfolded
 * @returns {Layout}
 */
export function layout(list, folded, deepest, unfolded) {
  const nodes = byId(list);
  /** @type {Map<number, Placed>} */
  const placed = new Map();
  if (!list.length) return { placed, width: 0, height: 0 };
  const isOpen = (/** @type {number} */ id, /** @type {number} */ depth) =>
    !folded.has(id) && (depth < deepest || unfolded.has(id)) && depth < DEEPEST;
  const open = (/** @type {number} */ id, /** @type {number} */ depth) =>
    isOpen(id, depth) ? childrenOf(/** @type {TreeNode} */ (nodes.get(id)), nodes) : [];
  const root = shapeOf(list[0].id, 0, open, new Set());
  const least = Math.min(...root.left);
  let lowest = 0;
  const settle = (/** @type {Shape} */ shape, /** @type {number} */ x, /** @type {number} */ depth, /** @type {number | null} */ parent) => {
    const node = /** @type {TreeNode} */ (nodes.get(shape.id));
    const above = parent === null ? undefined : nodes.get(parent);
    const side = above?.left === node.id ? "left" : above?.right === node.id ? "right" : "";
    const hidden = isOpen(node.id, depth) ? 0 : countBelow(node.id, nodes);
    placed.set(node.id, { node, x, y: depth * LEVEL + NODE_HEIGHT / 2, depth, parent, side, hidden });
    lowest = Math.max(lowest, depth);
    for (const child of shape.children) settle(child, x + child.offset, depth + 1, node.id);
  };
  settle(root, -least, 0, null);
  return { placed, width: Math.max(...root.right) - least, height: lowest * LEVEL + NODE_HEIGHT };
}

/** From the root to a node. @param {Layout} tree @param {number | null} id */
export function pathTo(tree, id) {
  /** @type {Placed[]} */
  const path = [];
  for (let at = id === null ? undefined : tree.placed.get(id); at; at = at.parent === null ? undefined : tree.placed.get(at.parent)) path.unshift(at);
  return path;
}

/** The node that an arrow key leads to. @param {Layout} tree @param {number} id @param {string} key */
export function neighbour(tree, id, key) {
  const at = tree.placed.get(id);
  if (!at) return null;
  const all = [...tree.placed.values()];
  if (key === "ArrowUp") return at.parent;
  if (key === "ArrowDown") return all.find((other) => other.parent === id)?.node.id ?? null;
  if (key === "Home") return all[0].node.id;
  const row = all.filter((other) => other.depth === at.depth).sort((a, b) => a.x - b.x);
  const to = row.indexOf(at) + (key === "ArrowRight" ? 1 : key === "ArrowLeft" ? -1 : 0);
  return row[to]?.node.id ?? null;
}
