/* What allauth's scripts leave out: telling people when a security key has not answered. */
(() => {
  "use strict";
  const trouble = document.getElementById("key-trouble");
  document.addEventListener("allauth.error", (event) => {
    event.preventDefault();
    trouble.hidden = false;
  });
  document.getElementById("key-button").addEventListener("click", () => {
    trouble.hidden = true;
  });
})();
