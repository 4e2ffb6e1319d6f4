"""Map's filter: which pictures are drawn, by the values of a field and by how near they are to an expression.

What is kept are rows of the collection. They go with the points to the browser, to the lists and into the file, so that a point of a
filtered map is still its own picture.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from clipexplore import links
from clipexplore.expression import MAX_CHARACTERS

from .expressions import point_of
from .session import preset, space
from .texts import text

ANY = "any"  # instead of a field: all values are kept
MOST = 200  # values that a field may have to be chosen from


def filter_box() -> np.ndarray:
    """The widgets of the filter, folded away; gives the rows that are kept, rising."""
    defaults, fields = links.PAGES["map"], space().collection.fields
    with st.expander(text("map.filter"), icon=":material/filter_alt:"):
        names = [ANY, *facets_here()]
        facet = st.selectbox(text("map.facet"), names, index=names.index(defaults["facet"]), key="facet", bind="query-params", on_change=preset, kwargs={"only": []})
        only: list[str] = []
        if facet in names[1:]:
            only = st.multiselect(text("map.only"), values_of(fields[facet]), defaults["only"], key="only", bind="query-params", placeholder=text("map.only_all"))
        typed = st.text_input(text("map.like"), defaults["like"], key="like", bind="query-params", max_chars=MAX_CHARACTERS, placeholder=text("expression.placeholder"))
        point = point_of(typed) if typed.strip() else None
        if point is None:
            return kept(fields, facet, only)
        least = st.slider(text("map.least"), -1.0, 1.0, defaults["least"], 0.01, key="least", bind="query-params")
        cosines = space().cosines(point.vector, "pictures")
        st.caption(text("map.like_says", low=cosines.min(), high=cosines.max()))
        return kept(fields, facet, only, cosines, least)


def facets_here() -> list[str]:
    """The fields of the explored collection whose values can be chosen from."""
    return _facets(space().collection.fields, space().collection.version)


@st.cache_data(max_entries=64, show_spinner=False)
def _facets(_fields: pd.DataFrame, collection: str) -> list[str]:
    return facets(_fields)


def facets(fields: pd.DataFrame) -> list[str]:
    """The fields whose values can be chosen from: two to `MOST` of them."""
    return [name for name in fields.columns if 2 <= fields[name].nunique() <= MOST]


def values_of(field: pd.Series) -> list[str]:
    """The values of a field as text, the most frequent first; what is missing is none."""
    return field.astype("string").value_counts().index.tolist()


def kept(fields: pd.DataFrame, facet: str, only: Sequence[str], cosines: np.ndarray | None = None, least: float = -1.0) -> np.ndarray:
    """The rows that have one of the values `only` in the field `facet`, where values are given, and a cosine of at least `least`; `(m,)` int, rising."""
    found = np.ones(len(fields), bool)
    if facet in fields and only:
        found &= fields[facet].astype("string").isin(list(only)).to_numpy(bool)
    if cosines is not None:
        found &= cosines >= least
    return np.flatnonzero(found)


def say_kept(rows: np.ndarray) -> None:
    """How many pictures are shown, where not all are, and the way back to all."""
    whole = len(space().collection)
    if len(rows) < whole:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(text("map.kept", count=len(rows), whole=whole), width="content")
            st.button(text("map.all"), on_click=preset, kwargs={"facet": ANY, "only": [], "like": ""}, icon=":material/filter_alt_off:", type="tertiary")
