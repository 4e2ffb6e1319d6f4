"""A look into the chosen collection: a random handful, what is nearly the same, and what is like nothing else."""

from collections.abc import Callable

import numpy as np
import streamlit as st

from clipexplore.collections.tidy import Neighbours, near_duplicates, neighbours, outliers
from clipexplore.errors import InputError
from clipexplore.space import Hit
from clipexplore.worker import Job

from .fits import fitted
from .markdown import escape
from .results import download_row
from .session import space
from .texts import text
from .uploads import picture_url

SHOWN, GROUPS = 24, 12  # items, and groups of near-duplicates, that are shown


def look_inside(look: str, near: float, seed: int) -> None:
    """One of the three; a reason where the chosen model has not embedded the collection."""
    try:
        if look == "sample":
            _sample(seed)
        elif found := _neighbours():
            _duplicates(found, near) if look == "duplicates" else _outliers(found)
    except InputError as error:
        st.info(escape(str(error)), icon=":material/info:")


def _kind() -> str:
    return "pictures" if space().collection.has_pictures else "captions"


def _sample(seed: int) -> None:
    count = len(space().collection)
    rows = np.random.default_rng(seed).choice(count, min(SHOWN, count), replace=False)
    _show([_hit(int(row), rank) for rank, row in enumerate(rows, 1)], "inside-sample", say=lambda hit: hit.caption[:60])


def _neighbours() -> Neighbours | None:
    """The nearest others of each item; None, with progress on screen, until they are found."""
    here, kind = space(), _kind()

    def find(job: Job) -> Neighbours:
        return neighbours(here.collection.embeddings(here.model.key, kind), report=lambda share: job.report(share, text("inside.comparing")))

    return fitted(find, ("neighbours", here.revision, here.collection.version, kind), "neighbours")


def _duplicates(found: Neighbours, near: float) -> None:
    groups = near_duplicates(found, near)
    st.caption(text("inside.groups", count=len(groups), items=sum(map(len, groups)), near=near))
    for number, group in enumerate(groups[:GROUPS]):
        with st.container(border=True):
            _show([_hit(row, rank, _likeness(found, group, row)) for rank, row in enumerate(group[:SHOWN], 1)], f"inside-group-{number}", files=False)
    hits = [_hit(row, rank, _likeness(found, group, row)) for rank, group in enumerate(groups, 1) for row in group]
    if hits:
        download_row(hits[:5000] if hits[0].kind == "captions" else hits[:200], None, "inside-duplicates")


def _likeness(found: Neighbours, group: list[int], row: int) -> float:
    """The highest cosine of an item with another of its group."""
    inside = np.isin(found.indices[row], group)
    return float(found.cosines[row][inside].max()) if inside.any() else 1.0


def _outliers(found: Neighbours) -> None:
    rows, likeness = outliers(found)
    spread = max(float(likeness.std()), 1e-9)
    st.caption(text("inside.outliers", mean=float(likeness.mean())))
    scored = zip(rows[:SHOWN].tolist(), likeness[:SHOWN].tolist(), strict=True)
    _show([_hit(row, rank, cosine, (cosine - float(likeness.mean())) / spread) for rank, (row, cosine) in enumerate(scored, 1)], "inside-outliers")


def _hit(row: int, rank: int, cosine: float = 1.0, z: float = 0.0) -> Hit:
    collection = space().collection
    return Hit(collection.ids[row], collection.captions[row], cosine, z, rank, _kind())


def _show(hits: list[Hit], key: str, files: bool = True, say: Callable[[Hit], str] = lambda hit: f"{hit.cosine:.3f}") -> None:
    """Pictures with their ids and what there is to say of each; texts as a table."""
    if hits and hits[0].kind == "pictures":
        with st.grid("auto", min_column_width=105, gap="small"):
            for hit in hits:
                with st.container(gap=None):
                    st.image(picture_url(hit.id), width="stretch", alt=hit.caption)
                    st.caption(escape(f"@{hit.id}"))
                    st.caption(escape(say(hit)))
    else:
        st.dataframe({"id": [hit.id for hit in hits], text("inside.caption"): [hit.caption for hit in hits], text("result.cosine"): [hit.cosine for hit in hits]},
                     hide_index=True, key=f"{key}-table")  # fmt: skip
    if files:
        download_row(hits, None, key=key)
