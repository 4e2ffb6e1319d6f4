"""The share box: the link of what is on screen, a button that copies it also where the browser has no clipboard, and its QR code."""

from io import BytesIO
from urllib.parse import urlencode, urlsplit

import segno
import streamlit as st

from clipexplore.images import data_url
from clipexplore.server.serving import entrance
from clipexplore.settings import settings

from .markdown import escape
from .texts import text

LONGEST = 1500  # characters of a link that a QR code can hold and a phone still read

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
    """The address of this page in this state, as others reach it; a value that is the default is left out."""
    return _base() + _own_part()


def _base() -> str:
    """How the address begins: as the operator says, or as this visitor's browser has it."""
    asked = urlsplit(st.context.url or "")
    return settings().public_url.rstrip("/") or (f"{asked.scheme}://{asked.netloc}" if asked.netloc else "")


def _own_part() -> str:
    query = [(key, value) for key in st.query_params for value in st.query_params.get_all(key)]
    return (urlsplit(st.context.url or "").path or "/") + ("?" + urlencode(query) if query else "")


def share_box() -> None:
    """A popover with link, copy button and QR code; called after the page has run, so that the link is that of this run."""
    link = current_link()
    with st.popover(text("share.label"), icon=":material/share:", width="stretch", key="share", on_change="rerun") as box:
        st.write(text("share.lead"))
        st.code(link, language=None, wrap_lines=True)
        _copy_button(data={"link": link, "label": text("share.copy"), "copied": text("share.copied")}, key="copy")
        if len(link) > LONGEST:
            st.caption(text("share.too_long"))
        elif box.open:  # every change makes another link, and its code would take as long as many a page
            target = _entrance()
            st.image(data_url(_qr(target)), width=240, alt=text("share.qr"))
            st.button(text("share.enlarge"), key="enlarge", on_click=_enlarge, args=(link, target), icon=":material/cast_for_education:", width="stretch")


def _entrance() -> str:
    """What the QR code holds: the link, and the passcode where the server asks for one, so that nobody has to type it."""
    return entrance(_base(), settings().passcode, _own_part())


@st.dialog(text("share.label"), width="large", icon=":material/qr_code_2:")
def _enlarge(link: str, target: str) -> None:
    """For a screen that a whole room looks at."""
    st.image(data_url(_qr(target)), width=520, alt=text("share.qr"))
    st.subheader(escape(link), anchor=False)
    if settings().passcode:
        st.subheader(text("share.passcode", passcode=escape(settings().passcode)), anchor=False)


@st.cache_data(max_entries=256, show_spinner=False)
def _qr(link: str) -> bytes:
    file = BytesIO()
    segno.make(link, error="l").save(file, kind="png", scale=8, border=3)
    return file.getvalue()
