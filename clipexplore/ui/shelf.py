"""The collections as cards: what each is, its cover, and what this visitor may do with it.

The operator may change every collection that is not bundled, a visitor the own ones and the shared ones made in the
session.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import streamlit as st

from clipexplore import links
from clipexplore.errors import InputError
from clipexplore.images import contact_sheet, data_url, encode, open_picture, thumbnail
from clipexplore.language import _, numeral, size
from clipexplore.models import catalog
from clipexplore.models.catalog import UNNAMED
from clipexplore.space import Hit
from clipexplore.store import export, shelves
from clipexplore.store.bin import put_back, throw_away
from clipexplore.store.collection import Collection
from clipexplore.store.importing import REJECTED
from clipexplore.store.shelves import Shelved

from .imports import import_panel, jobs, reembed, resume, say_failed
from .journey import send_to
from .markdown import escape
from .page import show_errors
from .results import MOST_BYTES, for_other_tools, tiles
from .session import access, run, visitor
from .titles import described
from .uploads import picture_url
from .widgets import download

ACROSS, SIDE = 6, 64  # of the pictures on a cover


def show_shelf() -> None:
    """Every collection that this visitor sees, one card each, and what was deleted today."""
    _say_deleted()
    cards = shelves.shelf(visitor())
    say_failed()
    with st.grid("auto", min_column_width=300, gap="medium"):
        for card in cards:
            with st.container(border=True):
                _card(card)


def may_change(card: Shelved) -> bool:
    """Whether this visitor may rename, enlarge or delete a collection."""
    return access().may_change(card.of, card.name in st.session_state.get("made", ()))


def _card(card: Shelved) -> None:
    if card.items and (cover := _cover(card.folder, shelves.version_of(card.folder))):
        st.image(data_url(cover), width="stretch", alt=_("Pictures of {title}").format(title=card.title))
    whose = {"bundled": _("bundled"), "shared": _("shared"), "own": _("yours")}
    counted = _("{count:,} pictures") if card.pictures else _("{count:,} texts")
    counted = _("vectors of {count:,} pictures") if card.bare else counted
    chosen = [_("selected")] if st.session_state["collection"] == card.name else []
    st.markdown(" · ".join([f"**{escape(card.title)}**", whose[card.of], *chosen]))
    st.caption(escape(described(card.name, card.description)) or counted.format(count=card.items))
    models = ", ".join(card.models) or _("not embedded yet")
    st.caption(
        _("`{name}` · {items:,} items · {size} · {models}").format(
            name=card.name, items=card.items, size=size(card.bytes), models=models
        )
    )
    import_panel(card.folder, may_change(card))
    _go_on(card)
    with st.container(horizontal=True, gap="small"):
        st.button(
            _("Explore"),
            key=f"explore-{card.name}",
            on_click=send_to,
            args=("search", {}, {"collection": card.name, **_model_for(card)}),
            icon=":material/explore:",
            disabled=not card.items,
        )
        with st.popover("⋯", type="tertiary"):
            _actions(card)


def _model_for(card: Shelved) -> dict[str, str]:
    """The model that a collection is explored with: the unnamed one where only such has made its vectors."""
    known = {*card.models} & {*catalog.models()}
    return {} if known or not card.models else {"model": UNNAMED}


@st.cache_data(max_entries=256, show_spinner=False)
def _cover(folder: Path, version: str) -> bytes | None:
    """The first pictures of a collection in one; None where there are none, or they cannot be read."""
    try:
        found = Collection.open(folder)
        if not found.has_files:
            return None
        step = max(1, len(found) // (2 * ACROSS))
        small = [thumbnail(open_picture(found.picture(id)), SIDE) for id in found.ids[::step][: 2 * ACROSS]]
        return encode(contact_sheet(small, SIDE, ACROSS), "WEBP")
    except InputError:
        return None


def _go_on(card: Shelved) -> None:
    """An import that was stopped, by whomever, goes on with a button."""
    if card.unfinished and str(card.folder) not in jobs() and may_change(card):
        st.caption(_("An import was stopped here; what it had done is kept."))
        _button(card, "go-on", _("Continue"), "play_arrow", partial(resume, card.folder))


def _actions(card: Shelved) -> None:
    """What may be done with a collection, for a menu: to take it away, and to change it for who may."""
    if card.items:
        _downloads(card)
    if not may_change(card):
        return
    title = st.text_input(_("Name"), card.title, key=f"title-{card.name}", max_chars=80)
    if title != card.title:
        _try(partial(shelves.rename, card.folder, title))
    if card.of == "own":
        seen = _("Everybody on this server will see the collection, and links to it will work for others.")
        _button(card, "share", _("Share with everybody"), "group", partial(_share, card.folder), seen)
    model = st.session_state["model"]
    if model not in card.models and catalog.get(model).present and card.items:
        label = _("Embed with {model}").format(model=model)
        _button(card, "embed", label, "memory", partial(reembed, card.folder, model))
    undone = _("You can undo this for a day.")
    _button(card, "delete", _("Delete"), "delete", partial(_delete, card.folder), undone)


def _button(
    card: Shelved, action: str, label: str, icon: str, act: Callable[[], None], help: str | None = None
) -> None:
    st.button(label, key=f"{action}-{card.name}", on_click=act, icon=f":material/{icon}:", help=help or None)


def _downloads(card: Shelved) -> None:
    """The items as CSV or Parquet, the embeddings as NPY, the pictures as ZIP, and what was refused.

    Of a collection that is larger than what a visitor may bring, visitors get the CSV.
    """
    model = st.session_state["model"]
    forms: dict[str, Callable[[Collection], bytes]] = {"csv": export.as_csv}
    if card.bytes < min(MOST_BYTES, access().most_bytes):
        forms["parquet"] = export.as_parquet
        if model in card.models:
            forms["npy"] = partial(export.as_npy, model=model)
        if card.pictures and not card.bare:
            forms["zip"] = export.as_zip
    with st.container(horizontal=True, gap="small"):
        for form, make in forms.items():
            written = partial(_written, make, card.folder)
            download(form.upper(), written, f"{card.name}.{form}", f"{form}-{card.name}")
    if len(forms) > 1:
        model = model if model in card.models else next(iter(card.models), "")
        opened = partial(Collection.open, card.folder)
        for_other_tools(opened, bool(card.pictures) and not card.bare, model, card.name, card.name)
    refused = card.folder / REJECTED
    if refused.is_file() and refused.stat().st_size > 20:  # more than its header
        key, label = f"refused-{card.name}", _("Refused files, and why")
        download(label, refused.read_bytes, REJECTED, key, "report", type="tertiary")


def _written(make: Callable[[Collection], bytes], folder: Path) -> bytes:
    return make(Collection.open(folder))


def _try(act: Callable[[], object]) -> None:
    """Does something with a collection and shows what came of it; a reason where it cannot be done."""
    with show_errors():
        act()
        st.rerun()


def _share(folder: Path) -> None:
    chosen = st.session_state.get("collection") == folder.name
    place = shelves.share(folder)
    st.session_state.setdefault("made", set()).add(place.name)
    if chosen:
        st.session_state["collection"] = place.name


def _delete(folder: Path) -> None:
    job = jobs().pop(str(folder), None)
    if job:
        job.cancel()
    throw_away(folder)
    if st.session_state.get("collection") == folder.name:
        st.session_state["collection"] = links.ALL["collection"]


def _say_deleted() -> None:
    mine = st.session_state.get("made", ())
    for name, waiting in shelves.deleted(visitor()).items():
        kind = "own" if waiting.is_relative_to(shelves.session_folder(visitor())) else "shared"
        if access().may_change(kind, name in mine):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.caption(_("{name} was deleted.").format(name=name), width="content")
                if st.button(_("Undo"), key=f"undo-{waiting.name}", icon=":material/undo:", type="tertiary"):
                    _try(partial(put_back, waiting))


def show_items(hits: list[Hit], key: str, say: Callable[[Hit], str] = lambda hit: numeral(hit.cosine, ".3f")) -> None:
    """Pictures with their ids and what there is to say of each; texts as a table."""
    run().items.extend(hit.id for hit in hits)
    if hits and hits[0].kind == "pictures":
        tiles((picture_url(hit.id), hit.caption, f"{escape(f'@{hit.id}')}  \n{escape(say(hit))}") for hit in hits)
        return
    columns = {"id": [hit.id for hit in hits], _("caption"): [hit.caption for hit in hits]}
    st.dataframe(columns | {_("cosine"): [hit.cosine for hit in hits]}, hide_index=True, key=f"{key}-table")
