"""Drawing for visitors: the one lane of the device, what it has drawn already, and points drawn wherever they are
shown.

A script only asks and looks. The pipeline runs on the lane "render", is loaded there when first needed and kept for
everybody. What was drawn is kept by everything it depends on, so that the same question is answered at once.
"""

from collections.abc import Callable, Generator, Hashable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import numpy as np
import streamlit as st
from PIL import Image

from clipexplore.draw.drawer import Drawer, Drawn, DrawnFrom, drawing_vectors, gap_of, weights_for
from clipexplore.draw.walks import PreviewReport
from clipexplore.errors import InputError
from clipexplore.explore.bridges import drawer_for
from clipexplore.explore.draw_walk import TrackShown
from clipexplore.explore.memory import Recent
from clipexplore.expression import Expression, Term
from clipexplore.images import data_url, encode
from clipexplore.jobs import Job
from clipexplore.language import _
from clipexplore.points import across_gap
from clipexplore.space import Hit, Point

from .expressions import resolved, show_error
from .fetching import offer_weights
from .markdown import escape
from .progress import awaited
from .session import access, page_here, space
from .titles import titled
from .widgets import toggle

LANE = "render"
MOST_KEPT = 200_000_000  # bytes: of 128 pixels some ten thousand pictures, of 512 some five hundred
Steps = Generator[None, None, dict[str, Drawn]]  # a drawing at work, which gives way at each of its yields
HITS = 3  # results that are drawn beside a query


@dataclass(frozen=True, eq=False)
class Track:
    """Drawings as PNG, and what `Drawn` says of them."""

    pngs: list[bytes]
    changes: np.ndarray
    embeddings: np.ndarray | None
    targets: np.ndarray | None = None
    withheld: list[int] = field(default_factory=list)
    places: np.ndarray | None = None


@dataclass(frozen=True)
class Look:
    """What a job shows while it draws: frames by track and number as PNG, and the next one as it emerges."""

    frames: dict[str, dict[int, bytes]]
    emerging: bytes | None


def bytes_of(tracks: dict[str, Track]) -> int:
    return sum(len(png) for track in tracks.values() for png in track.pngs)


@st.cache_resource(show_spinner=False)
def _kept() -> Recent[dict[str, Track]]:
    """Drawings by what they depend on."""
    return Recent(MOST_KEPT, bytes_of)


def at_once(drawings: dict[str, Drawn], key: Hashable) -> dict[str, Track]:
    """Drawings that lie ready as they are shown, without a job; kept as others are."""
    if (tracks := _kept().get(key)) is None:
        tracks = {
            name: _track(each, [encode(picture, "PNG") for picture in each.pictures]) for name, each in drawings.items()
        }
        keep_drawn(key, tracks)
    return tracks


def keep_drawn(key: Hashable, tracks: dict[str, Track]) -> None:
    """Keeps drawings under another key that stands for the same."""
    _kept().put(key, tracks)


def drawer(kind: DrawnFrom) -> Drawer | None:
    """What draws points of the joint space or token states for the chosen model and this visitor; None where nothing
    does.
    """
    return drawer_for(space(), kind, access().must_check)


def never(kind: DrawnFrom) -> str:
    """Why the chosen model can never draw points of the joint space or token states; empty where it can, once
    fetched or through a bridge.
    """
    model = space().model
    if weights_for(model, kind) or drawer(kind):
        return ""
    if kind == "tokens":
        sentence = _(
            "{model} cannot draw texts: no Stable Diffusion belongs to it. Choose another model in the sidebar."
        )
    elif model.draws_prompts:
        sentence = _(
            "{model} draws only texts: no unCLIP decoder for points of the joint space belongs to it. Walk between "
            "texts, or choose another model in the sidebar."
        )
    else:
        sentence = _(
            "{model} cannot draw points of the joint space: no unCLIP decoder belongs to it. Choose another model in "
            "the sidebar."
        )
    return sentence.format(model=titled(model))


def say_cannot(kind: DrawnFrom) -> None:
    """One sentence on why nothing is drawn, and what a visitor can do about it."""
    model, weights = space().model, weights_for(space().model, kind)
    if weights is None:
        st.info(never(kind), icon=":material/brush:")
    elif weights.bundled:
        sentence = _(
            "{model} cannot draw here: its drawing model is missing from assets/, whose README says how to train it."
        )
        st.info(sentence.format(model=titled(model)), icon=":material/brush:")
    else:
        sentence = _(
            "{model} draws this with {name}, which is not on this server. Its operator can fetch it: `python -m "
            "clipexplore models get {key}`."
        )
        st.info(sentence.format(model=titled(model), name=weights.name, key=model.key), icon=":material/brush:")
        offer_weights(model)


