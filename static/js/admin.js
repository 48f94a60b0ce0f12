/* Small comforts of the office. Every page works without this file. */
(() => {
  "use strict";

  for (const button of document.querySelectorAll("button.print")) {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  }

  // To send a file that will be refused takes minutes; to look at its size, nothing.
  for (const input of document.querySelectorAll("input[type=file][data-max-bytes]")) {
    input.addEventListener("change", () => {
      const tooBig = input.files.length && input.files[0].size > Number(input.dataset.maxBytes);
      input.setCustomValidity(tooBig ? input.dataset.tooBig : "");
      input.reportValidity();
    });
    input.form.addEventListener("submit", (event) => {
      if (input.validity.customError && !input.reportValidity()) event.preventDefault();
    });
  }

  // Django's help signs have a name but no role, so that nobody would read it.
  window.addEventListener("load", () => {
    for (const sign of document.querySelectorAll(".help-tooltip[aria-label]")) sign.setAttribute("role", "img");
  });
})();
