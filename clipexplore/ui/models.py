"""The choice of a model: what is here, what would have to be fetched, what fits, under which terms; and making a model ready for a collection.

A page runs once the chosen model has embedded the word bank and the collection; the background captions and their map follow while it is used.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import streamlit as st

from clipexplore import catalog
from clipexplore.catalog import Model
from clipexplore.collection import Collection
from clipexplore.collections.embedded import Embedded, embed, fit_maps, missing, open_embedded
from clipexplore.collections.repair import mend
from clipexplore.collections.storage import MANIFEST
from clipexplore.errors import InputError
from clipexplore.models.weights import Weights
from clipexplore.server import machine
from clipexplore.settings import settings
from clipexplore.space import collection_folders
from clipexplore.worker import Job

from .fetching import absent, cost, offer_weights, say_terms
from .fits import fitted, lane
from .logs import visitor
from .markdown import escape
from .session import embedder, space
from .texts import text

WITHOUT_MODEL = ("status", "collections")  # pages that need none


def ready(page: str, title: str) -> bool:
    """Whether the page can be shown; if not, what is missing or how far it is stands in its place.

    Raises
    ------
    InputError
        If the weights are needed, not on this machine, and visitors may not fetch them.
    """
    folders, name = collection_folders(visitor()), st.session_state["collection"]
    if page in WITHOUT_MODEL or name not in folders:  # of a collection that is not there the page tells
        return True
    model = catalog.get(st.session_state["model"])
    this = (model.key, str(folders[name]), (folders[name] / MANIFEST).stat().st_mtime_ns)
    if this in _prepared():
        return True
    present = model.present  # asked once: a download may end at any moment
    opened = _opened(model, folders["words"], folders[name]) if present or _brought(model, folders["words"], folders[name]) else []
    if opened and not any(missing(each, model) for each in opened):
        return _go_on(model, this)
    st.title(title, anchor=False)
    if not present:
        return _offer(model)
    st.markdown(text("models.embedding", title=model.title))
    work = partial(_embed, opened, model, embedder(model.key))
    return bool(fitted(work, ("embed", model.clip.identity, *this), "embed", on="embed")) and _go_on(model, this)


@st.cache_resource(show_spinner=False)
def _prepared() -> set[tuple]:
    """What is ready, for all visitors: the model's key, the collection's folder, which says more than its name, and when it was written."""
    return set()


def _brought(model: Model, *folders: Path) -> bool:
    """Whether these collections come with the model's vectors, so that what is stored is answered even without its weights."""
    return all(model.key in Collection.open(folder).manifest["models"] for folder in folders)


def _opened(model: Model, *folders: Path) -> list[Collection]:
    for folder in folders:
        mend(folder)
    return [open_embedded(folder, model) for folder in folders]


def _embed(opened: list[Collection], model: Model, by, job: Job) -> bool:
    job.report(0.0, text("models.loading"))
    embed(opened, model, by, job.report)
    return True


def _go_on(model: Model, this: tuple) -> bool:
    """Marks what is ready, and lets the rest follow in the background."""
    _prepared().add(this)
    here = space()
    if isinstance(here.background, Embedded):
        with suppress(InputError):  # a full queue: the rest is made when somebody else comes
            lane("rest").submit(partial(_rest, here, embedder(model.key)), ("rest", model.clip.identity, *this))
    return True


def _rest(here, by, job: Job) -> None:
    embed([here.background], here.model, by, lambda share, stage: job.report(0.8 * share, stage))
    fit_maps(here.collection, here.background, here.model, lambda share, stage: job.report(0.8 + 0.2 * share, stage))


def _offer(model: Model) -> bool:
    """Buttons that fetch the weights, where the operator allows it; else the sentence that says how."""
    if not settings().downloads:
        model.clip.require(model.key)
    st.markdown(text("models.not_here", title=model.title))
    offer_weights(model)
    return False


def model_card(key: str) -> None:
    """What the chosen model is and forbids, and behind a button the table of all."""
    model = catalog.get(key)
    st.caption(escape(model.description))
    say_terms(tuple(part for part in model.parts if part.terms))
    table = st.popover(text("models.all"), icon=":material/table_rows:", key="models-table", on_change="rerun")
    if not table.open:  # looking at the disk for every model takes a tenth of a run
        return
    with table:
        st.dataframe([_row(each) for each in catalog.models().values()], hide_index=True)
        st.caption(text("models.table_says"))


def _row(model: Model) -> dict[str, str]:
    return {
        text("models.model"): model.key,
        text("models.here"): _here(model),
        text("models.fits"): text("models.yes") if fits(model.parts) else text("models.clip_only") if fits((model.clip,)) else text("models.no"),
        text("models.texts"): _can(model.draws_prompts),
        text("models.points"): _can(model.draws_embeddings),
        text("models.licence"): model.licence,
    }


def _here(model: Model) -> str:
    lacking = absent(model)
    if not lacking:
        return text("models.yes")
    return text("models.partly", cost=cost(*lacking)) if model.present else text("models.to_fetch", cost=cost(*lacking))


def _can(weights: Weights | None) -> str:
    if weights and weights.present:
        return text("models.yes")
    return text("models.not_fetched") if weights and weights.repo else text("models.no")


def fits(parts: tuple[Weights, ...], look: Callable[[], machine.Machine] = machine.look) -> bool:
    """Whether the memory of this device holds these weights in 16 bits, and half of it beside them for the work."""
    found = look()
    room = found.gpu_memory or found.memory
    return sum(part.parameters for part in parts) * 2 * 1.5 < room
