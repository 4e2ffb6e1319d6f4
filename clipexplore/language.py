"""The visitor's language: the source holds English as `_("…")`, gettext finds translations in `locale/`, and numbers,
sizes and times are written as the language does.
"""

import gettext as _gettext
from collections.abc import Callable
from contextvars import ContextVar
from functools import cache
from numbers import Real
from string import Formatter
from typing import Any

from clipexplore.paths import BUNDLE

LOCALE = BUNDLE / "locale"
#: What the pages can be read in, by ISO 639 code.
LANGUAGES = {"en": "English", "de": "Deutsch", "es": "Español", "fr": "Français"}
NARROW, BLANK = "\u202f", "\u00a0"  # blanks at which no line breaks
#: By language: what parts thousands, and how many digits a number may have without. The decimal point is a comma in
#: all of them, and a blank stands before %.
THOUSANDS = {"de": (".", 3), "es": (NARROW, 4), "fr": (NARROW, 3)}

#: The language of the current run of a page, an ISO 639 code; each run sets its own.
language: ContextVar[str] = ContextVar("language", default="en")


def _(message: str) -> str:
    """The message in the visitor's language, as it is where there is no translation.

    Values are filled in afterwards: `_("{n:,} pictures").format(n=3000)`; numbers then stand as `numeral` writes them.
    """
    return _Message(lambda: _catalogue(language.get()).gettext(message))


def ngettext(singular: str, plural: str, n: int) -> str:
    """The form of a message for `n` things in the visitor's language."""
    return _Message(lambda: _catalogue(language.get()).ngettext(singular, plural, n))


def again(text: str) -> str:
    """What was said by `_`, with the values filled in since, in the language of whoever reads it now; any other text as
    it is.
    """
    return text.say() if isinstance(text, _Message) else text


def numeral(value: object, spec: str = "") -> str:
    """A number as the visitor's language writes it, by one of Python's format specifications: "2,626" is "2.626" in
    German, and "55%" is "55 %". What is no number is as Python formats it.

    What a machine reads, such as expressions, links, tables and code, is never written by it.
    """
    plain = format(value, spec)
    if not isinstance(value, Real) or language.get() not in THOUSANDS:
        return plain
    parting, most = THOUSANDS[language.get()]
    digits = sum(map(str.isdigit, plain.partition(".")[0]))
    return plain.translate({ord(","): parting if digits > most else "", ord("."): ",", ord("%"): f"{BLANK}%"})


def size(number: float) -> str:
    """A number of bytes: "2.8 GB", "608 MB", "3.1 MB"."""
    if number >= 1e9:
        return f"{numeral(number / 1e9, ',.1f')} GB"
    return f"{numeral(number / 1e6, '.0f' if number >= 1e7 else '.1f')} MB"


def duration(seconds: float) -> str:
    """A time: "12 s", "10 min", "2.0 h"."""
    if seconds >= 5400:
        return f"{numeral(seconds / 3600, '.1f')} h"
    return f"{numeral(seconds / 60, '.0f')} min" if seconds >= 90 else f"{numeral(seconds, '.0f')} s"


def decimal_marks() -> str:
    """The decimal point and what parts thousands, as Plotly takes them."""
    return f",{THOUSANDS[language.get()][0]}" if language.get() in THOUSANDS else ".,"


class _Message(str):
    """A text that can be said again, whose `format` writes numbers as the visitor's language does."""

    say: Callable[[], str]

    def __new__(cls, say: Callable[[], str]) -> "_Message":
        text = super().__new__(cls, say())
        text.say = say
        return text

    def format(self, *args: Any, **values: Any) -> str:
        return _Message(lambda: _Writer().vformat(self.say(), args, values))

    def __str__(self) -> str:  # of an error too, whose message it is
        return self

    def __reduce__(self) -> tuple:
        return str, (super().__str__(),)


class _Writer(Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        return numeral(again(value), format_spec)


@cache
def _catalogue(code: str) -> _gettext.NullTranslations:
    return _gettext.translation("clipexplore", LOCALE, [code], fallback=True)
