/* Ticks off, while a password is typed, what the rule asks for. The server checks it all again; pages work without. */
(() => {
  "use strict";

  const rule = document.querySelector(".rule");
  const [password, repeated] = ["id_new_password", "id_repeated"].map((id) => document.getElementById(id));
  const demands = [...rule.children].map((item) => ({ item, pattern: new RegExp(item.dataset.pattern, "u") }));
  const typed = (input) => input.value.normalize("NFC");

  // What is done is said at once, what is missing when the field is left: nobody is told of every key.
  const telling = (input) => (words) => {
    const line = input.nextElementSibling;
    if (line.textContent !== words) line.textContent = words;
  };
  const [tellPassword, tellRepeated] = [telling(password), telling(repeated)];

  const checkPassword = (left) => {
    const missing = demands.filter(({ item, pattern }) => !item.classList.toggle("kept", pattern.test(typed(password))));
    const words = missing.map(({ item }) => item.textContent).join("; ");
    if (!missing.length) tellPassword(rule.dataset.kept);
    else tellPassword(left && password.value ? `${rule.dataset.missing} ${words}.` : "");
  };
  const checkRepeated = (left) => {
    if (repeated.value && typed(repeated) === typed(password)) tellRepeated(rule.dataset.same);
    else tellRepeated(left && repeated.value ? rule.dataset.different : "");
  };

  password.addEventListener("input", () => (checkPassword(false), checkRepeated(true)));
  password.addEventListener("change", () => checkPassword(true));
  repeated.addEventListener("input", () => checkRepeated(false));
  repeated.addEventListener("change", () => checkRepeated(true));
})();
