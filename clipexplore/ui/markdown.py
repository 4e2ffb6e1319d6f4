"""Visitors' text, shown as typed: in Markdown, where it can neither format a page nor make it fetch anything, and in
charts.
"""

import re

_SPECIAL = re.compile(
    r"([!-/:-@\[-`{-~])"
)  # ASCII punctuation: a backslash before it takes away its meaning in Markdown
# Afterwards Streamlit turns addresses into links; an invisible character inside hides them from it.
_ADDRESS = re.compile(r"(https?(?=://)|www(?=\.)|[\w.+-](?=@))", re.IGNORECASE)
_JOINER = "\u2060"
_END = 8  # characters of an id


def escape(text: str) -> str:
    """The text as Markdown that shows exactly it, on one line."""
    return _SPECIAL.sub(r"\\\1", _ADDRESS.sub(rf"\1{_JOINER}", " ".join(text.split())))


def plain(label: str, most: int = 48) -> str:
    """A label that Plotly shows as typed: it reads a little HTML; long ones are cut."""
    return short(label, most).replace("&", "&amp;").replace("<", "&lt;")


def short(label: str, most: int) -> str:
    """A label of at most so many characters; of one id the end stays, which tells it from others of the same file."""
    if len(label) <= most:
        return label
    end = label[-_END:] if label.startswith("@") and " " not in label else ""
    return f"{label[: most - 1 - len(end)]}…{end}"
