"""Pixels' drawing: principal components of the pictures themselves, and the same picture in CLIP's space beside them."""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from clipexplore.components import reconstructions
from clipexplore.errors import InputError
from clipexplore.pixels import as_direction, as_picture, digits, error, pixel_pca, pixels
from clipexplore.projection import PCA
from clipexplore.retrieval.nearest import search
from clipexplore.vectors import normalize
from clipexplore.worker import Job

from . import spec as go
from .clouds import Cloud, cloud_of
from .expressions import show_error
from .fits import fitted
from .plots import ACCENT, MUTED, OTHER, chart
from .session import space
from .texts import text
from .uploads import picture, picture_url, uploads

MOST = 3000  # pictures; a larger collection is sampled evenly
COMPONENTS = 100
SHOWN = 15  # components drawn as pictures, after the mean
LARGE = 192  # pixels of a picture beside its reconstruction


@dataclass(frozen=True, eq=False)
class Pixels:
    """Pictures as rows of numbers `(n, dim)` in [0, 1], what each is called, and their principal components."""

    rows: np.ndarray
    ids: list[str]
    fit: PCA
    digits: bool

    def centred(self, rows: np.ndarray, k: int) -> np.ndarray:
        """The first k coordinates of rows of pixels, of length 1, so that their products are cosines."""
        return normalize(self.fit.transform(rows)[:, :k] + 1e-9)


def pixel_space(source: str) -> Pixels | None:
    """The pixels of the collection or of the digits; None, with its progress on screen, while they are read."""
    collection = space().collection
    ids = collection.ids[:: -(-len(collection) // MOST)]

    def read(job: Job) -> Pixels:
        if source == "digits":
            rows, names = digits()
        else:
            rows, names = pixels([collection.picture(id) for id in ids], report=lambda part: job.report(0.7 * part, text("pixels.reading"))), ids
        job.report(0.7, text("pixels.fitting"))
        return Pixels(rows, names, pixel_pca(rows, COMPONENTS), source == "digits")

    return fitted(read, ("pixels", source, collection.version if source == "collection" else ""), "pixels")


def chosen_row(source: str, found: Pixels | None, name: str) -> np.ndarray | None:
    """The pixels of the picture `@id`, or of the digit of that number once they are read; None, with the reason on screen, where there is none."""
    if source == "digits":
        return found.rows[int(name)] if found else None
    try:
        if not name.startswith("@"):
            raise InputError(f"{name[:40]!r} is no picture; write the @id of one.")
        return pixels([picture(name[1:])])[0]
    except InputError as problem:
        show_error(problem)
        return None


def draw_components(found: Pixels) -> None:
    """The mean picture and the first components as pictures."""
    st.subheader(text("pixels.components"), anchor=False)
    factor = LARGE // (8 if found.digits else 32) // 2
    with st.grid("auto", min_column_width=84, gap="small"):
        _tile(as_picture(found.fit.mean, factor), text("pixels.mean"))
        for number, component in enumerate(found.fit.components[:SHOWN], 1):
            _tile(as_direction(component, factor), f"{number} · {found.fit.explained_variance_ratio[number - 1]:.1%}")
    st.caption(text("pixels.components_says"))


def _tile(image: np.ndarray, note: str) -> None:
    with st.container(gap=None):
        st.image(image, width="stretch", alt=note)
        st.caption(note)


def rebuild(found: Pixels, row: np.ndarray, rank: int) -> None:
    """The picture, what the first `rank` components make of it and what they leave, with the error; and the nearest by pixels."""
    factor = LARGE // (8 if found.digits else 32)
    rebuilt = found.fit.inverse_transform(found.fit.transform(row[None])[:, :rank])[0]
    left = ((row - rebuilt) ** 2).sum() / max(((row - found.fit.mean) ** 2).sum(), 1e-12)
    st.subheader(text("pixels.pixels"), anchor=False)
    with st.grid(3, min_column_width=90, gap="small"):
        _tile(as_picture(row, factor), text("pixels.original"))
        _tile(as_picture(rebuilt, factor), text("pixels.rebuilt", rank=rank))
        _tile(as_direction(row - rebuilt, factor), text("pixels.left"))
    st.markdown(text("pixels.error", rank=rank, error=error(row, rebuilt), kept=1 - left))
    near = search(found.centred(row[None], rank), found.centred(found.rows, rank), 8)
    st.caption(text("pixels.near", rank=rank))
    with st.grid("auto", min_column_width=72, gap="small"):
        for at, cosine in zip(near.indices[0], near.cosines[0], strict=True):
            _tile(as_picture(found.rows[at], factor // 2), f"{cosine:.2f}")


def rebuild_in_clip(id: str, rank: int) -> Cloud:
    """The same picture in CLIP's space: what its first `rank` components keep, and the nearest to that."""
    cloud, here = cloud_of("pictures", True, False), space()
    point = here.point(id, uploads()).vector
    vector = reconstructions(point, cloud.fit, [rank])[0]
    centred = point - cloud.fit.mean
    left = ((point - vector) ** 2).sum() / max((centred**2).sum(), 1e-12)
    st.subheader(text("pixels.clip"), anchor=False)
    st.image(picture_url(id[1:]), width=LARGE // 2, alt=id)
    st.markdown(text("pixels.clip_kept", rank=rank, cosine=float(vector @ point / np.linalg.norm(vector)), kept=1 - left))
    st.caption(text("pixels.clip_near", rank=rank))
    with st.grid("auto", min_column_width=72, gap="small"):
        for hit in here.search(vector, "pictures", 8):
            with st.container(gap=None):
                st.image(picture_url(hit.id), width="stretch", alt=hit.caption)
                st.caption(f"{hit.cosine:.2f}")
    return cloud


def compare(found: Pixels, row: np.ndarray, cloud: Cloud | None, id: str) -> None:
    """The fingerprints in both spaces, and how fast the variance is gathered."""
    left, right = st.columns(2, gap="large")
    fits = [(found.fit, row, text("pixels.pixels"))]
    if cloud is not None:
        fits.append((cloud.fit, space().point(id, uploads()).vector, text("pixels.clip")))
    with left:
        figure = go.Figure()
        for (fit, point, name), color in zip(fits, (OTHER, ACCENT), strict=False):
            z = fit.transform(point[None])[0, :40]
            figure.add_trace(go.Bar(x=np.arange(1, len(z) + 1), y=z / np.abs(z).max(), name=name, marker_color=color))
        figure.update_xaxes(title=text("components.number"))
        figure.update_yaxes(title=text("pixels.fingerprint"))
        chart(figure, text("pixels.fingerprint_alt", q=id), key="pixel-fingerprint", height=340, showlegend=True, legend=dict(orientation="h", y=1, yanchor="bottom"))
    with right:
        figure = go.Figure()
        for (fit, _, name), color in zip(fits, (OTHER, ACCENT), strict=False):
            shares = fit.explained_variance_ratio[:COMPONENTS].cumsum()
            figure.add_trace(go.Scatter(x=np.arange(1, len(shares) + 1), y=shares, mode="lines", name=name, line=dict(color=color, width=3)))
        figure.update_xaxes(title="k")
        figure.update_yaxes(title=text("components.cumulative"), tickformat=".0%", range=[0, 1.02])
        figure.add_hline(y=0.9, line_dash="dot", line_color=MUTED)
        chart(figure, text("pixels.spectra_alt"), key="pixel-spectra", height=340, showlegend=True, legend=dict(orientation="h", y=1, yanchor="bottom"))
