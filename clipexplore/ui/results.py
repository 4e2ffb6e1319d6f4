"""Results: pictures side by side, texts as bars, what their cosines mean, and downloads."""

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd
import streamlit as st

from clipexplore.explore.search import SearchResult, presence
from clipexplore.images import contact_sheet, encode, open_picture
from clipexplore.language import _, numeral
from clipexplore.space import Context, Hit, Point, What
from clipexplore.store.collection import Collection
from clipexplore.store.export import forms_for, zipped
from clipexplore.tables import csv_file, harmless, npy_file

from .calls import Call, call
from .gallery import gallery, score
from .plots import ACCENT, MUTED, bars, chart
from .session import run, space
from .titles import called
from .uploads import picture_url
from .widgets import download

SLOW = 0.3  # seconds from which a search says how long it took
MOST_BYTES = 2_000_000_000  # of a collection that goes through memory and a browser; its folder is as readable


def tiles(pictures: Iterable[tuple[Any, str, str]], width: int = 105) -> None:
    """Pictures side by side, each given as what `st.image` takes, its description, and a note in Markdown below it."""
    with st.grid("auto", min_column_width=width, gap="small"):
        for picture, alt, note in pictures:
            with st.container(gap=None):
                st.image(picture, output_format="PNG", width="stretch", alt=alt)
                st.caption(note)


def metrics(*figures: tuple[str, str, str]) -> None:
    """Figures side by side: a label, a value, and what it means."""
    with st.container(horizontal=True, gap="medium"):
        for label, value, meaning in figures:
            st.metric(label, value, help=meaning or None, width="content")


def table(columns: dict[str, list[str]], width: Literal["stretch", "content"] = "stretch") -> None:
    """A small table; its first column names the rows."""
    rows = pd.DataFrame(columns)
    st.table(rows.set_index(rows.columns[0]), border="horizontal", width=width)


def hit_tiles(noted: Iterable[tuple[Any, str]], width: int = 105) -> None:
    """Pictures of the collection side by side: hits, or whatever has an id and a caption, each with its note."""
    noted = list(noted)
    run().items.extend(each.id for each, _note in noted)
    tiles(((picture_url(each.id), each.caption, note) for each, note in noted), width)


def can_judge(point: Point, what: What) -> bool:
    """Whether a search can say at once what counts as a match, or that nobody knows; while that is learned of a
    collection, the progress is on screen.
    """
    asked = what == "pictures" and point.one_text is not None
    return not asked or presence.known(space()) or call(presence).awaited("presence") is not None


def show_matches(found: SearchResult, key: str) -> None:
    """The pictures of a search, with a line under the last that counts as a match, and how well that is known."""
    if found.least is None or found.presence is None:
        gallery(found.hits, key)
        return
    matches = found.matches
    others = [hit for hit in found.hits if hit not in matches]
    nothing = _("Nothing here matches: the best cosine would have to be {least:.3f}.").format(least=found.least)
    line = _("From here on nothing counts as a match any more: the cosine is below {least:.3f}.")
    if matches:
        gallery(matches, key)
    if others or not matches:
        if matches:
            st.divider()
        st.markdown(line.format(least=found.least) if matches else nothing)
        if others:
            gallery(others, f"{key}-below" if matches else key)
    st.caption(
        _(
            "A picture counts as a match from a cosine of {least:.3f} on, and where its caption says every word. By "
            "the cosine alone, held out: wrong in {false:.0f} of 100 texts that are not here; {kept:.0f} of 100 that "
            "are here are found."
        ).format(least=found.least, false=100 * found.presence.false, kept=100 * found.presence.kept),
        help=_("Learned from this collection’s own captions, and measured on texts that it was not learned from."),
    )


def result_bars(hits: list[Hit], key: str, alt: str) -> None:
    """Texts with their cosines as bars, z beside each."""
    if not hits:
        st.info(_("Nothing is left to show."))
        return
    run().items.extend(hit.id for hit in hits if hit.kind != "words")
    bars(
        [hit.name for hit in hits],
        [hit.cosine for hit in hits],
        [score(hit) for hit in hits],
        alt,
        key,
        title=_("cosine"),
    )


