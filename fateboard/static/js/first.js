// Runs before the first paint, so that a chosen theme or language does not flash the other one.
(() => {
  const theme = localStorage.getItem("board.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  const language = localStorage.getItem("board.language");
  if (language === "en" || language === "zh-CN") document.documentElement.lang = language;
})();
