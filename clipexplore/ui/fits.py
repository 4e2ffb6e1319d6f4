"""What is fitted for a visitor: on a lane, one after the other, while the page shows how far it is and lets the visitor stop it.

UMAPs have a lane of their own, "fit", since one may take a minute; what takes seconds does not wait for them and has the lane "quick".
"""

from collections.abc import Callable, Hashable

import streamlit as st

from clipexplore.settings import settings
from clipexplore.worker import Job, Lane

from .logs import visitor
from .markdown import escape
from .texts import text


@st.cache_resource(show_spinner=False)
def lane(name: str) -> Lane:
    """The lane of that name, which all visitors share."""
    return Lane(name, settings().jobs_waiting, settings().abandon_seconds)


def fitted(function: Callable[[Job], object], key: Hashable, slot: str, on: str = "quick") -> object | None:
    """The result of `function(job)`; None, with its progress on screen, until there is one.

    Parameters
    ----------
    key
        Everything the result depends on; visitors who ask for the same share one fit.
    slot
        The place on a page that asks; a new key in a slot replaces the older.
    on
        The name of the lane.
    """
    job = st.session_state.get(f"fit-{slot}")
    if job is None or job.key != key:
        if job is not None:
            job.cancel(visitor())
        job = st.session_state[f"fit-{slot}"] = lane(on).submit(function, key, owner=visitor())
    if job.state == "done":
        return job.result
    _panel(job, slot)
    return None


def _panel(job: Job, slot: str) -> None:
    """Looks at the job twice a second while it is at work, and only then."""
    active = job.state in ("queued", "running")
    st.fragment(_look, run_every=0.5 if active else None)(job, slot)


def _look(job: Job, slot: str) -> None:
    job.touch()
    if job.state == "done":
        st.rerun()
    if job.state in ("failed", "cancelled"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.warning(escape(job.error or text("fit.cancelled")))
            st.button(text("fit.again"), key=f"again-{slot}", on_click=st.session_state.pop, args=(f"fit-{slot}", None), icon=":material/refresh:")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(job.progress, _said(job))
        st.button(text("fit.cancel"), key=f"cancel-{slot}", on_click=job.cancel, args=(visitor(),), icon=":material/stop:")


def _said(job: Job) -> str:
    if job.state == "queued":
        return text("fit.queued", place=job.place)
    left = text("fit.left", seconds=job.eta) if job.eta else ""
    return escape(job.stage or text("fit.starting")) + left
