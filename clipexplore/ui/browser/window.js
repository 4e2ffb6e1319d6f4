// The browser's history has one entry for each thing that a visitor does. By itself Streamlit replaces the address when
// a widget changes, so that Back would leave the page, and adds an entry for every single value that a button sets.

let acted = false; // since the last entry

function write(state, title, url) {
  const changes = new URL(url ?? "", location).href !== location.href;
  History.prototype[changes && acted ? "pushState" : "replaceState"].call(history, state, title, url);
  if (changes) acted = false; // what follows by itself, until somebody acts again, belongs to the same entry
}

function toTheBox(event) {
  const inField = event.target.closest("input, textarea, [contenteditable=true], [role=dialog]");
  if (event.key !== "/" || event.ctrlKey || event.altKey || event.metaKey || inField) return;
  const box = document.querySelector("[data-testid=stMain] :is(.stTextInput input, .stTextArea textarea)");
  if (!box) return;
  event.preventDefault();
  box.focus();
  box.select();
}

// Streamlit's sliders and fields run from right to left in a browser that does, although the page around them does not:
// they go by the browser's language unless this names another.
const LOCALE = Symbol.for("react-aria.i18n.locale");

function read(language) {
  document.documentElement.lang = language;
  if (window[LOCALE] === language) return;
  window[LOCALE] = language;
  window.dispatchEvent(new Event("languagechange"));
}

// What is presented: lessons one after the other, of another page its examples.
let example = -1, place, tell;

function step(by) {
  const lessons = document.querySelector("[data-testid=stMain] [class*=st-key-option-], [data-testid=stMain] .st-key-lesson");
  if (lessons) return document.querySelector(`.st-key-${by > 0 ? "next" : "previous"}-lesson button`)?.click();
  const examples = document.querySelectorAll("[data-testid=stMain] [class*=st-key-example-] button");
  example = Math.min(Math.max(example + by, 0), examples.length - 1);
  examples[example]?.click();
}

function present(event) {
  const by = { PageDown: 1, ArrowRight: 1, PageUp: -1, ArrowLeft: -1 }[event.key];
  if (!document.documentElement.classList.contains("presenting") || event.target.closest("input, textarea, [role=dialog], .gallery")) return;
  if (by) step(by);
  else if (event.key === "Escape") tell("leave", true);
  else return;
  event.preventDefault();
}

// What the navigation folds away is there only while the window is too narrow for all.
let more;

function nameFolded() {
  document.querySelector("[data-testid=stTopNav] .rc-overflow-item-rest button")?.setAttribute("aria-label", more);
}

export default function ({ data, setTriggerValue }) {
  tell = setTriggerValue;
  document.documentElement.classList.toggle("presenting", data.presenting);
  read(data.language);
  document.documentElement.classList.toggle("translated", data.language !== "en");
  for (const [name, says] of Object.entries(data.words)) document.documentElement.style.setProperty(`--${name}`, JSON.stringify(says));
  more = data.words.more;
  nameFolded();
  if (place !== location.pathname) [place, example] = [location.pathname, -1];
  if (Object.hasOwn(history, "pushState")) return; // for the whole time that the window is open
  history.pushState = history.replaceState = write;
  addEventListener("popstate", () => (acted = false), true);
  for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, () => (acted = true), true);
  addEventListener("keydown", toTheBox);
  addEventListener("keydown", present);
  const header = document.querySelector("[data-testid=stHeader]"); // a page in another's frame has none
  if (header) new MutationObserver(nameFolded).observe(header, { childList: true, subtree: true });
}
