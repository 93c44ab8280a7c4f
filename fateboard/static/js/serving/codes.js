/** FATE-Serving's return codes in words. */

import { t } from "../i18n.js";

/** @type {Record<number, () => string>} */
const WORDS = {
  0: () => t("serving.code.0"),
  100: () => t("serving.code.100"),
  102: () => t("serving.code.102"),
  104: () => t("serving.code.104"),
  105: () => t("serving.code.105"),
  106: () => t("serving.code.106"),
  107: () => t("serving.code.107"),
  108: () => t("serving.code.108"),
  109: () => t("serving.code.109"),
  110: () => t("serving.code.110"),
  111: () => t("serving.code.111"),
  113: () => t("serving.code.113"),
  116: () => t("serving.code.116"),
  121: () => t("serving.code.121"),
  122: () => t("serving.code.122"),
  123: () => t("serving.code.123"),
  124: () => t("serving.code.124"),
  128: () => t("serving.code.128"),
  129: () => t("serving.code.129"),
  131: () => t("serving.code.131"),
  135: () => t("serving.code.135"),
  136: () => t("serving.code.136"),
};

const ON_THE_WAY = 500;

/** A host's code stands behind a 2; one from the way to it is 500 higher. @param {number} code */
export function codeWords(code) {
  const own = WORDS[code] ?? WORDS[code - ON_THE_WAY];
  if (own) return own();
  const host = String(code).startsWith("2") ? Number(String(code).slice(1)) : Number.NaN;
  const words = WORDS[host] ?? WORDS[host - ON_THE_WAY];
  return words ? t("serving.code.host", { words: words() }) : t("serving.code.unknown");
}
