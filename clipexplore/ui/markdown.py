"""Visitors' text inside Markdown, shown as typed: it can neither format a page nor make it fetch anything."""

import re

_SPECIAL = re.compile(
    r"([!-/:-@\[-`{-~])"
)  # ASCII punctuation: a backslash before it takes away its meaning in Markdown
# Afterwards Streamlit turns addresses into links; an invisible character inside hides them from it.
_ADDRESS = re.compile(r"(https?(?=://)|www(?=\.)|[\w.+-](?=@))", re.IGNORECASE)
_JOINER = "\u2060"


def escape(text: str) -> str:
    """The text as Markdown that shows exactly it, on one line."""
    return _SPECIAL.sub(r"\\\1", _ADDRESS.sub(rf"\1{_JOINER}", " ".join(text.split())))
