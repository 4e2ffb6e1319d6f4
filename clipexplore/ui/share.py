"""The share box: the link of what is on screen, a button that copies it also where the browser has no clipboard, and its QR code."""

from io import BytesIO
from urllib.parse import urlencode

import segno
import streamlit as st

from .texts import text

# navigator.clipboard exists on https and localhost only; in a class room the address is http://192.168.…
_COPY_JS = """
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
"""
_COPY_CSS = """
button { font: inherit; color: inherit; background: transparent; border: 1px solid var(--st-border-color); cursor: pointer;
         border-radius: var(--st-base-radius); padding: 0.25rem 0.75rem; width: 100%; }
button:hover { color: var(--st-primary-color); border-color: var(--st-primary-color); }
"""
_copy_button = st.components.v2.component("clipexplore_copy", html="<button></button>", css=_COPY_CSS, js=_COPY_JS)


def current_link() -> str:
    """The address of this page in this state; a value that is the default is left out."""
    query = [(key, value) for key in st.query_params for value in st.query_params.get_all(key)]
    return (st.context.url or "") + ("?" + urlencode(query) if query else "")


def share_box() -> None:
    """A popover with link, copy button and QR code; called after the page has run, so that the link is that of this run."""
    link = current_link()
    with st.popover(text("share.label"), icon=":material/share:", width="stretch"):
        st.write(text("share.lead"))
        st.code(link, language=None, wrap_lines=True)
        _copy_button(data={"link": link, "label": text("share.copy"), "copied": text("share.copied")}, key="copy")
        if len(link) <= 1500:
            st.image(_qr(link), width=240, alt=text("share.qr"))
        else:
            st.caption(text("share.too_long"))


@st.cache_data(max_entries=256, show_spinner=False)
def _qr(link: str) -> bytes:
    file = BytesIO()
    segno.make(link, error="l").save(file, kind="png", scale=5, border=3)
    return file.getvalue()
