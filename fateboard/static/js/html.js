/** The one door to the vendored Preact, htm and signals. */

import { Fragment, createContext, h, render } from "../vendor/preact.js";
import {
  useCallback,
  useContext,
  useEffect,
  useErrorBoundary,
  useId,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from "../vendor/preact-hooks.js";
import htm from "../vendor/htm.js";
import { batch, computed, effect, signal, untracked, useSignal } from "../vendor/signals.js";

/** @template [T=any] @typedef {{current: T}} Ref */

/** Markup: html`<p class="x">${text}</p>`. Text that is put in stays text. */
export const html = htm.bind(h);

export {
  Fragment,
  batch,
  computed,
  createContext,
  effect,
  h,
  render,
  signal,
  untracked,
  useCallback,
  useContext,
  useEffect,
  useErrorBoundary,
  useId,
  useLayoutEffect,
  useMemo,
  useRef,
  useSignal,
  useState,
};
