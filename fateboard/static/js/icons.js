/** Icons, drawn for the board: 16 by 16, in the colour of the text around them. */

import { html } from "./html.js";

/** @type {Record<string, string>} */
const PATHS = {
  add: "M8 3v10M3 8h10",
  alert: "M8 2 1.8 13.2h12.4L8 2Zm0 4.2v3.4m0 1.9v.1",
  archive: "M2.5 3h11v3h-11zM3.5 6v7h9V6M6.5 8.7h3",
  arrow_down: "M8 3v10m-4-4 4 4 4-4",
  arrow_left: "M13 8H3m4-4L3 8l4 4",
  arrow_right: "M3 8h10M9 4l4 4-4 4",
  arrow_up: "M8 13V3M4 7l4-4 4 4",
  ban: "M8 2.2a5.8 5.8 0 1 0 0 11.6A5.8 5.8 0 0 0 8 2.2Zm-4 1.8 8 8",
  chart: "M2.5 2.5v11h11M5.5 10.5l2.5-3 2 1.5 3-4.5",
  check: "m3 8.5 3.3 3.3L13 4.5",
  chevron_down: "m4 6 4 4 4-4",
  chevron_left: "m10 4-4 4 4 4",
  chevron_right: "m6 4 4 4-4 4",
  chevron_up: "m4 10 4-4 4 4",
  circle_check: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2ZM5.2 8.2l2 2 3.6-4",
  circle_x: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2ZM5.8 5.8l4.4 4.4m0-4.4-4.4 4.4",
  clock: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2Zm0 2.8V8l2.2 1.6",
  close: "m3.8 3.8 8.4 8.4m0-8.4-8.4 8.4",
  columns: "M2.5 3h11v10h-11zM6.2 3v10M9.8 3v10",
  compare: "M6 2.5v11M10 2.5v11M2 5h4m4 0h4M2 8h4m4 0h4M2 11h4m4 0h4",
  copy: "M5.5 5.5h8v8h-8zM3.5 10.5h-1v-8h8v1",
  dots: "M3.4 8h.1M8 8h.1m4.4 0h.1",
  download: "M8 2.5v8m-3.5-3.3L8 10.7l3.5-3.5M2.5 13.5h11",
  edit: "m3 13 .6-2.8L11 2.8 13.2 5l-7.4 7.4L3 13Zm6.6-8.8 2.2 2.2",
  external: "M6.5 3.5h-3v9h9v-3M9 2.5h4.5V7M13 3 7.5 8.5",
  eye: "M1.5 8S4 3.8 8 3.8 14.5 8 14.5 8 12 12.2 8 12.2 1.5 8 1.5 8Zm6.5-1.8a1.8 1.8 0 1 0 0 3.6 1.8 1.8 0 0 0 0-3.6Z",
  eye_off: "M2.5 2.5l11 11M6.3 4.1A6 6 0 0 1 8 3.8c4 0 6.5 4.2 6.5 4.2a12 12 0 0 1-2.2 2.6M4 5.2A11.6 11.6 0 0 0 1.5 8S4 12.2 8 12.2c1 0 2-.3 2.8-.7",
  filter: "M2 3.5h12L9.5 9v4l-3-1.5V9L2 3.5Z",
  fit: "M2.5 6V2.5H6m4 0h3.5V6m0 4v3.5H10m-4 0H2.5V10",
  gantt: "M2.5 3.5h5m-2 4.5h6m-3 4.5h5M2.5 2v12",
  graph: "M6 2.5h4v3H6zM2 10.5h4v3H2zm8 0h4v3h-4zM8 5.5V8M4 10.5V8h8v2.5",
  help: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2ZM6.2 6.4A1.8 1.8 0 1 1 8 8.2v1m0 2.1v.1",
  info: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2Zm0 5v4.2m0-6.6v.1",
  key: "M6 6.5a3 3 0 1 1-1.8 5.4A3 3 0 0 1 6 6.5Zm2-.3 5-3.7m-2.2 1.6 1.6 2",
  language: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2Zm-6 6h12M8 2c4 3.5 4 8.5 0 12-4-3.5-4-8.5 0-12Z",
  link: "M6.5 9.5 9.5 6.5M7 4.5l1.6-1.6a2.8 2.8 0 0 1 4 4L11 8.5M9 11.5l-1.6 1.6a2.8 2.8 0 0 1-4-4L5 7.5",
  list: "M5.5 4h8m-8 4h8m-8 4h8M2.5 4h.1m-.1 4h.1m-.1 4h.1",
  lock: "M3.5 7.5h9v6h-9zM5.5 7.5v-2a2.5 2.5 0 0 1 5 0v2",
  log: "M3 2.5h7l3 3v8H3zM5.5 7.5h5m-5 3h5",
  minus: "M3 8h10",
  moon: "M13 9.8A5.6 5.6 0 0 1 6.2 3a5.5 5.5 0 1 0 6.8 6.8Z",
  pause: "M5.5 3.5v9m5-9v9",
  play: "m5 3 7.5 5L5 13V3Z",
  refresh: "M13 3v3.5H9.5M13 6.5A5.4 5.4 0 1 0 13.3 9.5",
  rerun: "M3 3v3.5h3.5M3 6.5a5.4 5.4 0 1 1-.3 3",
  screen: "M2 3h12v8H2zM6 13.5h4M8 11v2.5",
  search: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9Zm3.3 7.8L13.5 13.5",
  share: "M8 10V2.5M5 5l3-2.7L11 5M4.5 7.5h-1v6h9v-6h-1",
  shield: "M8 1.8 13 3.5v4c0 3.2-2 5.5-5 6.7-3-1.2-5-3.5-5-6.7v-4L8 1.8Z",
  sort: "M5 3v10m-2.5-2.5L5 13l2.5-2.5M11 13V3M8.5 5.5 11 3l2.5 2.5",
  stop: "M4 4h8v8H4z",
  sun: "M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6ZM8 1.5v1.2m0 10.6v1.2M1.5 8h1.2m10.6 0h1.2M3.4 3.4l.9.9m7.4 7.4.9.9m0-9.2-.9.9m-7.4 7.4-.9.9",
  table: "M2.5 3h11v10h-11zM2.5 6.3h11M2.5 9.7h11M6.5 6.3V13",
  tag: "M2.5 2.5h5l6 6-5 5-6-6v-5ZM5.3 5.3h.1",
  terminal: "M2 3h12v10H2zM4.5 6l2 2-2 2M8 10.3h3.5",
  user: "M8 2.5a2.7 2.7 0 1 0 0 5.4 2.7 2.7 0 0 0 0-5.4ZM2.8 13.5c.5-2.7 2.6-4 5.2-4s4.7 1.3 5.2 4",
  users: "M6 3a2.3 2.3 0 1 0 0 4.6A2.3 2.3 0 0 0 6 3ZM1.5 12.8c.4-2.4 2.2-3.6 4.5-3.6s4.1 1.2 4.5 3.6M10.3 3.2a2.3 2.3 0 0 1 0 4.2m1.3 2c1.5.4 2.6 1.5 2.9 3.4",
  wifi: "M1.8 6.2a9 9 0 0 1 12.4 0M4 8.7a5.7 5.7 0 0 1 8 0M6.2 11a2.6 2.6 0 0 1 3.6 0M8 13.2h.1",
  x: "m3.8 3.8 8.4 8.4m0-8.4-8.4 8.4",
  zoom_in: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9Zm3.3 7.8 3.2 3.2M7 5v4M5 7h4",
  zoom_out: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9Zm3.3 7.8 3.2 3.2M5 7h4",
};

