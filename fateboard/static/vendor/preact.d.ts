// Ours: the types of what the board uses of this library.
export interface VNode {
  type: unknown;
  props: unknown;
  key: unknown;
}
export function h(type: any, props: any, ...children: any[]): VNode;
export function render(node: any, into: Element): void;
export function createContext<T>(value: T): { Provider: any; value?: T };
export const Fragment: any;
