"""Ids while one types: behind an "@" the text field of an expression offers pictures and names."""

from functools import partial

import streamlit as st

from clipexplore.language import _
from clipexplore.names import ids_like

from .component import component
from .names import names, own_space
from .speech import speaking
from .uploads import picture_url

MOST = 8
_complete = component("complete", '<ul class="ids" role="listbox" popover="manual"></ul>', isolate_styles=False)


def complete(key: str) -> None:
    """Stands below the text field of that key; what is typed runs this alone, not the page."""
    st.fragment(speaking(_offer))(key)


def _offer(key: str) -> None:
    slot, asked = f"{key}-ids", st.session_state.get(f"{key}-asked", "")
    items = [_item(id) for id in ids_like(_known(), asked[1:], MOST)] if asked else []
    data = {"field": key, "asked": asked, "items": items, "label": _("Pictures and names")}
    _complete(data=data, key=slot, height=1, on_ask_change=partial(_note, key, slot))


def _known() -> list[str]:
    collection = own_space().collection
    return [*names(), *(collection.ids if collection.has_pictures else ())]


def _item(id: str) -> dict[str, str | None]:
    here = own_space()
    caption = here.collection.captions[here.collection.row(id)] if id in here.collection else ""
    return {"id": id, "caption": caption, "url": picture_url(id) if here.has_picture(id) else None}


def _note(key: str, slot: str) -> None:
    if asked := st.session_state[slot].get("ask"):
        st.session_state[f"{key}-asked"] = asked
