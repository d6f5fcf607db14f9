// Before anything is painted: the theme that the reader chose last. Storage may be forbidden.
(() => {
  "use strict";
  let chosen = null;
  try {
    chosen = localStorage.getItem("lossbench-theme");
  } catch {
    // Nothing is remembered then.
  }
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
})();
