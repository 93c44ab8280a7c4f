/** Light or dark, and the colours of charts, which read them from the style sheet. */

import { computed, signal } from "./html.js";

/** @typedef {"system" | "light" | "dark"} Theme */

const KEY = "board.theme";
const system = matchMedia("(prefers-color-scheme: dark)");
const systemDark = signal(system.matches);
system.addEventListener("change", () => (systemDark.value = system.matches));

/** @returns {Theme} */
function stored() {
  const name = localStorage.getItem(KEY);
  return name === "light" || name === "dark" ? name : "system";
}

export const theme = signal(stored());

/** Whether the page is dark now: charts draw themselves again when it changes. */
export const dark = computed(() =>
  theme.value === "system" ? systemDark.value : theme.value === "dark",
);

/** @param {Theme} name */
export function setTheme(name) {
  if (name === "system") {
    localStorage.removeItem(KEY);
    delete document.documentElement.dataset.theme;
  } else {
    localStorage.setItem(KEY, name);
    document.documentElement.dataset.theme = name;
  }
  theme.value = name;
}

/** Colours of now: twelve for series, and those of text, lines and grounds. Style sheets say
 * `light-dark(...)`; only an element knows which of the two it has. */
export function palette() {
  void dark.value; // who draws by it is told of a change
  const probe = document.createElement("i");
  probe.style.setProperty("transition", "none", "important"); // else a colour would still be the last one
  document.body.append(probe);
  /** @param {string} name */
  const colour = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const found = {
    series: Array.from({ length: 12 }, (_, i) => colour(`series-${i + 1}`)),
    ink: colour("ink"),
    ink2: colour("ink-2"),
    ink3: colour("ink-3"),
    line: colour("line"),
    lineStrong: colour("line-strong"),
    surface: colour("surface"),
    surface2: colour("surface-2"),
    ground: colour("ground"),
    accent: colour("accent"),
    good: colour("good"),
    bad: colour("bad"),
    warn: colour("warn"),
    font: getComputedStyle(document.body).fontFamily,
  };
  probe.remove();
  return found;
}
