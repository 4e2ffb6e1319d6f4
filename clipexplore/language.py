"""The visitor's language: the source holds English as `_("…")`, and gettext finds translations in `locale/`."""

import gettext as _gettext
from contextvars import ContextVar
from functools import cache

from clipexplore.paths import BUNDLE

LOCALE = BUNDLE / "locale"
#: What the pages can be read in, by ISO 639 code.
LANGUAGES = {"en": "English", "de": "Deutsch", "es": "Español", "fr": "Français"}

#: The language of the current run of a page, an ISO 639 code; each run sets its own.
language: ContextVar[str] = ContextVar("language", default="en")


def _(message: str) -> str:
    """The message in the visitor's language, as it is where there is no translation.

    Values are filled in afterwards: `_("{n} pictures").format(n=3)`.
    """
    return _catalogue(language.get()).gettext(message)


def ngettext(singular: str, plural: str, n: int) -> str:
    """The form of a message for `n` things in the visitor's language."""
    return _catalogue(language.get()).ngettext(singular, plural, n)


@cache
def _catalogue(code: str) -> _gettext.NullTranslations:
    return _gettext.translation("clipexplore", LOCALE, [code], fallback=True)
