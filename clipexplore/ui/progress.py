"""What takes longer than a page may: it is done on a lane, while the page shows how far it is and lets the visitor
stop it.

UMAPs have a lane of their own, "fit", since one may take a minute, and so have many classes, "classes", and what goes
through all of a large collection, "large"; what takes seconds does not wait for them and has the lane "quick".
"""

import math
from collections.abc import Callable, Hashable
from typing import Any

import streamlit as st

from clipexplore.jobs import Job, Lane
from clipexplore.language import _, duration
from clipexplore.settings import settings

from .markdown import escape
from .session import run, speaking, visitor

EVERY = {"queued": 1.0, "running": 0.5}  # seconds between two looks at a job
LASTING = (
    "embed",
    "rest",
    "fetch",
    "import",
)  # lanes whose work serves everybody, whether or not somebody still looks on


@st.cache_resource(show_spinner=False)
def lane(name: str) -> Lane:
    """The lane of that name, which all visitors share."""
    return Lane(name, settings().jobs_waiting, math.inf if name in LASTING else settings().abandon_seconds)


def awaited(
    function: Callable[[Job], object],
    key: Hashable,
    slot: str,
    on: str = "quick",
    show: Callable[[Job], None] | None = None,
) -> Any:
    """The result of `function(job)`; None, with its progress on screen, until there is one.

    Parameters
    ----------
    key
        Everything the result depends on; visitors who ask for the same share one fit.
    slot
        The place on a page that asks; a new key in a slot replaces the older.
    on
        The name of the lane.
    show
        Shows what there is of the result so far, below the progress.
    """
    job = st.session_state.get(f"fit-{slot}")
    if job is None or job.key != key or job.abandoned:
        if job is not None:
            job.cancel(visitor())
        job = st.session_state[f"fit-{slot}"] = lane(on).submit(function, key, owner=visitor())
    panel = st.container()  # there even without a panel, so that what follows stays in its place when that goes
    if job.state == "done":
        return job.result
    with panel:
        _panel(job, slot, show)
    return None


def _panel(job: Job, slot: str, show: Callable[[Job], None] | None) -> None:
    """Looks at the job again and again while it waits or is at work, and only then."""
    standing = _standing(job)
    st.fragment(speaking(_look), run_every=EVERY.get(standing))(job, slot, show, standing)


def _standing(job: Job) -> str:
    """The state of a job for this visitor: "over" is one that ended without a result, and one that goes on for others
    only.
    """
    return "over" if job.state in ("failed", "cancelled") or not job.wanted_by(visitor()) else job.state


def _look(job: Job, slot: str, show: Callable[[Job], None] | None, before: str) -> None:
    """A panel that looks again by itself runs alone; what is more than a look is for the whole page."""
    standing = _standing(job)
    if standing == "done" or standing != before or job.abandoned:
        st.rerun()
    if standing == "over":
        with st.container(horizontal=True, vertical_alignment="center"):
            st.warning(escape(job.error or _("This was stopped.")))
            if st.button(
                _("Start again"),
                key=f"again-{slot}",
                on_click=st.session_state.pop,
                args=(f"fit-{slot}", None),
                icon=":material/refresh:",
            ):
                st.rerun()
    else:
        job.touch(run().screen.last_seen)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.progress(job.progress, said_of(job))
            st.button(_("Cancel"), key=f"cancel-{slot}", on_click=job.cancel, args=(visitor(),), icon=":material/stop:")
    if show:
        show(job)


def said_of(job: Job) -> str:
    """What stands above the progress of a job: its place in the queue, or what it is at and how long that will take."""
    if job.state == "queued":
        return _("Waiting: number {place} in line").format(place=job.place)
    left = _(" · about {time} left").format(time=duration(job.eta)) if job.eta else ""
    return escape(job.stage or _("Starting")) + left
