"""The choice of a model and a collection: what is here, what would have to be fetched, what fits, under which terms;
and making the model ready for the collection.

A page runs once the chosen model has embedded the word bank and the collection; the background captions and their map
follow while it is used.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from clipexplore import links
from clipexplore.errors import InputError
from clipexplore.explore.bridges import ANCHORS, carry_over
from clipexplore.jobs import Job
from clipexplore.language import _, numeral
from clipexplore.models import catalog
from clipexplore.models.bridge import Bridge
from clipexplore.models.catalog import UNNAMED, Model
from clipexplore.models.weights import Weights
from clipexplore.server import machine
from clipexplore.space import Space
from clipexplore.store import shelves
from clipexplore.store.collection import Collection
from clipexplore.store.embedding import embed, fit_maps, missing
from clipexplore.store.opening import open_for, waits_for_map
from clipexplore.store.shelves import version_of

from .examples import WITHOUT_MODEL
from .fetching import absent, cost, offer_weights, say_terms
from .markdown import escape
from .page import show_errors
from .progress import awaited, lane
from .session import access, early_spaces, embedder, folders, place_of, preset, space, space_of, visitor
from .titles import described, titled
from .widgets import linked

WORTH = 10 * ANCHORS  # items from which a collection is carried over while a model embeds it


def ready(page: str, title: str) -> bool:
    """Whether the page can be shown; if not, what is missing or how far it is stands in its place."""
    folder = folders().get(st.session_state["collection"])
    if page in WITHOUT_MODEL or folder is None:  # of a collection that is not there the page tells
        return True
    model = catalog.get(st.session_state["model"])
    this = _this(model, folder)
    if this in _prepared():
        return True
    if not _is_embedded(model, folder, title):
        return False
    return place_of(model.key, folder) in early_spaces() or _go_on(model, this)


def other_ready(key: str) -> bool:
    """Whether a further model has embedded what is explored; if not, what is missing or how far it is stands here."""
    model, folder = catalog.get(key), space().collection.folder
    return _this(model, folder) in _prepared() or _is_embedded(model, folder)


def _this(model: Model, folder: Path) -> tuple:
    """What may be ready: the model, whether its weights are here, the collection by its folder, which says more than
    its name, and its version.
    """
    return model.key, model.present, str(folder), version_of(folder)


def _is_embedded(model: Model, folder: Path, title: str = "") -> bool:
    """Whether the model has embedded a collection, and the word bank where its weights are here; if not, embedding them
    begins, below a title.

    A page that has a title is shown before that is done, once the vectors of another model are carried over.
    """
    present, here = model.present, open_for(folder, model)  # asked once: a download may end at any moment
    if not present and here.embedded(model.key):  # what is stored is answered without the weights
        return True
    opened = [open_for(folders()["words"], model), here] if present else []
    nothing = not here.contained and not here.embedded(model.key)
    if present and not nothing and not any(missing(each, model) for each in opened):
        return True
    place = place_of(model.key, folder)
    early = early_spaces().get(place) if title else None
    if title and not early:
        st.title(title, anchor=False)
    if not present or nothing:
        return _offer(model, here, way_back=bool(title))
    st.markdown(_say_carried(model, early) if early else _say_embedding(model))
    source = _source(model, folder) if title and not early else None
    work = partial(_embed, opened, model, embedder(model.key), source, place)
    key = ("embed", model.clip.identity, *_this(model, folder))
    show = partial(_show_early, place) if source else None
    return bool(awaited(work, key, "embed" if title else "embed-other", on="embed", show=show)) or early is not None


def _say_embedding(model: Model) -> str:
    says = _("**{title}** is embedding this collection and the word bank, once; after that they are stored.")
    return says.format(title=titled(model))


def _say_carried(model: Model, early: Space) -> str:
    """Whose vectors a page shows until the model has made its own, and how near they come."""
    bridge: Bridge = early.collection.bridge  # type: ignore[attr-defined]
    names = {"pictures": _("pictures"), "captions": _("captions")}
    near = ", ".join(f"{names[kind]} {numeral(cosine, '.2f')}" for kind, cosine in bridge.held_out.items())
    return _(
        "**{title}** is still embedding this collection. Until then you see **another model’s vectors, carried over** "
        "by a bridge that was fitted on {count} of its items; the cosine of others with their true place: {near}."
    ).format(title=titled(model), count=len(bridge.anchors), near=near)


def _source(model: Model, folder: Path) -> Space | None:
    """The space of a model that has embedded a collection which is large enough to be carried over from it."""
    facts = shelves.manifest_of(folder) or {}
    if facts.get("counts", {}).get("items", 0) < WORTH:
        return None
    for key, entry in facts["models"].items():
        if key != model.key and key in catalog.models() and entry.get("digests", True):
            with suppress(InputError):  # the word bank is not embedded by it
                return space_of(key)
    return None


def _show_early(place: tuple[str, ...], job: Job) -> None:
    """Shows the page as soon as there is something on it."""
    if place in early_spaces():
        st.rerun()


@st.cache_resource(show_spinner=False)
def _prepared() -> set[tuple]:
    """What is ready, for all visitors, as `_this` names it."""
    return set()


def _embed(
    opened: list[Collection], model: Model, by: Any, source: Space | None, place: tuple[str, ...], job: Job
) -> bool:
    job.report(0.0, _("Loading the model"))
    if source and place not in early_spaces():
        early_spaces()[place] = carry_over(source, model.key, by, report=job.report)
    embed(opened, model, by, job.report)
    early_spaces().pop(place, None)
    return True


def _go_on(model: Model, this: tuple) -> bool:
    """Marks what is ready, and lets the rest follow in the background."""
    _prepared().add(this)
    here = space()
    if here.can_embed and waits_for_map(here.background, model.key):
        with suppress(InputError):  # a full queue: the rest is made when somebody else comes
            lane("rest").submit(partial(_rest, here, embedder(model.key)), ("rest", model.clip.identity, *this))
    return True


def _rest(here: Space, by: Any, job: Job) -> None:
    embed([here.background], here.model, by, lambda share, stage: job.report(0.8 * share, stage))
    fit_maps(here.collection, here.background, here.model, lambda share, stage: job.report(0.8 + 0.2 * share, stage))


def _offer(model: Model, collection: Collection, way_back: bool) -> bool:
    """What there is instead: buttons that fetch the weights, where the operator allows it, else the sentence that says
    how; and models whose vectors the collection brings, where that is a `way_back` or nothing can be fetched.
    """
    fetched = not model.present and model.key != UNNAMED
    if fetched and access().may_fetch:
        st.markdown(_("The weights of **{title}** are not on this machine yet.").format(title=titled(model)))
        offer_weights(model)
    elif fetched:
        with show_errors():
            model.require()
    others = {key if key in catalog.models() else UNNAMED: None for key in collection.models}
    if others and (way_back or UNNAMED in others or not fetched):
        says = _("{title} comes with vectors of other models; explore it with one of them.")
        st.markdown(says.format(title=escape(collection.title)))
        with st.container(horizontal=True):
            for key in others:
                label = escape(titled(catalog.get(key)))
                st.button(label, key=f"with-{key}", on_click=preset, kwargs={"model": key}, icon=":material/explore:")
    return False


def model_box() -> None:
    """The choice of a model, what the chosen one is and forbids, and behind a button the table of all; the unnamed one
    stands there where a collection has vectors of one.
    """
    options = [*catalog.models()]
    if st.session_state.get("model") == UNNAMED or shelves.brings_unnamed(folders()):
        options.append(UNNAMED)
    if (named := st.query_params.get("model", options[0])) not in options:
        says = _("The link names the model {name}, which this server does not know, so this is another one.")
        st.warning(says.format(name=escape(named[:60])), icon=":material/link_off:")
    model = catalog.get(linked(st.selectbox, "model", _("Model"), options, links.ALL["model"]))
    st.caption(escape(described(model.key, model.description)))
    if stated := tuple(part for part in model.parts if part.terms or not part.licence):
        say_terms(stated)
    table = st.popover(_("All models"), icon=":material/table_rows:", key="models-table", on_change="rerun")
    if not table.open:  # looking at the disk for every model takes a tenth of a run
        return
    with table:
        st.dataframe([_row(each) for each in catalog.models().values()], hide_index=True)
        st.caption(
            _(
                "Fits: the weights in 16 bits, and half as much again for the work, in the memory of this device. An "
                "operator fetches weights with `python -m clipexplore models get KEY`."
            )
        )


def collection_box() -> None:
    """The choice of a collection, and what the chosen one is; a link holds what a widget shows, so it shows names."""
    about = shelves.explorable(folders())
    if (named := st.query_params.get("collection")) and named not in about:
        _say_missing(named)
    chosen = st.selectbox(_("Collection"), list(about), key="collection", bind="query-params")
    st.caption(described(chosen, about[chosen]))


def _say_missing(named: str) -> None:
    """One sentence for a link that names a collection which this visitor cannot see, and for the one just deleted."""
    if named in shelves.deleted(visitor()):
        st.caption(_("{name} was deleted.").format(name=escape(named)))
        return
    own = _(
        "The link names the collection {name}, which belongs to another session; ask for a new link once it is shared."
    )
    shared = _("The link names the collection {name}, which is not on this server, so this is another one.")
    message = own if named.startswith(shelves.OWN) else shared
    st.warning(message.format(name=escape(named[:60])), icon=":material/link_off:")


def _row(model: Model) -> dict[str, str]:
    return {
        _("model"): model.key,
        _("on this machine"): _here(model),
        _("fits"): _how_fits(model),
        _("draws texts"): _can(model.draws_prompts),
        _("draws points"): _can(model.draws_embeddings),
        _("licences"): model.licence,
    }


def _how_fits(model: Model) -> str:
    if not model.clip.parameters and not model.present:
        return _("not yet known")
    return _("yes") if fits(model.parts) else _("CLIP alone") if fits((model.clip,)) else _("no")


def _here(model: Model) -> str:
    lacking = absent(model)
    if not lacking:
        return _("yes")
    return (
        _("{cost} to fetch for drawing").format(cost=cost(*lacking))
        if model.present
        else _("{cost} to fetch").format(cost=cost(*lacking))
    )


def _can(weights: Weights | None) -> str:
    if weights and weights.present:
        return _("yes")
    return _("when fetched") if weights and weights.repo else _("no")


def fits(parts: tuple[Weights, ...], look: Callable[[], machine.Machine] = machine.look) -> bool:
    """Whether the memory of this device holds these weights in 16 bits, and half of it beside them for the work."""
    found = look()
    room = found.gpu_memory or found.memory
    return sum(part.parameters for part in parts) * 2 * 1.5 < room
