"""What img2dataset (1.47) writes beside pictures: a report of each shard, failures included, and statistics.

Source: github.com/rom1504/img2dataset, README, "Output format", and files that it wrote.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice

import numpy as np
from PIL import Image

from clipexplore.errors import InputError
from clipexplore.images import open_picture
from clipexplore.language import _
from clipexplore.sources.columns import rows_of
from clipexplore.sources.entries import Rejected
from clipexplore.sources.files import Tree

_LOOKED_AT, _WHITE = 8, 245  # pictures; grey from which a bar is white
_STATISTICS = re.compile(r"(.*/)?\d+_stats\.json")


def statistics(tree: Tree) -> list[str]:
    """The counts of each shard: `00000_stats.json`."""
    return [name for name in tree.names if _STATISTICS.fullmatch(name)]


def reports(tree: Tree) -> list[str]:
    """The tables of each shard, which say of every address whether it could be fetched: `00000.parquet`."""
    said = [f"{name.removesuffix('_stats.json')}.parquet" for name in statistics(tree)]
    return [name for name in said if name in tree.names]


def failed(tree: Tree, report: str) -> Iterator[Rejected]:
    """The rows of a report that brought no picture."""
    for row in rows_of(partial(tree.open, report), report, ["key", "url", "status", "error_message"]):
        if row.get("status") not in (None, "success"):
            yield Rejected(str(row.get("url") or row.get("key")), why(row))


def why(row: dict) -> str:
    """The reason that a row of a report gives."""
    message = _("img2dataset could not fetch it ({status}: {error}).")
    return message.format(status=row.get("status"), error=row.get("error_message") or "?")


def letterboxed(pictures: Iterable[tuple[Mapping[str, object], Callable[[], bytes]]]) -> tuple[str, ...]:
    """A note where pictures stand between white bars, as img2dataset's own setting `border` makes them.

    Parameters
    ----------
    pictures
        What img2dataset says of each, and what reads it.
    """
    reshaped = islice((read for said, read in pictures if _reshaped(said)), _LOOKED_AT)
    looked = [_has_bars(read) for read in reshaped]
    if not any(looked):
        return ()
    message = _(
        "{barred} of {looked} pictures that were looked at stand between white bars, which a model sees too: "
        "img2dataset's --resize_mode border. Fetch them with keep_ratio or center_crop to be without."
    )
    return (message.format(barred=sum(looked), looked=len(looked)),)


def _reshaped(said: Mapping[str, object]) -> bool:
    """Whether a picture once had another shape than it has now."""
    try:
        now, once = (float(said[f"{way}width"]) / float(said[f"{way}height"]) for way in ("", "original_"))  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return False
    return abs(now / once - 1) > 0.02


def _has_bars(read: Callable[[], bytes]) -> bool:
    try:
        return has_bars(open_picture(read()))
    except InputError:
        return False


def has_bars(picture: Image.Image) -> bool:
    """Whether a picture is white along two opposite edges."""
    grey = np.asarray(picture.convert("L"))
    return any(min(each[:2].min(), each[-2:].min()) >= _WHITE for each in (grey, grey.T))
