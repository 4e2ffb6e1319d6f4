// The cookie of the operator's browser, which only the server can set; data.ticket is "" to give it back.
export default function ({ data }) {
  fetch("/operator", data.ticket ? { method: "POST", headers: { "X-Ticket": data.ticket } } : { method: "DELETE" });
}
