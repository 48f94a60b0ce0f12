/* Small comforts of the office. Every page works without this file. */
(() => {
  "use strict";

  for (const button of document.querySelectorAll("button.print")) {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  }

  // Django's help signs have a name but no role, so that nobody would read it.
  window.addEventListener("load", () => {
    for (const sign of document.querySelectorAll(".help-tooltip[aria-label]")) sign.setAttribute("role", "img");
  });
})();
