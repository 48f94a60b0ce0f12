/* Small comforts. Every page works without this file. */
(() => {
  "use strict";

  // After a refused form the reader starts at the summary of what is wrong.
  const summary = document.querySelector(".form-errors");
  if (summary) summary.focus();

  // A password can be shown while it is typed. The words come from the page, in its language.
  const words = document.body.dataset;
  for (const input of document.querySelectorAll('.field input[type="password"]')) {
    const box = document.createElement("div");
    const button = document.createElement("button");
    const word = document.createElement("span");
    const rest = document.createElement("span");
    box.className = "reveal-box";
    button.type = "button";
    button.className = "reveal";
    word.textContent = words.wordShow;
    rest.className = "visually-hidden";
    rest.textContent = ` ${words.wordPassword}`;
    button.append(word, rest);
    input.replaceWith(box);
    box.append(input, button);
    const show = (shown) => {
      input.type = shown ? "text" : "password";
      word.textContent = shown ? words.wordHide : words.wordShow;
    };
    button.addEventListener("click", () => show(input.type === "password"));
    input.form?.addEventListener("submit", () => show(false));
  }

  // A part that changes by itself is no live region, or it would be read out at every look: what is new is said here.
  const voice = document.getElementById("annuncio");
  const told = () => [...document.querySelectorAll("[data-announce]")].map((it) => it.textContent.trim());
  let before = told();
  document.addEventListener("htmx:afterSettle", () => {
    const now = told();
    const fresh = now.filter((words) => !before.includes(words));
    before = now;
    if (fresh.length) voice.textContent = fresh.join(". ");
  });

  // A form is sent once, however often the button is pressed. What brings a file stays, for another.
  for (const form of document.querySelectorAll("form.portal-form:not([data-file])")) {
    form.addEventListener("submit", (event) => {
      if (form.dataset.sent) event.preventDefault();
      form.dataset.sent = "1";
    });
  }
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });
})();
