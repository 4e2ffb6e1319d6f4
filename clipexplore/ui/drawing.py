"""Drawing for visitors: the one lane of the device, and what it has drawn already.

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

from clipexplore.draw.drawer import Drawer, Drawn
from clipexplore.draw.pace import Effort
from clipexplore.draw.walks import PreviewReport
from clipexplore.errors import InputError
from clipexplore.explore.bridges import drawer_for
from clipexplore.explore.draw_walk import TrackShown
from clipexplore.explore.memory import Recent
from clipexplore.images import data_url, encode
from clipexplore.jobs import Job
from clipexplore.language import _, duration
from clipexplore.models.catalog import DrawnFrom
from clipexplore.settings import settings

from .fetching import offer_weights
from .markdown import escape
from .progress import awaited
from .session import access, space
from .titles import titled
from .widgets import toggle

LANE = "render"
MOST_KEPT = 200_000_000  # bytes: of 128 pixels some ten thousand pictures, of 512 some five hundred
Steps = Generator[None, None, dict[str, Drawn]]  # a drawing at work, which gives way at each of its yields


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


def size_of(tracks: dict[str, Track]) -> int:
    """The bytes of drawings."""
    return sum(len(png) for track in tracks.values() for png in track.pngs)


@st.cache_resource(show_spinner=False)
def _kept() -> Recent[dict[str, Track]]:
    """Drawings by what they depend on."""
    return Recent(MOST_KEPT, size_of)


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
    if model.drawn_by(kind) or drawer(kind):
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
    model, weights = space().model, space().model.drawn_by(kind)
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
    effort: Effort,
    slot: str,
    show: Callable[[Job], None] | None = None,
) -> dict[str, Track] | None:
    """The drawings of each track; None, with the progress on screen, until they are all there. What takes long is asked
    for first, with how long; where nothing has been drawn here yet, that is known after two steps.

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
    agreed = st.session_state.get(f"agreed-{slot}") == key
    if not agreed and (seconds := effort.seconds) is not None:
        if seconds > settings().ask_seconds:
            _ask(seconds, key, slot)
            return None
        st.session_state[f"agreed-{slot}"] = key
    keep, paced = partial(_kept().put, key), partial(_note_pace, effort, agreed)
    work = partial(draw_tracks, draw=draw, names=tuple(tracks), keep=keep, paced=paced)
    return cast(dict[str, Track] | None, awaited(work, key, slot, on=LANE, show=show or show_emerging))


def _ask(seconds: float, key: Hashable, slot: str) -> None:
    """How long a drawing takes, and the button that begins it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.info(_takes(seconds), icon=":material/hourglass_empty:")
        st.button(_("Draw it"), key=f"agree-{slot}", on_click=_agree, args=(key, slot), icon=":material/brush:")


def _takes(seconds: float) -> str:
    return _("Drawing this takes about {time} here.").format(time=duration(seconds))


def _agree(key: Hashable, slot: str) -> None:
    st.session_state[f"agreed-{slot}"] = key
    st.session_state.pop(f"fit-{slot}", None)


def _note_pace(effort: Effort, agreed: bool, seconds: float) -> None:
    """Notes how long a drawing takes; ends what turns out to take long while nobody has agreed to that."""
    is_news = effort.seconds is None
    effort.takes(seconds)
    if is_news and not agreed and seconds > settings().ask_seconds:
        raise InputError(_takes(seconds))


def draw_tracks(
    job: Job,
    draw: Callable[[PreviewReport, TrackShown], Steps],
    names: tuple[str, ...],
    keep: Callable[[dict[str, Track]], None],
    paced: Callable[[float], object] = lambda seconds: None,
) -> Generator[None, None, dict[str, Track]]:
    """On the lane: draws every track, reports each step and each frame, and gives way after each batch; `paced` is
    called with the seconds that all of it takes, as soon as that shows.
    """
    job.report(0.0, _("Loading the drawing model"))
    done: dict[str, dict[int, bytes]] = {name: {} for name in names}

    def look(emerging: bytes | None) -> Look:
        return Look({name: dict(frames) for name, frames in done.items()}, emerging)

    def report(share: float, preview: Image.Image | None) -> None:
        stage = _("Drawing · {count} done").format(count=sum(map(len, done.values())))
        seen = look(encode(preview, "PNG") if preview else None) if preview or job.preview is None else None
        job.report(share, stage, seen)
        if (seconds := job.span) is not None:
            paced(seconds)

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