def say_bridge(artist: Drawer) -> None:
    """That another model draws, and how near the bridge to it comes; nothing for one's own decoder."""
    if artist.bridge:
        says = _(
            "{model} has no decoder of its own: its points are carried to **{owner}** by a bridge and drawn there. "
            "Pictures that the bridge was not fitted on come to a cosine of {cosine:.2f} with where they truly lie."
        )
        cosine = artist.bridge.held_out["pictures"]
        st.info(
            says.format(model=f"**{escape(titled(space().model))}**", owner=escape(artist.owner), cosine=cosine),
            icon=":material/conversion_path:",
        )


def drawn(
    draw: Callable[[PreviewReport, TrackShown], Steps],
    tracks: Iterable[str],
    key: Hashable,
    slot: str,
    show: Callable[[Job], None] | None = None,
) -> dict[str, Track] | None:
    """The drawings of each track; None, with the progress on screen, until they are all there.

    Parameters
    ----------
    draw
        Called on the lane with what it reports its steps and its pictures to; gives way at each of its yields.
    key
        Everything the drawings depend on.
    show
        Draws what the job has so far, below its progress.
    """
    if (tracks_kept := _kept().get(key)) is not None:
        return tracks_kept
    work = partial(draw_tracks, draw=draw, names=tuple(tracks), keep=partial(_kept().put, key))
    return cast(dict[str, Track] | None, awaited(work, key, slot, on=LANE, show=show or show_emerging))


def draw_tracks(
    job: Job,
    draw: Callable[[PreviewReport, TrackShown], Steps],
    names: tuple[str, ...],
    keep: Callable[[dict[str, Track]], None],
) -> Generator[None, None, dict[str, Track]]:
    """On the lane: draws every track, reports each step and each frame, and gives way after each batch."""
    job.report(0.0, _("Loading the drawing model"))
    done: dict[str, dict[int, bytes]] = {name: {} for name in names}

    def look(emerging: bytes | None) -> Look:
        return Look({name: dict(frames) for name, frames in done.items()}, emerging)

    def report(share: float, preview: Image.Image | None) -> None:
        stage = _("Drawing · {count} done").format(count=sum(map(len, done.values())))
        seen = look(encode(preview, "PNG") if preview else None) if preview or job.preview is None else None
        job.report(share, stage, seen)

    def shown(name: str, row: int, picture: Image.Image) -> None:
        done[name][row] = encode(picture, "PNG")
        job.report(job.progress, preview=look(None))

    drawings = yield from draw(report, shown)
    result = {
        name: _track(each, [done[name][row] for row in each.kept or sorted(done[name])])
        for name, each in drawings.items()
    }
    keep(result)
    return result


def _track(drawn: Drawn, pngs: list[bytes]) -> Track:
    return Track(pngs, drawn.changes, drawn.embeddings, drawn.targets, drawn.withheld, drawn.places)


def say_withheld(track: Track) -> None:
    """Which drawings are grey because the safety checker has withheld them; nothing where it has not."""
    if track.withheld:
        numbers = ", ".join(str(number + 1) for number in track.withheld)
        says = _("Withheld by the safety checker, and grey: {numbers}. It errs often; another seed may pass.")
        st.caption(says.format(numbers=numbers))


def show_emerging(job: Job) -> None:
    """What a job has drawn so far, and what is emerging."""
    if not isinstance(job.preview, Look):
        return
    frames = [frame for track in job.preview.frames.values() for _number, frame in sorted(track.items())]
    with st.container(horizontal=True):
        for frame in frames:
            st.image(frame, output_format="PNG", width=128)
        if job.preview.emerging:
            st.image(data_url(job.preview.emerging), width=128, alt=_("emerging"))


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

    tracks = drawn(draw, ("points",), (artist.name, "points", rows.tobytes()), f"{page_here()}-drawn")
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


def draw_toggle(kinds: tuple[DrawnFrom, ...] = ("joint",)) -> bool:
    """Whether what is shown here is also drawn; part of the link.

    Greyed out, with the reason, where the chosen model can never draw any of these kinds.
    """
    reasons = [never(kind) for kind in kinds]
    reason = reasons[-1] if all(reasons) else ""
    return toggle(
        "draw",
        _("Draw"),
        disabled=bool(reason),
        help=reason
        or _(
            "Turns the vectors shown here into pictures, with the diffusion model that belongs to this CLIP. Several "
            "pictures with weights, and what is not to be seen, are one expression: `0.7*@lion-jungle-07 + "
            "0.4*@man-top-hat - 0.3*snow`."
        ),
    )


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
