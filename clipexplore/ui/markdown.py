"""Visitors' text inside Markdown: shown as typed, never read as Markdown, so that it can neither format a page nor fetch anything."""

import re

_SPECIAL = re.compile(r"([!-/:-@\[-`{-~])")  # all ASCII punctuation, which Markdown lets a backslash take the meaning of
# Streamlit looks for addresses once more after that, and would make links of them; an invisible character inside keeps it from finding any.
_ADDRESS = re.compile(r"(https?(?=://)|www(?=\.)|[\w.+-](?=@))", re.IGNORECASE)
_JOINER = "\u2060"


def escape(text: str) -> str:
    """The text as Markdown that shows exactly it, on one line."""
    return _SPECIAL.sub(r"\\\1", _ADDRESS.sub(rf"\1{_JOINER}", " ".join(text.split())))