/** @param {{name: string, size?: number, class?: string, title?: string}} props */
export function Icon({ name, size = 16, class: extra = "", title }) {
  return html`<svg
    class=${`icon ${extra}`}
    viewBox="0 0 16 16"
    width=${size}
    height=${size}
    aria-hidden=${title ? undefined : "true"}
    role=${title ? "img" : undefined}
    aria-label=${title}
  >
    <path d=${PATHS[name] ?? PATHS.info} />
  </svg>`;
}

/** The board's mark: the fibres of three parties, spun into one thread. @param {{size?: number}} props */
export function Logo({ size = 24 }) {
  return html`<svg class="logo" viewBox="0 0 24 24" width=${size} height=${size} aria-hidden="true">
    <path class="logo-a" d="M4.5 4c0 5.5 2.5 9 7.5 11.5" />
    <path class="logo-b" d="M19.5 4c0 5.5-2.5 9-7.5 11.5" />
    <path class="logo-c" d="M12 4v18" />
    <path class="logo-whorl" d="M9 18.5h6" />
    <circle class="logo-a" cx="4.5" cy="3.5" r="1.3" />
    <circle class="logo-b" cx="19.5" cy="3.5" r="1.3" />
    <circle class="logo-c" cx="12" cy="3.5" r="1.3" />
  </svg>`;
}
