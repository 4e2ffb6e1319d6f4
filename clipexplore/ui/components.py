"""Components' drawing: principal components of any cloud of the space, taken apart."""

import numpy as np
import pandas as pd
import streamlit as st

from clipexplore.components import (
    SOLVERS,
    faithfulness,
    lost,
    preserved,
    reconstructions,
    same_subspace,
    solve,
)
from clipexplore.space import Hit, Point
from clipexplore.worker import Job

from . import spec as go
from .clouds import GAP, Cloud
from .fits import fitted
from .markdown import escape
from .plots import ACCENT, MUTED, OTHER, chart, mark, mark_solid, plain, solid_axes
from .results import result_bars
from .session import space
from .texts import text
from .uploads import picture_url

RANKS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
STEPS = np.linspace(-3, 3, 7)  # of a walk along a component, in standard deviations


def spectrum(cloud: Cloud, rank: int) -> None:
    """Explained and cumulative variance, and what is lost measured on the points beside what the spectrum says."""
    shares = cloud.fit.explained_variance_ratio
    left, right = st.columns(2, gap="large")
    with left:
        number, shown = np.arange(1, len(shares) + 1), min(len(shares), 100)
        flagged = cloud.gap >= GAP if cloud.gap is not None else np.zeros(len(shares), bool)
        figure = go.Figure(go.Bar(x=number[:shown], y=shares[:shown], marker_color=ACCENT, name=text("components.explained")))
        if flagged.any():
            figure.add_trace(go.Bar(x=number[flagged], y=shares[flagged], marker_color=OTHER, name=text("components.the_gap")))
            figure.update_layout(barmode="overlay")
        figure.add_trace(go.Scatter(x=number[:shown], y=shares.cumsum()[:shown], mode="lines", line=dict(color=MUTED, width=2), name=text("components.cumulative")))
        figure.add_vline(x=rank + 0.5, line_dash="dot", line_color=MUTED)
        figure.update_xaxes(title=text("components.number"))
        figure.update_yaxes(title=text("components.share"), tickformat=".0%", range=[0, 1.02])
        chart(figure, text("components.spectrum_alt", of=cloud.of), key="spectrum", height=380, showlegend=True, legend=dict(orientation="h", y=1, yanchor="bottom"))
    with right:
        _lost(cloud)
    st.markdown(text("components.kept", rank=rank, kept=shares[:rank].sum(), half=int(np.searchsorted(shares.cumsum(), 0.5)) + 1,
                     most=int(np.searchsorted(shares.cumsum(), 0.95)) + 1, dim=len(shares)))  # fmt: skip


def _lost(cloud: Cloud) -> None:
    ks = [*(k for k in RANKS if k < len(cloud.fit.components)), len(cloud.fit.components)]
    measured = _lost_of(cloud, cloud.of, tuple(ks), _key(cloud))
    expected = np.array([(cloud.fit.singular_values[k:] ** 2).sum() for k in ks])
    figure = go.Figure(go.Scatter(x=ks, y=expected, mode="lines", line=dict(color=MUTED, width=2), name="Σ σᵢ², i > k"))
    figure.add_trace(go.Scatter(x=ks, y=measured, mode="markers", marker=dict(size=9, color=ACCENT), name="‖X − X_k‖²"))
    figure.update_xaxes(title="k", type="log")
    figure.update_yaxes(title=text("components.lost"))
    chart(figure, text("components.lost_alt"), key="lost", height=380, showlegend=True, legend=dict(orientation="h", y=1, yanchor="bottom"))
    st.caption(text("components.agree", difference=np.abs(measured - expected).max() / (cloud.fit.singular_values**2).sum()))


def _key(cloud: Cloud) -> str:
    return f"{space().revision} {space().collection.version} {cloud.of} {bool(cloud.fit.mean.any())} {bool((cloud.fit.scale != 1).any())}"


@st.cache_data(max_entries=12, show_spinner=False)
def _lost_of(_cloud: Cloud, of: str, ks: tuple[int, ...], key: str) -> np.ndarray:
    return lost(_cloud.points, _cloud.fit, ks)


