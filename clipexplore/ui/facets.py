"""Search's facets: only the items with certain values of a field are searched."""

import time

import numpy as np
import streamlit as st

from clipexplore import links
from clipexplore.space import Hit, What

from .filters import ANY, facets_here, kept, values_of
from .session import preset, space
from .texts import text

SLOW = 0.3  # seconds from which a search says how long it took


def facet_box(kind: What) -> np.ndarray | None:
    """The widgets, folded away; the rows that are searched, None for all of them and where words are searched."""
    defaults, fields = links.PAGES["search"], space().collection.fields
    with st.popover(text("search.filter"), icon=":material/filter_alt:"):
        names = [ANY, *facets_here()]
        facet = st.selectbox(text("search.facet"), names, index=names.index(defaults["facet"]), key="facet", bind="query-params", on_change=preset, kwargs={"only": []})
        values = values_of(fields[facet]) if facet in names[1:] else []
        only = st.multiselect(text("search.only"), values, [value for value in defaults["only"] if value in values], key="only", bind="query-params", disabled=not values)
    if kind == "words" or not only:
        return None
    rows = kept(fields, facet, only)
    st.caption(text("search.among", count=len(rows), whole=len(fields)))
    return rows


def find(vector: np.ndarray, kind: What, k: int, among: np.ndarray | None) -> list[Hit]:
    """The hits among some rows; above the size where a search is instant, with a line that says how long it took."""
    begun = time.perf_counter()
    hits = space().search(vector, kind, k, among=among)
    if (seconds := time.perf_counter() - begun) > SLOW:
        st.caption(text("search.took", count=len(space().words if kind == "words" else space().collection), seconds=seconds))
    return hits
