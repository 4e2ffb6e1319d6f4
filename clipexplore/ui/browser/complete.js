// Ids while one types: an "@" in one of the fields opens a list below it. The fields stay Streamlit's own.

const PAUSE = 120; // milliseconds without a key before ids are asked for
const BEGUN = /(?:^|[\s*])@([\p{L}\p{N}._-]*)$/u;

class Completion {
  constructor(field) {
    this.field = field;
    this.line = field.matches("input"); // a combobox is one line; a field of several stays a text field that has a list
    if (this.line) field.setAttribute("role", "combobox");
    else field.setAttribute("aria-haspopup", "listbox");
    field.setAttribute("aria-autocomplete", "list");
    this.close();
    field.addEventListener("input", () => this.typed());
    field.addEventListener("blur", () => this.close());
    field.addEventListener("keydown", (event) => this.pressed(event));
  }

  get word() {
    return BEGUN.exec(this.field.value.slice(0, this.field.selectionStart))?.[1];
  }

  typed() {
    this.refused = undefined;
    clearTimeout(this.pause);
    if (this.word === undefined || this.taking) this.close();
    else this.pause = setTimeout(() => this.word !== undefined && this.ask(`@${this.word}`), PAUSE);
  }

  offer(list, data) {
    [this.list, this.asked] = [list, data.asked];
    const ids = data.items.map((item) => item.id), late = data.asked !== `@${this.word}` || data.asked === this.refused;
    if (document.activeElement !== this.field || late || !ids.length || (ids.length === 1 && ids[0] === this.word)) {
      if (!late || this.word === undefined) this.close();
      return;
    }
    list.replaceChildren(...data.items.map((item, number) => this.option(item, `${list.id}-${number}`)));
    const box = this.field.getBoundingClientRect();
    Object.assign(list.style, { left: `${box.left}px`, top: `${box.bottom + 4}px`, width: `${Math.min(box.width, 420)}px` });
    if (!list.matches(":popover-open")) list.showPopover();
    this.field.setAttribute("aria-controls", list.id);
    if (this.line) this.field.setAttribute("aria-expanded", "true");
    this.select(0);
  }

  option({ id, url, caption }, name) {
    const li = Object.assign(document.createElement("li"), { id: name, role: "option", title: caption });
    if (url) li.append(Object.assign(new Image(), { src: url, alt: "" }));
    li.append(Object.assign(document.createElement("span"), { textContent: `@${id}` }));
    li.onpointerdown = (event) => {
      event.preventDefault(); // the field keeps the focus
      this.take(id);
    };
    li.take = () => this.take(id);
    return li;
  }

  select(number) {
    const all = [...this.list.children];
    this.at = (number + all.length) % all.length;
    all.forEach((li, place) => li.setAttribute("aria-selected", place === this.at));
    all[this.at].scrollIntoView({ block: "nearest" });
    this.field.setAttribute("aria-activedescendant", all[this.at].id);
  }

  pressed(event) {
    if (event.key === "Escape") this.refused = `@${this.word}`;
    if (!this.list?.matches(":popover-open")) return;
    if (this.asked !== `@${this.word}` && event.key !== "Escape") return; // the list is still of what stood there before
    const acts = {
      ArrowDown: () => this.select(this.at + 1),
      ArrowUp: () => this.select(this.at - 1),
      Enter: () => this.list.children[this.at].take(),
      Tab: () => this.list.children[this.at].take(),
      Escape: () => this.close(),
    };
    if (!(event.key in acts)) return;
    event.preventDefault();
    event.stopPropagation(); // or Enter would send the field as it is
    acts[event.key]();
  }

  take(id) {
    const { field, word } = this, end = field.selectionStart, start = end - word.length;
    // React hears of a value only when it is set past its own setter.
    const setter = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(field), "value").set;
    setter.call(field, field.value.slice(0, start) + id + field.value.slice(end));
    field.setSelectionRange(start + id.length, start + id.length);
    this.taking = true;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    this.taking = false;
    this.close();
  }

  close() {
    if (this.list?.matches(":popover-open")) this.list.hidePopover();
    if (this.line) this.field.setAttribute("aria-expanded", "false");
    this.field.removeAttribute("aria-activedescendant");
  }
}

export default function ({ parentElement, data, setTriggerValue }) {
  const list = parentElement.querySelector(".ids");
  list.id = "ids";
  list.setAttribute("aria-label", data.label);
  for (const key of data.fields) {
    const field = document.querySelector(`.st-key-${CSS.escape(key)} :is(input, textarea)`);
    if (!field) continue;
    field.completion ??= new Completion(field);
    field.completion.ask = (typed) => setTriggerValue("ask", [key, typed]);
    if (key === data.field) field.completion.offer(list, data);
  }
}
