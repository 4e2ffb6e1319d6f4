"""The server as its operator sees it: numbers of the machine and of the queues, never of a visitor."""

from datetime import timedelta

import streamlit as st

from clipexplore import worker
from clipexplore.server import machine
from clipexplore.units import size

from .texts import text

EVERY = 3  # seconds between two looks


@st.fragment(run_every=EVERY)
def show_machine() -> None:
    """Device, memory and how long the server has been running, kept up to date."""
    found = machine.look()
    columns = iter(st.columns(4 if found.gpu_memory else 3))
    next(columns).metric(text("status.device"), found.device, text("status.cores", cores=found.cores), delta_color="off", delta_arrow="off", border=True)
    next(columns).metric(text("status.used"), size(found.used), text("status.free", free=size(found.free)), delta_color="off", delta_arrow="off", border=True)
    if found.gpu_memory:
        next(columns).metric(text("status.gpu"), size(found.gpu_memory - found.gpu_free), text("status.free", free=size(found.gpu_free)),
                             delta_color="off", delta_arrow="off", border=True)  # fmt: skip
    next(columns).metric(text("status.uptime"), str(timedelta(seconds=round(found.uptime))), found.processor, delta_color="off", delta_arrow="off", border=True)


@st.fragment(run_every=EVERY)
def show_lanes() -> None:
    """Every queue: what is at work, how far it is, and how much waits; kept up to date."""
    st.subheader(text("status.lanes"), anchor=False)
    rows = [_lane_row(lane) for lane in worker.lanes()]
    if not rows:
        st.caption(text("status.idle"))
        return
    st.dataframe(rows, hide_index=True, column_config={text("status.progress"): st.column_config.ProgressColumn(format="percent")})


def _lane_row(lane: worker.Lane) -> dict[str, object]:
    job = lane.running
    return {
        text("status.lane"): lane.name,
        text("status.at_work"): (job.stage or text("status.busy")) if job else text("status.nothing"),
        text("status.progress"): job.progress if job else None,
        text("status.waiting"): lane.waiting,
    }
