// Ours: the types of what the board uses of this library.
declare const htm: {
  bind(make: (...all: any[]) => unknown): (parts: TemplateStringsArray, ...values: any[]) => any;
};
export default htm;