def nearest_bars(hits: list[Hit], point: Point, what: What, key: str) -> None:
    """As `result_bars`, of what is nearest to a point."""
    alt = _("Bars: the {what} nearest to {q}, with cosine and z")
    result_bars(hits, key, alt.format(what=called("in", what), q=point.expression))


def say_search(found: Call[SearchResult]) -> None:
    """How a search looks among all that was searched, how much that was where not all of it, and how long it took if
    that was long.
    """
    begun, given = time.perf_counter(), found.arguments
    context = found.result.context  # computed here, if it has not been before
    seconds = time.perf_counter() - begun
    if context and given["only"] and given["what"] != "words":
        says = _("Searching the {count:,} of {whole:,} that you chose; z is relative to those.")
        st.caption(says.format(count=context.count, whole=len(space().collection)))
    if context and seconds > SLOW:
        st.caption(_("Searching {count:,} took {seconds:.1f} s.").format(count=context.count, seconds=seconds))
    say_context(context, given["what"])


def say_context(context: Context | None, what: What) -> None:
    """What the cosines of a point with all that is searched are like, in one sentence."""
    if context is None:
        return
    st.caption(
        _(
            "Among {count:,} {what} the best cosine is {best:.3f}; the average is {mean:.3f} ± {std:.3f}, so the best "
            "is {z:.1f} standard deviations above average."
        ).format(
            count=context.count,
            what=called("in", what),
            best=context.best.cosine,
            mean=context.mean,
            std=context.std,
            z=context.best.z,
        ),
        help=_(
            "A cosine below 0 means no opposite: pictures and texts lie in two clouds, and what has nothing in common "
            "comes to about 0, or below. The order counts, and z."
        ),
    )


def show_distribution(context: Context | None, key: str) -> None:
    """The histogram of all the cosines; it is counted in the library, so that no million goes to a browser."""
    if context is None:
        return
    with st.expander(_("All cosines"), icon=":material/bar_chart:", key=f"{key}-all", on_change="rerun") as box:
        if not box.open:  # the browser would fetch Plotly for it
            return
        edges, best = context.edges, context.best.cosine
        centres = (edges[1:] + edges[:-1]) / 2
        counts = dict(type="bar", x=centres, y=context.counts, marker=dict(color=MUTED), width=np.diff(edges))
        line = dict(x=best, color=ACCENT, text=numeral(best, ".3f"))
        alt = _("Histogram of the cosines of everything searched")
        chart(counts, alt, f"{key}-distribution", height=240, across=[line], bargap=0, x=_("cosine"))


def for_other_tools(
    collection: Callable[[], Collection],
    pictures: bool,
    model: str,
    name: str,
    key: str,
    ids: list[str] | None = None,
) -> None:
    """A collection that has pictures or not, or some of its items, with the vectors of a model, "" for none, in a form
    that another tool reads.
    """
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        form = st.selectbox(_("For other tools"), forms_for(pictures, model), key=f"form-{key}")
        download("ZIP", lambda: zipped(collection(), form, model, ids), f"{name}-{form}.zip", f"out-{key}")


def download_row(hits: list[Hit], vector: np.ndarray | None, key: str) -> None:
    """Buttons for the results as CSV, the pictures on one sheet as PNG, and the point as NPY."""
    with st.container(horizontal=True, gap="small"):
        download(_("CSV"), partial(_hits_file, hits), "clip-explorer.csv", f"{key}-csv")
        if hits and hits[0].kind == "pictures" and space().collection.has_files:
            sheet = partial(_sheet, space().collection, [hit.id for hit in hits])
            download(_("Contact sheet (PNG)"), sheet, "clip-explorer.png", f"{key}-png")
        if vector is not None:
            download(_("Vector (NPY)"), partial(npy_file, vector), "clip-explorer.npy", f"{key}-npy")


def _hits_file(hits: list[Hit]) -> bytes:
    rows = (
        (hit.rank, harmless(hit.id), harmless(hit.caption), f"{hit.cosine:.6f}", f"{hit.z:.3f}", hit.kind)
        for hit in hits
    )
    return csv_file(["rank", "id", "caption", "cosine", "z", "kind"], rows)


def _sheet(collection: Collection, ids: list[str]) -> bytes:
    return encode(contact_sheet([open_picture(collection.picture(id)) for id in ids]), "PNG")
