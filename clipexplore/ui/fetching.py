"""Fetching weights from a page, where the operator allows it: what, how much, how long and under which terms; then
how far it is. A process of its own goes to the network.
"""

import json
import subprocess
import sys
from functools import partial

import streamlit as st

from clipexplore.errors import InputError
from clipexplore.jobs import Job
from clipexplore.language import _, duration, size
from clipexplore.models import catalog
from clipexplore.models.catalog import Model
from clipexplore.models.weights import Weights

from .markdown import escape
from .progress import awaited
from .session import access
from .titles import terms_of_use

CLIP, ALL = "clip", "all"  # what a button fetches
USUAL = 100e6 / 8  # bytes a second


def offer_weights(model: Model) -> None:
    """Buttons that fetch what a model lacks, with sizes, times and terms, or the progress once one was pressed;
    nothing where visitors may not.

    A page with its CLIP missing offers that alone too, and goes on as soon as it is here, while the rest is still
    coming.
    """
    if not access().may_fetch:
        return
    wanted = [what for what in (CLIP, ALL) if st.session_state.get(f"wanted-{_slot(model, what)}")]
    if wanted:
        _follow(model, wanted[0])
    else:
        _offer(model, absent(model))


def _offer(model: Model, lacking: tuple[Weights, ...]) -> None:
    say_terms(lacking)
    with st.container(horizontal=True):
        if model.clip in lacking and len(lacking) > 1:
            _button(model, CLIP, _("Fetch the CLIP alone · {cost}").format(cost=cost(model.clip)))
        _button(
            model,
            ALL,
            _("Fetch all, to draw · {cost}").format(cost=cost(*lacking))
            if len(lacking) > 1
            else _("Fetch the weights · {cost}").format(cost=cost(*lacking)),
        )


def absent(model: Model) -> tuple[Weights, ...]:
    """The parts of a model that can be fetched and are not here."""
    return tuple(part for part in model.parts if part.repo and not part.present)


def cost(*parts: Weights) -> str:
    """How much is fetched, and how long that takes at the speed of the last download, or before there was one at a
    usual speed, which it names.
    """
    total = sum(part.download for part in parts)
    if not all(part.download for part in parts):  # an operator's own entry: the hub says when asked
        return _("size unknown")
    known = _speed().get("bytes")
    return f"{size(total)}, {duration(total / (known or USUAL))}" + ("" if known else _(" at 100 Mbit/s"))


def say_terms(parts: tuple[Weights, ...]) -> None:
    """What weights are called, their licences, and their terms; those with the same terms together."""
    for terms in dict.fromkeys(part.terms for part in parts):
        alike = [part for part in parts if part.terms == terms]
        names, licences = (
            ", ".join(dict.fromkeys(each))
            for each in ([part.name.split("/")[-1] for part in alike], [part.terms_of_use for part in alike])
        )
        says = _("{name}: {licence}. {terms}").format(
            name=names, licence=licences, terms=terms_of_use().get(terms, terms)
        )
        st.caption(escape(says.strip()))


def _slot(model: Model, what: str) -> str:
    return f"fetch-{model.key}-{what}"


def _button(model: Model, what: str, label: str) -> None:
    slot = _slot(model, what)
    st.button(
        label,
        key=slot,
        on_click=lambda: st.session_state.update({f"wanted-{slot}": True}),
        icon=":material/download:",
        type="primary" if what == CLIP or model.present else "secondary",
    )


def _follow(model: Model, what: str) -> None:
    """The progress of a download; runs the page again when it is done, and when the CLIP has come."""
    slot, waited = _slot(model, what), not model.present
    if awaited(
        partial(_fetch, model.key, what),
        ("fetch", model.key, what),
        slot,
        on="fetch",
        show=lambda job: st.rerun() if waited and model.present else None,
    ):
        st.session_state.pop(f"wanted-{slot}")
        st.rerun()


def _fetch(key: str, what: str, job: Job) -> bool:
    """Runs `models get` in a process of its own, which alone goes to the network, and ends it if the job is
    cancelled.
    """
    model = catalog.get(key)
    parts = (model.clip,) if what == CLIP else absent(model)
    command = [
        sys.executable,
        "-m",
        "clipexplore",
        "models",
        "get",
        key,
        "--lines",
        *(["--part", "clip"] if what == CLIP else []),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            for line in map(json.loads, process.stdout or ()):
                _speed().update({"bytes": line["speed"]} if line.get("speed") else {})
                job.report(_share(parts, line), _sentence(line), left=_left(parts, line))
        except BaseException:  # the job was cancelled
            process.terminate()
            raise
        errors = (process.stderr.read() if process.stderr else "").strip().splitlines()
    if process.returncode:
        raise InputError(errors[-1] if errors else _("The weights could not be fetched; the server’s log says why."))
    return True


def _share(parts: tuple[Weights, ...], line: dict) -> float:
    """How much of all parts has come, by how large each is expected to be."""
    sizes = {part.name: part.download or 1 for part in parts}
    before = list(sizes).index(line["part"]) if line["part"] in sizes else 0
    return (sum(list(sizes.values())[:before]) + sizes.get(line["part"], 0) * line.get("progress", 0.0)) / sum(
        sizes.values()
    )


def _left(parts: tuple[Weights, ...], line: dict) -> float | None:
    """Seconds until this part and those after it have come at the speed of now, once there is one."""
    if "left" not in line:
        return None
    after = [part.name for part in parts].index(line["part"]) + 1
    return line["left"] + sum(part.download for part in parts[after:]) / line["speed"]


def _sentence(line: dict) -> str:
    if "total" not in line:
        return f"{line['part']}: {line['stage']}"
    return f"{line['part']}, {line['stage']}: {size(line['done'])} / {size(line['total'])} · {size(line['speed'])}/s"


@st.cache_resource(show_spinner=False)
def _speed() -> dict[str, float]:
    """The bytes a second of the last download, once there was one."""
    return {}
