"""Interpolate's drawing: what each frame is near to, how far it is from the stops, and the way on a plane."""

import csv
from dataclasses import dataclass
from functools import partial
from io import BytesIO, StringIO

import numpy as np
import streamlit as st

from clipexplore.projection import pca
from clipexplore.space import Hit, Point, Space
from clipexplore.vectors import Path, cosine_similarity

from . import spec as go
from .expressions import stack
from .markdown import escape
from .player import player
from .plots import MUTED, chart, plain
from .results import harmless
from .session import space
from .texts import text
from .uploads import picture, picture_url
from .walks import Track, some_frames


@dataclass(frozen=True, eq=False)
class Near:
    """What lies nearest to a frame: a picture and a caption, each with its cosine."""

    picture: Hit
    caption: Hit


def nearest(walk: Path) -> list[Near]:
    """What lies nearest to each frame."""
    return [Near(space().search(vector, "pictures", 1)[0], space().search(vector, "captions", 1)[0]) for vector in walk.points]


def frame_strip(near: list[Near]) -> None:
    """Every frame with its nearest picture and nearest caption; of a long walk every few."""
    with st.grid("auto", min_column_width=120, gap="small"):
        for number in some_frames(len(near)):
            each = near[number]
            with st.container(gap=None):
                st.image(picture_url(each.picture.id), width="stretch", alt=each.picture.caption)
                st.caption(f"**{number + 1}** · {each.picture.cosine:.3f}  \n{escape(each.caption.caption)}")


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


def path_view(walk: Path, points: list[Point], near: list[Near], tracks: list[Track] | None) -> None:
    """The walk as a film, tied to the plane of its own two largest components, with the collection's pictures behind it.

    What is shown is what was drawn, and until then the nearest pictures.
    """
    fit = pca(np.concatenate([walk.points, stack(points)]), 2)
    behind = fit.transform(space().collection.embeddings(space().model.key, "pictures"))
    frames = {track.name: track.pngs for track in tracks} if tracks else {text("interpolate.nearest"): [picture(each.picture.id) for each in near]}
    says = [text("interpolate.says", number=number, near=each.caption.caption, cosine=each.caption.cosine) for number, each in enumerate(near, 1)]
    player(frames, says, fit.transform(walk.points), fit.transform(stack(points)), [cut(str(point.expression)) for point in points], behind, key="player")
    st.caption(text("interpolate.plane", share=fit.explained_variance_ratio.sum()))


def cut(label: str) -> str:
    return label if len(label) <= 28 else label[:27] + "…"


def path_download(walk: Path, points: list[Point]) -> None:
    """All frames as a table and as one array; both are made off the script's thread, where no session is at hand."""
    with st.container(horizontal=True, gap="small"):
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
