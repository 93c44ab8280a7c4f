// Ours: the types of what the board uses of this library.
export const graphlib: { Graph: new (options?: object) => any };
export const Graph: new (options?: object) => any;
export function layout(graph: any, options?: object): any;
declare const dagre: { graphlib: { Graph: new (options?: object) => any }; layout(graph: any): any };
export default dagre;
