// Pictures in rows. One of them is in the order of the Tab key; the arrow keys walk, Enter opens.

function element(tag, properties) {
  return Object.assign(document.createElement(tag), properties);
}

function tile(item, data) {
  const li = element("li", {}), tools = element("div", { className: "tools" });
  li.dataset.id = item.id;
  const open = element("button", { className: "open", type: "button", title: item.caption });
  open.append(element("img", { src: item.url, alt: item.caption }));
  const choose = element("input", { className: "choose", type: "checkbox", title: data.choose });
  for (const [act, sign, says] of data.tools) {
    const button = element("button", { type: "button", textContent: sign, title: says });
    button.dataset.act = act;
    button.setAttribute("aria-label", `${says}: @${item.id}`);
    tools.append(button);
  }
  open.setAttribute("aria-label", `@${item.id}, ${item.caption}`);
  choose.setAttribute("aria-label", `${data.choose}: @${item.id}`);
  const name = element("span", { className: "name", textContent: `@${item.id}`, title: `@${item.id}` });
  li.append(open, choose, tools, name, element("span", { className: "score" }));
  return li;
}

function fill(list, data) {
  const wanted = JSON.stringify([data.items.map(({ id, url }) => [id, url]), data.tools]);
  if (list.filled !== wanted) list.replaceChildren(...data.items.map((item) => tile(item, data)));
  list.filled = wanted;
  data.items.forEach((item, number) => {
    const li = list.children[number];
    li.querySelector(".score").textContent = item.score;
    li.querySelector(".choose").checked = data.chosen.includes(item.id);
  });
  if (!list.querySelector('.open[tabindex="0"]')) makeCurrent(list, list.firstElementChild);
}

function makeCurrent(list, chosen) {
  for (const li of list.children) {
    for (const each of li.querySelectorAll("button, input")) each.tabIndex = li === chosen ? 0 : -1;
  }
}

function walk(list, key) {
  const all = [...list.children], at = all.findIndex((li) => li.contains(document.activeElement));
  const columns = all.findIndex((li) => li.offsetTop > all[0].offsetTop);
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns, Home: -at, End: all.length - 1 - at };
  const next = key in steps ? all[at + (columns < 0 && key.match(/Up|Down/) ? 0 : steps[key])] : undefined;
  if (next) {
    makeCurrent(list, next);
    next.querySelector(".open").focus();
  }
  return key in steps;
}

function focused(event) {
  makeCurrent(event.currentTarget, event.target.closest("li"));
}

export default function ({ parentElement, data, setTriggerValue }) {
  const list = parentElement.querySelector(".gallery");
  list.setAttribute("aria-label", data.label);
  fill(list, data);
  list.onclick = (event) => {
    const li = event.target.closest("li"), act = event.target.dataset.act;
    if (act) setTriggerValue("act", [act, li.dataset.id]);
    else if (event.target.closest(".open")) setTriggerValue("open", li.dataset.id);
  };
  list.onchange = (event) => setTriggerValue("choose", [event.target.closest("li").dataset.id, event.target.checked]);
  list.addEventListener("focusin", focused); // the same function again is not added twice
  list.onkeydown = (event) => {
    if (!event.altKey && !event.ctrlKey && !event.metaKey && walk(list, event.key)) event.preventDefault();
  };
}
