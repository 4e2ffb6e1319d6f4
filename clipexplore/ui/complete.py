"""Ids while one types: behind an "@" the text fields of expressions offer pictures and names."""

import streamlit as st

from clipexplore.language import _
from clipexplore.names import ids_like

from .component import component
from .names import names, own_space
from .session import page_here, run, speaking
from .uploads import picture_url

MOST = 8
_complete = component("complete", '<ul class="ids" role="listbox" popover="manual"></ul>', isolate_styles=False)


def completing(key: str) -> None:
    """For the text field of that key: `complete` serves it, too."""
    run().fields.append(key)


def complete() -> None:
    """Serves the fields of the page, after it has run; what is typed in one runs this alone, not the page."""
    if fields := run().fields:
        st.fragment(speaking(_offer))(fields, f"{page_here()}-ids")


def _offer(fields: list[str], slot: str) -> None:
    """What one of the fields asks for now; `slot` is another on another page, whose fields are others."""
    field, asked = st.session_state.get(slot, {}).get("ask") or ("", "")
    items = [_item(id) for id in ids_like(_known(), asked[1:], MOST)] if asked else []
    data = {"fields": fields, "field": field, "asked": asked, "items": items, "label": _("Pictures and names")}
    _complete(data=data, key=slot, height=1, on_ask_change=lambda: None)


def _known() -> list[str]:
    collection = own_space().collection
    return [*names(), *(collection.ids if collection.has_pictures else ())]


def _item(id: str) -> dict[str, str | None]:
    here = own_space()
    caption = here.collection.captions[here.collection.row(id)] if id in here.collection else ""
    return {"id": id, "caption": caption, "url": picture_url(id) if here.has_picture(id) else None}
