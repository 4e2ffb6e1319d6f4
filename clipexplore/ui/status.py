"""The server as its operator sees it: the machine and the queues, never a visitor; and where the operator code is
typed.
"""

from datetime import timedelta

import streamlit as st

from clipexplore import jobs
from clipexplore.access import Attempts, is_right
from clipexplore.cluster.connection import ask, is_set
from clipexplore.cluster.deploying import models
from clipexplore.cluster.driver import Node, nodes, repeats
from clipexplore.errors import InputError
from clipexplore.language import _, ngettext, size
from clipexplore.server import machine
from clipexplore.server.operator import ticket
from clipexplore.settings import settings

from .browser import component
from .markdown import escape
from .session import access, caller, has_typed_code, speaking
from .titles import called

EVERY = 3  # seconds between two looks
_browser = component("operator")


@st.cache_resource(show_spinner=False)
def _attempts() -> Attempts:
    """Wrong operator codes, by address."""
    return Attempts(most=10, within=60.0)


def operator_box() -> None:
    """Where somebody who is not at this machine types the operator code; nothing where none is set."""
    code = settings().operator_code
    if access().operator:
        st.caption(_("You are the operator: you may change every shared collection and stop every job."))
    elif code:
        with st.expander(_("Are you the operator?"), icon=":material/key:"), st.form("operator-form", border=False):
            typed = st.text_input(_("Operator code"), type="password", max_chars=200)
            if st.form_submit_button(_("Become the operator")):
                _enter(typed)
    if has_typed_code():
        st.caption(_("This browser is remembered for a day."))
        st.button(_("Forget this browser"), on_click=_leave, icon=":material/logout:", type="tertiary")
        _browser(data={"ticket": ticket(code)}, key="operator-ticket", height=1)
    elif st.session_state.pop("left-operator", False):
        _browser(data={"ticket": ""}, key="operator-ticket", height=1)


def _leave() -> None:
    st.session_state["operator"], st.session_state["left-operator"] = False, True


def _enter(code: str) -> None:
    address = caller().address
    if not _attempts().allow(address):
        st.error(_("Too many wrong codes; wait a minute and try again."), icon=":material/error:")
    elif is_right(code, settings().operator_code):
        st.session_state["operator"] = True
        st.rerun()
    else:
        _attempts().note_wrong(address)
        st.error(_("This is not the operator code."), icon=":material/error:")


@st.fragment(run_every=EVERY)
@speaking
def show_machine() -> None:
    """Device, memory and how long the server has been running, kept up to date."""
    now = machine.look()
    figures = [
        (_("Device"), now.device, ngettext("{n} core", "{n} cores", now.cores).format(n=now.cores)),
        (_("Memory of the server"), size(now.used), _("{free} free").format(free=size(now.free))),
        (_("Running for"), str(timedelta(seconds=round(now.uptime))), now.processor),
    ]
    if now.gpu_memory:
        used = size(now.gpu_memory - now.gpu_free)
        figures.insert(2, (_("Memory of the GPU"), used, _("{free} free").format(free=size(now.gpu_free))))
    for column, (label, value, about) in zip(st.columns(len(figures)), figures, strict=True):
        column.metric(label, value, about, delta_color="off", delta_arrow="off", border=True)


def show_cluster() -> None:
    """The nodes of the cluster and what they hold, kept up to date; nothing where none is set."""
    if is_set():
        _look_at_cluster()


@st.fragment(run_every=EVERY)
@speaking
def _look_at_cluster() -> None:
    st.subheader(_("Cluster"), anchor=False)
    try:
        there, held, begun_again = ask(nodes), ask(models), ask(repeats)
    except InputError as error:
        st.error(escape(str(error)), icon=":material/error:")
        return
    if gone := [node.name for node in there if not node.alive]:
        sentence = ngettext(
            "{names} is gone. What it was at work on is done again by the others.",
            "{names} are gone. What they were at work on is done again by the others.",
            len(gone),
        )
        st.warning(escape(sentence.format(names=", ".join(gone))), icon=":material/cloud_off:")
    if begun_again.for_memory:
        sentence = ngettext(
            "A node ran out of memory {n} time, and what it was at work on was begun again; add memory, or nodes.",
            "A node ran out of memory {n} times, and what it was at work on was begun again; add memory, or nodes.",
            begun_again.for_memory,
        )
        st.warning(sentence.format(n=begun_again.for_memory), icon=":material/memory_alt:")
    for each in held:
        if each.fails:
            sentence = (
                _("{name} cannot start for want of memory on a node, and keeps being tried; add memory, or nodes.")
                if each.for_memory
                else _("{name} cannot start ({reason}), and keeps being tried.")
            )
            st.error(escape(sentence.format(name=each.name, reason=each.reason)), icon=":material/error:")
    st.dataframe([_node_row(node) for node in there], hide_index=True)
    counts = ", ".join(f"{each.name} × {each.copies}" for each in held)
    st.caption(_("Copies of models at work: {counts}").format(counts=escape(counts) or "–"))


def _node_row(node: Node) -> dict[str, object]:
    return {
        _("node"): node.name,
        _("state"): _("there") if node.alive else _("gone"),
        _("processors"): node.cpus * node.alive,
        "GPUs": node.gpus * node.alive,
    }


@st.fragment(run_every=EVERY)
@speaking
def show_lanes() -> None:
    """Every queue: what is at work, how far it is, and how much waits, kept up to date; the operator can stop each
    job.
    """
    st.subheader(_("Queues"), anchor=False)
    lanes = jobs.lanes()
    if not lanes:
        st.caption(_("No queue has been needed yet; each begins with its first job."))
        return
    st.dataframe(
        [_lane_row(lane) for lane in lanes],
        hide_index=True,
        column_config={_("done"): st.column_config.ProgressColumn(format="percent")},
    )
    if access().may_cancel(own=False):
        with st.container(horizontal=True):
            for job in (job for lane in lanes for job in lane.jobs if job.state == "running" and not job.cancelled):
                label = _("Stop {job}").format(job=job.id)
                st.button(label, key=f"stop-{job.id}", on_click=job.cancel, icon=":material/stop:")


def _lane_row(lane: jobs.Lane) -> dict[str, object]:
    all_jobs = lane.jobs
    begun = [job for job in all_jobs if job.state == "running"]
    return {
        _("queue"): called("lane", lane.name),
        _("at work"): (begun[0].stage or _("a job")) if begun else "–",
        _("done"): begun[0].progress if begun else None,
        _("waiting"): len(all_jobs) - min(1, len(begun)),
    }