def plane(cloud: Cloud, axes: list[int], points: list[Point], solid: bool) -> None:
    """The cloud along two components, or three when `solid`; numbers count from 1. The visitor's points are diamonds."""
    along = [axis - 1 for axis in axes]
    z, own = cloud.fit.transform(cloud.points)[:, along], [cloud.fit.transform(point.vector[None])[0, along] for point in points]
    names = [text("map.component", number=axis, share=cloud.fit.explained_variance_ratio[axis - 1]) for axis in axes]
    kinds, figure = np.array(cloud.kinds), go.Figure()
    for kind, color in zip(dict.fromkeys(cloud.kinds), (ACCENT, OTHER), strict=False):
        rows = np.flatnonzero(kinds == kind)
        said = dict(mode="markers", name=kind, text=[plain(cloud.captions[row]) for row in rows], hovertemplate="%{text}<extra></extra>")
        place = dict(zip("xyz", z[rows].T, strict=False))
        marker = dict(size=3 if solid else 6, color=color, opacity=0.7)
        figure.add_trace(go.Scatter3d(**place, **said, marker=marker) if solid else go.Scattergl(**place, **said, marker=marker))
    if points:
        (mark_solid if solid else mark)(figure, np.stack(own), [str(point.expression) for point in points], text("map.yours"))
    if solid:
        solid_axes(figure, names)
    else:
        figure.update_xaxes(title=names[0], zeroline=False)
        figure.update_yaxes(title=names[1], zeroline=False)
    chart(figure, text("components.plane_alt", count=len(z), of=cloud.of), key="plane-3d" if solid else "plane", height=620, showlegend=True,
          legend=dict(orientation="h", y=1, yanchor="bottom", itemsizing="constant"))  # fmt: skip


def walk(cloud: Cloud, component: int) -> None:
    """One component from end to end: the points at both extremes, the words nearest to both directions, and what lies on the way."""
    here, along = space(), cloud.fit.components[component - 1]
    coordinates = cloud.fit.prepare(cloud.points) @ along
    order = np.argsort(coordinates, kind="stable")
    share = cloud.fit.explained_variance_ratio[component - 1]
    st.markdown(text("components.walk", number=component, share=share))
    for side, title, rows, direction in zip(st.columns(2, gap="large"), ("low", "high"), (order[:8], order[::-1][:8]), (-along, along), strict=True):
        with side:
            st.subheader(text(f"components.{title}", number=component), anchor=False)
            _show([cloud.hit(row, rank, component - 1) for rank, row in enumerate(rows, 1)])
            st.caption(text("components.words"))
            result_bars(here.search(direction / np.linalg.norm(direction), "words", 6), key=f"walk-{title}-words",
                        alt=text("components.words_alt", number=component))  # fmt: skip
    _way(cloud, along, float(coordinates.std()))


def _show(hits: list[Hit]) -> None:
    """Pictures where there are some, else texts, each with its coordinate in standard deviations."""
    if hits[0].kind != "words" and space().collection.has_pictures:
        _strip([(hit.id, hit.caption, f"{hit.z:+.1f} σ · {escape(hit.caption if hit.kind == 'captions' else '@' + hit.id)}") for hit in hits])
    else:
        st.text("\n".join(f"{hit.z:+.1f} σ   {hit.caption}" for hit in hits))


def _strip(pictures: list[tuple[str, str, str]]) -> None:
    """Pictures in a row: the id, what it shows, and a note below in Markdown."""
    with st.grid("auto", min_column_width=105, gap="small"):
        for id, shows, note in pictures:
            with st.container(gap=None):
                st.image(picture_url(id), width="stretch", alt=shows)
                st.caption(note)


def _nearest(vector: np.ndarray, note: str) -> tuple[str, str, str]:
    """The nearest picture to a point of any length, for a strip."""
    (near,) = space().search(vector, "pictures", 1)
    return near.id, near.caption, note


def _way(cloud: Cloud, along: np.ndarray, deviation: float) -> None:
    st.subheader(text("components.way"), anchor=False)
    middle, shown = cloud.points.mean(axis=0), []
    for step in STEPS:
        point = middle + step * deviation * along * cloud.fit.scale
        (said,) = space().search(point, "captions", 1)
        shown.append(_nearest(point, f"**{step:+.0f} σ** · {escape(said.caption)}"))
    _strip(shown)


