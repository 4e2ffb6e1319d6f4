"""Interpolate's drawing: what each frame is near to, how far it is from the stops, and the way on a plane."""

import csv
from functools import partial
from io import BytesIO, StringIO

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from clipexplore.projection import pca
from clipexplore.space import Point, Space
from clipexplore.vectors import Path, cosine_similarity

from .expressions import stack
from .markdown import escape
from .plots import ACCENT, MUTED, chart, mark, plain
from .results import harmless
from .session import space
from .texts import text
from .uploads import picture


def frame_strip(walk: Path) -> None:
    """Every frame with its nearest picture and nearest caption."""
    with st.grid("auto", min_column_width=120, gap="small"):
        for number, vector in enumerate(walk.points, 1):
            (near,), (said,) = space().search(vector, "pictures", 1), space().search(vector, "captions", 1)
            with st.container(gap=None):
                st.image(picture(near.id), width="stretch", alt=near.caption)
                st.caption(f"**{number}** · {near.cosine:.3f}  \n{escape(said.caption)}")


def path_curves(walk: Path, points: list[Point]) -> None:
    """The cosine of each frame with every stop, and the length of each frame."""
    cosines, lengths = cosine_similarity(walk.points, stack(points)), np.linalg.norm(walk.points, axis=1)
    figure, frames = go.Figure(), np.arange(1, len(walk.points) + 1)
    for number, point in enumerate(points):
        figure.add_trace(go.Scatter(x=frames, y=cosines[:, number], mode="lines+markers", name=plain(str(point.expression), 28)))
    figure.add_trace(go.Scatter(x=frames, y=lengths, mode="lines", name=text("interpolate.length"), line=dict(dash="dot", color=MUTED)))
    figure.update_xaxes(title=text("interpolate.frame"), dtick=max(1, len(frames) // 10))
    figure.update_yaxes(title=text("result.cosine"))
    chart(figure, text("interpolate.curves_alt"), key="curves", height=380, showlegend=True, legend=dict(orientation="h", y=-0.25))


def path_map(walk: Path, points: list[Point]) -> None:
    """The way on the plane of its own two largest components, with the collection's pictures behind it."""
    fit = pca(np.concatenate([walk.points, stack(points)]), 2)
    pictures = fit.transform(space().collection.embeddings(space().model.key, "pictures"))
    way, stops = fit.transform(walk.points), fit.transform(stack(points))
    figure = go.Figure(go.Scattergl(x=pictures[:, 0], y=pictures[:, 1], mode="markers", marker=dict(size=4, color=MUTED, opacity=0.35), hoverinfo="text",
                                    text=[plain(caption) for caption in space().collection.captions]))  # fmt: skip
    figure.add_trace(go.Scatter(x=way[:, 0], y=way[:, 1], mode="lines+markers", marker=dict(size=8), line=dict(color=ACCENT, width=3), hoverinfo="skip"))
    mark(figure, stops, [str(point.expression) for point in points])
    figure.update_xaxes(title=text("interpolate.plane", number=1), zeroline=False)
    figure.update_yaxes(title=text("interpolate.plane", number=2), zeroline=False)
    chart(figure, text("interpolate.map_alt"), key="path-map", height=380)


def path_download(walk: Path, points: list[Point]) -> None:
    """All frames as a table and as one array; both are made off the script's thread, where no session is at hand."""
    st.download_button(text("result.csv"), partial(_csv, space(), walk, points), "path.csv", "text/csv", key="path-csv", on_click="ignore",
                       icon=":material/download:")  # fmt: skip
    st.download_button(text("interpolate.npy"), lambda: _npy(walk.points), "path.npy", "application/octet-stream", key="path-npy", on_click="ignore",
                       icon=":material/download:")  # fmt: skip


def _csv(here: Space, walk: Path, points: list[Point]) -> bytes:
    out = StringIO()
    rows = csv.writer(out)
    rows.writerow(["frame", "position", "length", "picture", "caption", *(f"cosine with {point.expression}" for point in points)])
    cosines = cosine_similarity(walk.points, stack(points))
    for number, (vector, position) in enumerate(zip(walk.points, walk.positions, strict=True)):
        (near,), (said,) = here.search(vector, "pictures", 1), here.search(vector, "captions", 1)
        rows.writerow([number + 1, f"{position:.4f}", f"{np.linalg.norm(vector):.6f}", near.id, harmless(said.caption), *(f"{c:.6f}" for c in cosines[number])])
    return out.getvalue().encode("utf-8-sig")


def _npy(points: np.ndarray) -> bytes:
    out = BytesIO()
    np.save(out, points)
    return out.getvalue()
