"""Match's drawing of the modality gap: both clouds, moved along it, and what that does to loss and search."""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from clipexplore.contrast import close_gap, match_pairs, modality_gap, pictures_on_top, recall_at
from clipexplore.projection import PCA, pca

from . import spec as go
from .pairs import Batch, drawn_pairs
from .plots import ACCENT, MUTED, OTHER, chart, plain
from .session import space
from .texts import text

GAP_PAIRS = 500  # of the collection: enough that the length of the gap is stable, few enough to follow a slider
STEPS = np.linspace(-1, 1, 21)  # how far the gap is closed, along the curves: those of the slider


@dataclass(frozen=True, eq=False)
class GapCurves:
    """Loss, both R@1 and the share of pictures on top, for each step from widened to closed."""

    loss: np.ndarray
    by_picture: np.ndarray
    by_caption: np.ndarray
    on_top: np.ndarray


@st.cache_data(max_entries=32, show_spinner=False)
def _gap_curves(_batch: Batch, pairs: tuple, logit_scale: float) -> GapCurves:
    return GapCurves(*np.array([_gap_figures(*close_gap(_batch.images, _batch.texts, share), logit_scale) for share in STEPS]).T)


@st.cache_resource(max_entries=32, show_spinner=False)
def _plane(_batch: Batch, pairs: tuple) -> PCA:
    return pca(np.concatenate([_batch.images, _batch.texts]), 2)


def _gap_figures(images: np.ndarray, texts: np.ndarray, logit_scale: float) -> tuple[float, float, float, float]:
    found = match_pairs(images, texts, logit_scale)
    return found.loss, recall_at(found.cosines, 1), recall_at(found.cosines.T, 1), pictures_on_top(images, texts)


def gap_lab(seed: int, percent: int, logit_scale: float) -> None:
    """The gap of the collection's pairs, closed by so many percent: its figures, both clouds, and the curves behind the slider."""
    batch = drawn_pairs(GAP_PAIRS, seed)
    pairs = (space().revision, space().collection.name, space().collection.version, seed)
    images, texts = close_gap(batch.images, batch.texts, percent / 100)
    found = _gap_curves(batch, pairs, logit_scale)
    _gap_metrics(images, texts, found, int(np.abs(STEPS - percent / 100).argmin()))
    clouds, curves = st.columns(2, gap="large")
    with clouds:
        _clouds(batch, _plane(batch, pairs), images, texts)
    with curves:
        _curves(found, percent / 100, len(images))


def _gap_metrics(images: np.ndarray, texts: np.ndarray, found: GapCurves, step: int) -> None:
    matched, all_cosines = (images * texts).sum(1), images @ texts.T
    wrong = (all_cosines.sum() - matched.sum()) / (len(images) * (len(images) - 1))
    with st.container(horizontal=True, gap="medium"):
        st.metric(text("match.gap"), f"{np.linalg.norm(modality_gap(images, texts)):.3f}", width="content", help=text("match.gap_help"))
        st.metric(text("match.loss"), f"{found.loss[step]:.3f}", width="content")
        st.metric(f"{text('match.by_picture')} R@1", f"{found.by_picture[step]:.1%}", width="content")
        st.metric(f"{text('match.by_caption')} R@1", f"{found.by_caption[step]:.1%}", width="content")
        st.metric(text("match.on_top"), f"{found.on_top[step]:.1%}", width="content", help=text("match.on_top_help"))
    within = [float((x @ x.T).sum() - len(x)) / (len(x) * (len(x) - 1)) for x in (images, texts)]
    st.caption(text("match.gap_says", count=len(images), matched=float(matched.mean()), wrong=float(wrong), images=within[0], texts=within[1]))


def _clouds(batch: Batch, fit: PCA, images: np.ndarray, texts: np.ndarray) -> None:
    """Both clouds on the first two components of the unmoved ones, so that moving is seen as moving."""
    spots, figure = (fit.transform(images), fit.transform(texts)), go.Figure()
    lines = np.full((len(images), 3, 2), np.nan)
    lines[:, 0], lines[:, 1] = spots
    lines = lines[:60].reshape(-1, 2)
    figure.add_trace(go.Scatter(x=lines[:, 0], y=lines[:, 1], mode="lines", line=dict(color=MUTED, width=0.6), hoverinfo="skip", showlegend=False))
    for spot, name, colour, says in ((spots[0], text("match.pictures"), ACCENT, batch.pictures), (spots[1], text("match.captions"), OTHER, batch.captions)):
        figure.add_trace(go.Scatter(x=spot[:, 0], y=spot[:, 1], mode="markers", name=name, marker=dict(color=colour, size=6, opacity=0.75), hoverinfo="text",
                                    text=[plain(each) for each in says]))  # fmt: skip
    reach = np.abs(np.concatenate([fit.transform(batch.images), fit.transform(batch.texts)])).max(axis=0) * 1.25
    for axis, number in ((figure.update_xaxes, 0), (figure.update_yaxes, 1)):
        title = text("map.component", number=number + 1, share=fit.explained_variance_ratio[number])
        axis(range=[-float(reach[number]), float(reach[number])], title=title, zeroline=False)
    chart(figure, text("match.clouds_alt"), key="match-clouds", height=430, showlegend=True, legend=dict(orientation="h", y=-0.2))


def _curves(curves: GapCurves, share: float, count: int) -> None:
    """Loss against the left axis, shares against the right, and where the slider stands."""
    figure = go.Figure()
    x = STEPS * 100
    figure.add_trace(go.Scatter(x=x, y=curves.loss, mode="lines", name=text("match.loss"), line=dict(color="#d64550", width=3)))
    shares = ((curves.by_picture, f"{text('match.by_picture')} R@1", ACCENT), (curves.by_caption, f"{text('match.by_caption')} R@1", OTHER),
              (curves.on_top, text("match.on_top"), MUTED))  # fmt: skip
    for values, name, colour in shares:
        figure.add_trace(go.Scatter(x=x, y=values, mode="lines", name=name, yaxis="y2", line=dict(color=colour)))
    figure.add_vline(x=share * 100, line_dash="dot", line_color=MUTED)
    figure.update_xaxes(title=text("match.closed_axis"))
    figure.update_layout(yaxis=dict(title=text("match.loss_axis", chance=np.log(count)), rangemode="tozero"),
                         yaxis2=dict(overlaying="y", side="right", range=[0, 1], tickvals=[0, 0.25, 0.5, 0.75, 1], tickformat=".0%", showgrid=False))  # fmt: skip
    chart(figure, text("match.curves_alt"), key="match-curves", height=430, showlegend=True, legend=dict(orientation="h", y=-0.2))