def fingerprint(cloud: Cloud, point: Point) -> None:
    """The coordinates of a point along each component, and what its first k make of it."""
    z, shown = cloud.fit.transform(point.vector[None])[0], 60
    left, right = st.columns(2, gap="large")
    with left:
        figure = go.Figure(go.Bar(x=np.arange(1, len(z) + 1)[:shown], y=z[:shown], marker_color=[ACCENT if each >= 0 else OTHER for each in z[:shown]]))
        figure.update_xaxes(title=text("components.number"))
        figure.update_yaxes(title="zᵢ = vᵢ · (x − x̄)")
        chart(figure, text("components.fingerprint_alt", q=point.expression), key="fingerprint", height=340)
    with right:
        cosines = faithfulness(point.vector, cloud.fit)
        figure = go.Figure(go.Scatter(x=np.arange(1, len(cosines) + 1), y=cosines, mode="lines", line=dict(color=ACCENT, width=3)))
        figure.update_xaxes(title="k", type="log")
        figure.update_yaxes(title=text("components.faithful"))
        chart(figure, text("components.faithful_alt", q=point.expression), key="faithful", height=340)
    ks = [k for k in RANKS if k <= len(cosines)]
    st.subheader(text("components.rebuilt", q=escape(str(point.expression))), anchor=False)
    built = zip(ks, reconstructions(point.vector, cloud.fit, ks), strict=True)
    _strip([_nearest(vector, text("components.rebuilt_from", k=k, cosine=cosines[k - 1])) for k, vector in built])
    st.caption(text("components.rebuilt_says"))


def kept_by_projection(cloud: Cloud, rank: int) -> None:
    """Norms, inner products and distances of random pairs: as they were, and as `rank` coordinates have them."""
    found = preserved(cloud.points, cloud.fit, rank)
    st.table(pd.DataFrame({
        text("components.quantity"): list(found),
        text("components.exact"): [f"{np.abs(each.coordinates - each.approximation).max():.1e}" for each in found.values()],
        text("components.correlation"): [f"{np.corrcoef(each.original, each.coordinates)[0, 1]:.3f}" for each in found.values()],
        text("components.remains"): [f"{np.abs(each.coordinates).sum() / np.abs(each.original).sum():.1%}" for each in found.values()],
    }).set_index(text("components.quantity")), border="horizontal")  # fmt: skip
    distances = found["distances"]
    figure = go.Figure(go.Scattergl(x=distances.original, y=distances.coordinates, mode="markers", marker=dict(size=4, color=ACCENT, opacity=0.5), hoverinfo="skip"))
    most = float(distances.original.max())
    figure.add_trace(go.Scatter(x=[0, most], y=[0, most], mode="lines", line=dict(color=MUTED, dash="dot"), hoverinfo="skip"))
    figure.update_xaxes(title=text("components.before"))
    figure.update_yaxes(title=text("components.after", rank=rank))
    chart(figure, text("components.preserved_alt", rank=rank), key="preserved", height=460)
    st.caption(text("components.preserved_says", rank=rank))


def solvers(cloud: Cloud, rank: int) -> None:
    """The four solvers side by side: how long each takes for the first `rank` components, and whether they agree."""
    def race(job: Job, points=cloud.points, reference=cloud.fit.components[:rank]) -> list[dict]:
        rows = []
        for number, solver in enumerate(SOLVERS):
            job.report(number / len(SOLVERS), text("components.solving", solver=solver))
            found = solve(points, rank, solver)
            rows.append({"solver": solver, "seconds": found.seconds, "cosine": same_subspace(found.components, reference)})
        return rows

    rows = fitted(race, ("solvers", _key(cloud), rank), "solvers")
    if rows:
        fastest = min(row["seconds"] for row in rows)
        st.table(pd.DataFrame({
            text("components.solver"): [text(f"components.{row['solver']}") for row in rows],
            text("components.seconds"): [f"{row['seconds']:.3f}" for row in rows],
            text("components.times"): [f"{row['seconds'] / fastest:.1f} ×" for row in rows],
            text("components.angle"): [f"{row['cosine']:.6f}" for row in rows],
        }).set_index(text("components.solver")), border="horizontal")  # fmt: skip
        st.caption(text("components.solvers_says", rank=rank, count=len(cloud.points), dim=cloud.points.shape[1]))
