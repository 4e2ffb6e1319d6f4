"""Pictures in a gallery, by mouse, touch and keyboard; a click shows one of them large.

The pictures of a page are one list for whoever walks from one to the next, and whoever chooses several of them.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import streamlit as st

from clipexplore import links
from clipexplore.expression import parse
from clipexplore.language import _
from clipexplore.space import Hit

from .chosen import choose, chosen
from .component import component
from .session import run, speaking
from .uploads import picture_url

_gallery = component("gallery", '<ul class="gallery"></ul>', isolate_styles=False)


def score(hit: Hit) -> str:
    return f"{hit.cosine:.3f} · z {hit.z:.1f}"


def gallery(hits: list[Hit], key: str, into: str | None = "q") -> None:
    """Pictures and scores. The tools on each change the widget `into`, which is the expression "q" or the lines
    "points"; None leaves them out.
    """
    if not hits:
        st.info(_("Nothing is left to show."))
        return
    run().pictures.extend(hit.id for hit in hits)
    items = [dict(id=hit.id, url=picture_url(hit.id), caption=hit.caption, score=score(hit)) for hit in hits]
    data = {"items": items, "tools": tools(into), "chosen": chosen()}
    data |= {"label": _("Pictures"), "choose": _("Choose")}
    slot = f"{key}-gallery"
    acts: dict[str, Callable[[Any], None]] = {"open": open_picture_view, "act": partial(act, into), "choose": choose}
    told = {f"on_{name}_change": speaking(partial(_tell, slot, name, take)) for name, take in acts.items()}
    _gallery(data=data, key=slot, **told)


def on_page() -> list[str]:
    """The ids of the pictures in all galleries of the page, each once, in its order."""
    return list(dict.fromkeys(run().pictures))


def tools(into: str | None) -> list[tuple[str, str, str]]:
    """What can be done with a picture where it stands: the action, its sign, and what it is called."""
    if into == "points":
        return [("point", "+", _("Add to my points"))]
    if into is None:
        return []
    return [("more", "+", _("More like this")), ("less", "−", _("Less like this"))]


def act(into: str | None, what: tuple[str, str]) -> None:
    """Does something with a picture, given as the action and the id, to the widget `into`."""
    action, id = what
    if into:
        st.session_state[into] = rewritten(st.session_state.get(into, ""), action, id)


def rewritten(before: str, action: str, id: str) -> str:
    """An expression made of this picture alone, or with it added or subtracted; or lines with it as one more.

    What is no expression yet is not added to.
    """
    if action == "point":
        return f"{before.rstrip()}\n@{id}".lstrip()
    sign = {"more": " + ", "less": " - "}.get(action)
    return f"{before}{sign}@{id}" if sign and _is_expression(before) else f"@{id}"


def open_picture_view(id: str) -> None:
    """Shows a picture large: what the link says, `picture_view` does."""
    st.query_params[links.OPEN] = id


def _tell(slot: str, name: str, take: Callable[[Any], None]) -> None:
    """Passes on what the browser has said, if it has."""
    if (said := st.session_state[slot].get(name)) is not None:
        take(said)


def _is_expression(typed: str) -> bool:
    try:
        return bool(parse(typed))
    except ValueError:
        return False
