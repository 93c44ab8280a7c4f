// Ours: the types of what the board uses of this library.
type Setter<T> = (value: T | ((before: T) => T)) => void;
export function useState<T>(initial: T | (() => T)): [T, Setter<T>];
export function useEffect(run: () => void | (() => void), inputs?: unknown[]): void;
export function useLayoutEffect(run: () => void | (() => void), inputs?: unknown[]): void;
export function useMemo<T>(make: () => T, inputs: unknown[]): T;
export function useCallback<F>(call: F, inputs: unknown[]): F;
export function useRef<T>(initial: T): { current: T };
export function useContext<T>(context: { value?: T }): T;
export function useId(): string;
export function useErrorBoundary(told?: (error: unknown) => void): [unknown, () => void];
