"""Points drawn wherever they are shown: each with the cosine of its re-embedding, and what happens without the shift across the gap.

Separate from `drawing`, which runs the pipeline: here stands what a page says about a picture of a vector.
"""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from clipexplore.drawing.walks import across_gap
from clipexplore.errors import InputError
from clipexplore.expression import Expression, Term
from clipexplore.images import open_picture
from clipexplore.space import Hit, Point

from .drawing import drawer, drawn, gap_of, never, say_cannot
from .expressions import show_error
from .markdown import escape
from .names import resolved
from .session import space
from .texts import text

HITS = 3  # results that are drawn beside a query


def draw_points(points: dict[str, Point], slot: str) -> None:
    """Pictures of points by their label, each with the cosine of its re-embedding; where texts are in them, also without the shift across the gap."""
    weights = drawer("joint")
    if weights is None:
        say_cannot("joint")
        return
    gap = gap_of(weights)
    moved = {label: across_gap(point, gap) for label, point in points.items()}
    plain = {label: point.vector for label, point in points.items() if not np.array_equal(moved[label], point.vector)}
    rows = np.stack([*moved.values(), *plain.values()])
    found = drawn({"points": lambda renderer: {"embeddings": rows}}, ("points", rows.tobytes()), slot, weights, seed=0)
    if found is None:
        return
    again = reembedded(found["points"])
    st.caption(text("draw.says"))
    with st.grid("auto", min_column_width=150, gap="small"):
        for number, (label, vector) in enumerate(moved.items()):
            _show_drawn(found["points"][number], label, again[number], vector, points[label].vector)
    if plain:
        st.caption(text("draw.unshifted"))
        with st.grid("auto", min_column_width=150, gap="small"):
            for number, (label, vector) in enumerate(plain.items(), len(moved)):
                _show_drawn(found["points"][number], label, again[number], vector, vector)


def _show_drawn(png: bytes, label: str, again: np.ndarray, target: np.ndarray, point: np.ndarray) -> None:
    """A drawing with the cosine of its re-embedding to what was drawn, and to the point where that was moved."""
    with st.container(gap=None):
        st.image(png, output_format="PNG", width="stretch", alt=text("draw.alt", label=label))
        st.caption(f"**{escape(label)}**")
        says = text("draw.cosine", cosine=float(again @ target))
        st.caption(says if target is point else says + " " + text("draw.cosine_point", cosine=float(again @ point)))


def reembedded(pngs: Sequence[bytes]) -> np.ndarray:
    """The embeddings of drawings `(n, dim)` by the model that is explored."""
    return _reembedded(space().revision, tuple(pngs), space())


@st.cache_data(show_spinner=False, max_entries=32)
def _reembedded(revision: str, pngs: tuple[bytes, ...], _space: object) -> np.ndarray:
    return _space.embedder.embed_images([open_picture(png) for png in pngs])


def draw_toggle(default: bool, kinds: tuple[str, ...] = ("joint",)) -> bool:
    """Whether what is shown here is also drawn; part of the link. Greyed out, with the reason, where the chosen model can never draw any of these kinds."""
    reasons = [never(kind) for kind in kinds]
    reason = reasons[-1] if all(reasons) else ""
    return st.toggle(text("draw.toggle"), default, key="draw", bind="query-params", disabled=bool(reason), help=reason or text("draw.toggle_help"))


def hits_as_points(point: Point, hits: list[Hit]) -> dict[str, Point]:
    """The point that was searched for and the first of its results, by what they are called."""
    found = {str(point.expression): point}
    for hit in hits[:HITS]:
        term = Term(hit.id, is_id=True) if hit.kind == "pictures" else Term(hit.caption)
        found.setdefault(str(Expression((term,))), resolved(Expression((term,))))
    return found


def sum_as_points(point: Point, onto: str) -> dict[str, Point]:
    """The terms of a sum each for itself, the sum, and the sum added to another expression."""
    parts = [Expression((Term(term.text, 1.0, term.is_id),)) for term in point.expression.terms[:4]]
    found = {str(part): resolved(part) for part in parts} | {str(point.expression): point}
    try:
        whole = Expression((*point.expression.terms, *resolved(onto).expression.terms))
        found[str(whole)] = resolved(whole)
    except InputError as error:
        show_error(error, onto)
    return found
