"""Only some items: those with certain values of a field, and on Map those near an expression.

Map's filter gives rows of the collection, which go with the points to the browser, to the lists and into the file: a
point of a filtered map is still its own picture.
"""

import numpy as np
import pandas as pd
import streamlit as st

from clipexplore.explore.map import kept
from clipexplore.explore.memory import remembered
from clipexplore.explore.search import ANY
from clipexplore.expression import MAX_CHARACTERS
from clipexplore.language import _
from clipexplore.space import Space

from .expressions import point_of
from .session import preset, space
from .widgets import select, several, slider, text_line

MOST = 200  # values that a field may have to be chosen from


def facet_box() -> tuple[str, list[str]]:
    """Search's widgets, behind a button: a field, and the values of it that are searched, none for all."""
    with st.popover(_("Only some"), icon=":material/filter_alt:"):
        return _field_and_values(_("Field"), _("Values"))


def filter_box() -> np.ndarray:
    """Map's widgets, folded away: by a field's values and nearness to an expression; the rows shown, in order."""
    with st.expander(_("Show only"), icon=":material/filter_alt:"):
        facet, only = _field_and_values(_("Where the field"), _("is"), placeholder=_("any value"))
        return kept(space().collection.fields, facet, only, *_like())


def _field_and_values(field: str, values: str, **look: str) -> tuple[str, list[str]]:
    """Widgets under these labels: a field, and some of its values."""
    facet = select("facet", field, [ANY, *facets(space())], on_change=preset, kwargs={"only": []})
    known = values_of(space().collection.fields[facet]) if facet != ANY else []
    return facet, several("only", values, known, disabled=not known, **look)


def _like() -> tuple[np.ndarray | None, float]:
    """The cosines of all pictures with an expression, and the least that is shown; None without an expression."""
    typed = text_line(
        "like", _("And like"), max_chars=MAX_CHARACTERS, placeholder="cat + snow   or   @man-top-hat - @man"
    )
    point = point_of(typed) if typed.strip() else None
    if point is None:
        return None, -1.0
    least = slider("least", _("with a cosine of at least"), -1.0, 1.0, step=0.01)
    cosines = space().cosines(point.vector, space().kind)
    says = _("The cosines of all pictures with it range from {low:.2f} to {high:.2f}.")
    st.caption(says.format(low=cosines.min(), high=cosines.max()))
    return cosines, least


@remembered(64)
def facets(space: Space) -> list[str]:
    """The fields of the collection whose values can be chosen from: two to `MOST` of them."""
    fields = space.collection.fields
    return [name for name in fields.columns if 2 <= fields[name].nunique() <= MOST]


def values_of(field: pd.Series) -> list[str]:
    """The values of a field as text, the most frequent first; missing ones are left out."""
    return field.astype("string").value_counts().index.tolist()


def say_kept(rows: np.ndarray) -> None:
    """How many pictures are shown, where not all are, and the way back to all."""
    whole = len(space().collection)
    if len(rows) == whole:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        says = _("{count:,} of {whole:,} pictures are shown.").format(count=len(rows), whole=whole)
        st.caption(says, width="content")
        st.button(
            _("Show all"),
            on_click=preset,
            kwargs={"facet": ANY, "only": [], "like": ""},
            icon=":material/filter_alt_off:",
            type="tertiary",
        )
