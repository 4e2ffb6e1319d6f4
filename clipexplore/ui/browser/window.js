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

export default function () {
  if (Object.hasOwn(history, "pushState")) return; // for the whole time that the window is open
  history.pushState = history.replaceState = write;
  addEventListener("popstate", () => (acted = false), true);
  for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, () => (acted = true), true);
  addEventListener("keydown", toTheBox);
}
