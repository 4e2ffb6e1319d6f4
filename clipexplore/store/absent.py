"""What a collection does not have, in words: the errors that say it, for the caller to raise."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from clipexplore.errors import MissingError
from clipexplore.language import _
from clipexplore.models.catalog import UNNAMED
from clipexplore.sources.entries import Kind

LIKE = 100_000  # ids of which similar ones are named


def no_item(id: str, title: str, ids: Sequence[str]) -> MissingError:
    """There is no such id; names those of the collection that are like it."""
    similar = _(" or ").join(f"@{other}" for other in difflib.get_close_matches(id, ids[:LIKE], n=3))
    remedy = _("did you mean {similar}?").format(similar=similar) if similar else _("search for it instead.")
    return MissingError(_("There is no @{id} in {title}; ").format(id=id, title=title) + remedy)


def no_pictures(title: str) -> MissingError:
    """There are texts only."""
    return MissingError(_("{title} holds texts only; choose a collection with pictures.").format(title=title))


def no_files(title: str) -> MissingError:
    """The pictures are vectors only."""
    return MissingError(_("The pictures of {title} are not here, only vectors of them.").format(title=title))


def not_embedded(title: str, model: str, comes: bool, by: Iterable[str]) -> MissingError:
    """A model has embedded nothing of it; whether it `comes`, and which models have."""
    if comes:
        message = _("The model {model} has not embedded {title} yet; the app does so in the background,")
        return MissingError((message + _(" come back in some minutes.")).format(model=model, title=title))
    known = ", ".join(by) or _("none yet")
    if model == UNNAMED:
        message = _("{title} has no vectors of an unnamed model, and none can be made; it is embedded by: {known}.")
        return MissingError(message.format(title=title, known=known))
    message = _("{title} is not embedded by the model {model}; it is by: {known}.")
    return MissingError(message.format(title=title, model=model, known=known))


def none_of_kind(title: str, model: str, kind: Kind, there: bool) -> MissingError:
    """A model has embedded none of that kind; whether there is anything of it."""
    if not there:
        return MissingError(_("{title} has no captions; look at its pictures instead.").format(title=title))
    message = _("The {kind} of {title} are not embedded by the model {model}; choose another model.")
    return MissingError(message.format(kind=kind, title=title, model=model))
