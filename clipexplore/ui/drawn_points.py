"""Points drawn wherever they are shown: those of a search, of a sum, and whatever else a page gives."""

from functools import partial
from typing import cast

import numpy as np
import streamlit as st

from clipexplore.draw.drawer import drawing_vectors, gap_of
from clipexplore.draw.pace import Effort
from clipexplore.draw.walks import PreviewReport
from clipexplore.errors import InputError
from clipexplore.explore.draw_walk import TrackShown
from clipexplore.expression import Expression, Term
from clipexplore.language import _
from clipexplore.points import across_gap
from clipexplore.space import Hit, Point

from .drawing import Steps, Track, drawer, drawn, say_bridge, say_cannot, say_withheld
from .expressions import resolved, show_error
from .markdown import escape
from .session import page_here, space

HITS = 3  # results that are drawn beside a query


def draw_points(points: dict[str, Point]) -> None:
    """Pictures of points by their label, each with the cosine of its re-embedding; texts also without the shift
    across the gap, and as the model's own prior imagines them, where it has one.
    """
    artist = drawer("joint")
    if artist is None:
        say_cannot("joint")
        return
    say_bridge(artist)
    here = space()
    gap = gap_of(here, artist)
    moved = {label: across_gap(point, gap) for label, point in points.items()}
    plain = {label: point.vector for label, point in points.items() if not np.array_equal(moved[label], point.vector)}
    rows = np.stack([*moved.values(), *plain.values()])
    asked = {label: point for label, point in points.items() if artist.prior and point.texts}

    def draw(report: PreviewReport, shown: TrackShown) -> Steps:
        watch = {"report": report, "shown": partial(shown, "points")}
        texts = list(dict.fromkeys(text for point in asked.values() for text in point.texts))
        imagined = artist.imagine(texts, partial(report, 0.0, None))
        targets = np.stack([*rows, *(point.with_pictures(imagined) for point in asked.values())])
        return {"points": (yield from drawing_vectors(here, artist, targets, seed=0, **watch))}

    effort = Effort.of(artist, len(rows) + len(asked))
    tracks = drawn(draw, ("points",), (artist.name, "points", rows.tobytes()), effort, f"{page_here()}-drawn")
    if tracks is None:
        return
    track = tracks["points"]
    st.caption(
        _(
            "Each picture was drawn from the vector alone, all from the same noise. The cosine says how near CLIP "
            "finds the drawing to what was to be drawn."
        )
    )
    say_withheld(track)
    _show_drawings(track, 0, moved, {label: point.vector for label, point in points.items()})
    if plain:
        st.caption(_("The same without moving texts across the gap:"))
        _show_drawings(track, len(moved), plain, plain)
    if asked:
        st.caption(
            _("The same with the pictures that the model’s own prior, trained for that, imagines for the texts:")
        )
        imagined = dict(zip(asked, cast(np.ndarray, track.targets)[len(rows) :], strict=True))
        _show_drawings(track, len(rows), imagined, {label: point.vector for label, point in asked.items()})


def _show_drawings(track: Track, first: int, targets: dict[str, np.ndarray], points: dict[str, np.ndarray]) -> None:
    """Drawings from number `first` on, each with its cosine to what was drawn, and to a point that was moved."""
    embeddings = cast(np.ndarray, track.embeddings)
    with st.grid("auto", min_column_width=150, gap="small"):
        for number, (label, target) in enumerate(targets.items(), first):
            again, point = embeddings[number], points[label]
            says = _("{cosine:.2f} to what was drawn").format(cosine=float(again @ target))
            if target is not point:
                own = _("(moved across the gap), {cosine:.2f} to the text’s own vector")
                says += " " + own.format(cosine=float(again @ point))
            with st.container(gap=None):
                alt = _("Drawing of {label}").format(label=label)
                st.image(track.pngs[number], output_format="PNG", width="stretch", alt=alt)
                st.caption(f"**{escape(label)}**")
                st.caption(says)


def hits_as_points(point: Point, hits: list[Hit]) -> dict[str, Point]:
    """The point that was searched for and the first of its results, by what they are called."""
    points = {str(point.expression): point}
    for hit in hits[:HITS]:
        term = Term(hit.id, is_id=True) if hit.kind == "pictures" else Term(hit.caption)
        points.setdefault(str(Expression((term,))), resolved(Expression((term,))))
    return points


def sum_as_points(point: Point, onto: str) -> dict[str, Point]:
    """The terms of a sum each by itself, the sum, and the sum added to another expression."""
    parts = [Expression((Term(term.text, 1.0, term.is_id),)) for term in point.expression.terms[:4]]
    points = {str(part): resolved(part) for part in parts} | {str(point.expression): point}
    try:
        whole = Expression((*point.expression.terms, *resolved(onto).expression.terms))
        points[str(whole)] = resolved(whole)
    except InputError as error:
        show_error(error, onto)
    return points
