"""Results: pictures in a gallery, texts as bars, what their cosines mean, and how to take them away."""

import csv
from functools import partial
from io import BytesIO, StringIO

import numpy as np
import streamlit as st

from clipexplore.collection import Collection
from clipexplore.expression import parse
from clipexplore.images import contact_sheet, encode, open_picture
from clipexplore.space import Hit, What

from . import spec as go
from .markdown import escape
from .plots import ACCENT, MUTED, bars, chart
from .session import space
from .texts import text
from .uploads import picture_url

ACTIONS = {"q": ("search", "more", "less"), "points": ("point",)}  # what a menu offers, by the widget it works on


def score(hit: Hit) -> str:
    return f"{hit.cosine:.3f} · z {hit.z:.1f}"


def gallery(hits: list[Hit], key: str, into: str = "q", width: int = 105) -> None:
    """Pictures with their scores; the menu under each works on the widget of key `into`: an expression "q", or "points", one a line."""
    if not hits:
        st.info(text("result.none"))
    with st.grid("auto", min_column_width=width, gap="small"):
        for hit in hits:
            with st.container(gap=None):
                st.image(picture_url(hit.id), width="stretch", alt=hit.caption)
                st.caption(escape(f"@{hit.id}"))
                with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", gap=None):
                    st.caption(score(hit), width="content")
                    _menu(hit.id, f"{key}-{hit.id}", into)


def _menu(id: str, key: str, into: str) -> None:
    st.menu_button("⋯", ACTIONS[into], key=key, on_click=_act, args=(id, key, into), format_func=lambda name: text(f"result.{name}"), type="tertiary")


def _act(id: str, key: str, into: str) -> None:
    """Rewrites the expression – from this picture alone, or with it added or subtracted – or adds a point."""
    action, before = st.session_state[key], st.session_state.get(into, "")
    sign = {"more": " + ", "less": " - ", "point": "\n"}.get(action)
    keep = sign and (into == "points" or _is_expression(before))
    st.session_state[into] = f"{before}{sign}@{id}" if keep else f"@{id}"


def _is_expression(typed: str) -> bool:
    try:
        return bool(parse(typed))
    except ValueError:
        return False


def result_bars(hits: list[Hit], key: str, alt: str) -> None:
    """Texts with their cosines as bars, z beside each."""
    if not hits:
        st.info(text("result.none"))
        return
    bars([hit.caption for hit in hits], [hit.cosine for hit in hits], [score(hit) for hit in hits], alt, key, title=text("result.cosine"))


def score_context(vector: np.ndarray, what: What, among: np.ndarray | None = None) -> None:
    """What the cosines of this point with all that is searched, or with some rows of it, are like, in one sentence."""
    if among is not None and not len(among):
        return
    context = space().context(vector, what, among)
    st.caption(text("result.context", count=context.count, what=what, best=context.best.cosine, mean=context.mean, std=context.std, z=context.best.z))


def distribution(vector: np.ndarray, what: What, key: str, among: np.ndarray | None = None) -> None:
    """The histogram of the cosines of this point with all that is searched; counted here, so that a million go to no browser."""
    with st.expander(text("result.distribution"), icon=":material/bar_chart:"):
        cosines = space().cosines(vector, what)
        cosines = cosines if among is None or not len(among) else cosines[among]
        counts, edges = np.histogram(cosines, 60)
        figure = go.Figure(go.Bar(x=(edges[1:] + edges[:-1]) / 2, y=counts, marker_color=MUTED, width=np.diff(edges)))
        figure.update_layout(bargap=0)
        figure.add_vline(x=float(cosines.max()), line_color=ACCENT, annotation_text=f"{cosines.max():.3f}")
        figure.update_xaxes(title=text("result.cosine"))
        chart(figure, text("result.distribution_alt"), key=f"{key}-distribution", height=240)


def download_row(hits: list[Hit], vector: np.ndarray | None, key: str) -> None:
    """Buttons for the results as CSV, the pictures as one PNG, and the point as NPY; each is made when it is asked for."""
    with st.container(horizontal=True, gap="small"):
        st.download_button(text("result.csv"), lambda: _csv(hits), "clip-explorer.csv", "text/csv", key=f"{key}-csv", on_click="ignore", icon=":material/download:")
        if hits and hits[0].kind == "pictures":
            sheet = partial(_sheet, space().collection, [hit.id for hit in hits])
            st.download_button(text("result.png"), sheet, "clip-explorer.png", "image/png", key=f"{key}-png", on_click="ignore", icon=":material/download:")
        if vector is not None:
            st.download_button(text("result.npy"), lambda: _npy(vector), "clip-explorer.npy", "application/octet-stream", key=f"{key}-npy", on_click="ignore",
                               icon=":material/download:")  # fmt: skip


def _csv(hits: list[Hit]) -> bytes:
    out = StringIO()
    rows = csv.writer(out)
    rows.writerow(["rank", "id", "caption", "cosine", "z", "kind"])
    rows.writerows([hit.rank, harmless(hit.id), harmless(hit.caption), f"{hit.cosine:.6f}", f"{hit.z:.3f}", hit.kind] for hit in hits)
    return out.getvalue().encode("utf-8-sig")


def harmless(cell: str) -> str:
    """A spreadsheet takes a cell that begins like this for a formula."""
    return "'" + cell if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def _sheet(collection: Collection, ids: list[str]) -> bytes:
    return _png([collection.picture(id) for id in ids])


def _png(pictures: list[bytes]) -> bytes:
    return encode(contact_sheet([open_picture(data) for data in pictures]), "PNG")


def _npy(vector: np.ndarray) -> bytes:
    out = BytesIO()
    np.save(out, vector)
    return out.getvalue()
