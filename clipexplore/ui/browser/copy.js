// navigator.clipboard exists on https and localhost only; in a class room the address is http://192.168.…
export default function ({ parentElement, data }) {
  const button = parentElement.querySelector("button");
  button.textContent = data.label;
  button.onclick = () => {
    const area = document.createElement("textarea");
    area.value = data.link;
    document.body.appendChild(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    button.textContent = copied ? data.copied : data.label;
  };
}
