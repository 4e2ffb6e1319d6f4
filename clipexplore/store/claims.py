"""Whether ready-made vectors are of the model that somebody says made them: some are made again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import islice

import numpy as np
from PIL.Image import Image

from clipexplore.errors import InputError
from clipexplore.images import open_picture
from clipexplore.language import _
from clipexplore.models.catalog import UNNAMED, Model
from clipexplore.store.embedding import Embeds
from clipexplore.store.items import Kind
from clipexplore.store.sources import Entry, Source
from clipexplore.vectors import normalize

SOME, LOOKED_AT = 16, 256  # vectors of a kind that are made again, of so many entries
LEAST = 0.5  # the same text in other words has a cosine of .8, a photograph cut otherwise .95; another model's has 0


def ready_made(model: Model, source: Source, embedder: Callable[[], Embeds]) -> str:
    """The revision that ready-made vectors are taken to be of, that of the model they are said to be of.

    Parameters
    ----------
    embedder
        Gives that model loaded, to make vectors of captions and pictures again; called only where it is here and there
        are some.

    Raises
    ------
    InputError
        If the model's vectors have another number of dimensions, or those it makes again point elsewhere.
    """
    if model.key == UNNAMED:
        return model.key
    if model.dim and model.dim != source.dim:
        message = _(
            "The vectors have {theirs} dimensions and those of the model {key} {ours}; name the model that made them."
        )
        raise InputError(message.format(theirs=source.dim, key=model.key, ours=model.dim))
    if model.present:
        for kind, cosine in cosines(source, embedder).items():
            if cosine < LEAST:
                message = _(
                    "These are no vectors of the model {key}: what it makes of the same {kind} has a cosine of "
                    "{cosine:.2f} with them; name the model that made them, or none."
                )
                raise InputError(message.format(key=model.key, kind=kind, cosine=cosine))
    return model.clip.identity


def cosines(source: Source, embedder: Callable[[], Embeds]) -> dict[Kind, float]:
    """By kind, the median cosine of some vectors of a source with those that are made of the same captions or pictures.

    A kind of which there is nothing to embed, or cannot be read, is left out.
    """
    some = [entry for entry in islice(source, LOOKED_AT) if isinstance(entry, Entry)]
    said = [entry for entry in some if entry.caption and "captions" in entry.vectors][:SOME]
    shown = [(entry, picture) for entry in some if "pictures" in entry.vectors and (picture := _picture(entry))][:SOME]
    found: dict[Kind, float] = {}
    if said:
        found["captions"] = _median("captions", said, embedder().embed_texts([entry.caption for entry in said]))
    if shown:
        found["pictures"] = _median(
            "pictures",
            [entry for entry, _picture in shown],
            embedder().embed_images([picture for _entry, picture in shown]),
        )
    return found


def _picture(entry: Entry) -> Image | None:
    with suppress(InputError):
        return open_picture(entry.read()) if entry.read else None
    return None


def _median(kind: Kind, entries: list[Entry], again: np.ndarray) -> float:
    given = normalize(np.stack([entry.vectors[kind] for entry in entries]))
    return float(np.median(np.vecdot(given, again))) if given.shape == again.shape else 0.0
