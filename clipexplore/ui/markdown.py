"""Visitors' text inside Markdown: shown as typed, never read as Markdown, so that it can neither format a page nor fetch anything."""

import re

_SPECIAL = re.compile(r"([!-/:-@\[-`{-~])")  # all ASCII punctuation, which Markdown lets a backslash take the meaning of


def escape(text: str) -> str:
    """The text as Markdown that shows exactly it, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
