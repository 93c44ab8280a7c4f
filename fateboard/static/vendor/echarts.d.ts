// Ours: the types of what the board uses of this library.
export function init(element: HTMLElement, theme?: unknown, options?: object): any;
export function connect(group: string | any[]): void;
export function getInstanceByDom(element: HTMLElement): any;
