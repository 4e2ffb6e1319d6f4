"""Components' drawing: principal components of a cloud of the space, taken apart."""

import numpy as np
import streamlit as st

from clipexplore.explore.components import GAP, Cloud, Fingerprint, Kept, Plane, Race, Spectrum, Traversal
from clipexplore.language import _, numeral
from clipexplore.space import Hit

from .markdown import escape, plain
from .plots import ACCENT, MUTED, OTHER, axis_titles, chart, marks, sampled, scene
from .results import hit_tiles, result_bars, table
from .session import space
from .titles import called
from .widgets import row, slider, toggle

SHOWN = 100  # components of a spectrum
COORDINATES = 60  # of a fingerprint


def say_cloud(cloud: Cloud) -> None:
    """That a cloud is sampled, and which component is the modality gap, where there is one."""
    if len(cloud.points) < cloud.whole:
        st.caption(sampled(len(cloud.points), cloud.whole))
    if cloud.gap is None:
        return
    number, cosine = int(cloud.gap.argmax()) + 1, cloud.gap.max()
    if cosine >= GAP:
        says = _(
            "Component {number} is the **modality gap**: its cosine with the offset between pictures and captions is "
            "{cosine:.3f}, and it takes {share:.1%} of all variance."
        )
    else:
        says = _(
            "No component is the modality gap; the nearest is component {number}, whose cosine with the offset between "
            "pictures and captions is {cosine:.2f}."
        )
    share = cloud.fit.explained_variance_ratio[number - 1]
    st.info(says.format(number=number, cosine=cosine, share=share), icon=":material/compare_arrows:")


def show_spectrum(found: Spectrum, of: str, rank: int) -> None:
    """Explained and cumulative variance, and what is lost measured on the points beside what the spectrum says."""
    left, right = st.columns(2, gap="large")
    with left:
        _spectrum(found.cloud, of, rank)
    with right:
        line, dots = dict(color=MUTED, width=2), dict(size=9, color=ACCENT)
        lost = [
            dict(type="scatter", x=found.ks, y=found.expected, mode="lines", line=line, name="Σ σᵢ², i > k"),
            dict(type="scatter", x=found.ks, y=found.measured, mode="markers", marker=dots, name="‖X − X_k‖²"),
        ]
        alt = _("What is lost with k components, measured on the points and as the spectrum predicts it")
        chart(lost, alt, "lost", height=380, legend="above", x=dict(title="k", type="log"), y=_("what is lost"))
        says = _(
            "Dots: the squared distance between all points and what k components make of them, measured. Line: the sum "
            "of the squared singular values that are left out. The two differ by at most {difference:.0e} of the whole."
        )
        st.caption(says.format(difference=found.difference))
    says = _(
        "The first **{rank}** of {dim} components keep **{kept:.1%}** of the variance; {half} keep half, {most} keep "
        "95%."
    )
    dim = len(found.cloud.fit.components)
    st.markdown(says.format(rank=rank, dim=dim, kept=found.kept, half=found.half, most=found.most))


def _spectrum(cloud: Cloud, of: str, rank: int) -> None:
    shares = cloud.fit.explained_variance_ratio
    number, shown = np.arange(1, len(shares) + 1), min(len(shares), SHOWN)
    look = dict(color=ACCENT)
    traces = [dict(type="bar", x=number[:shown], y=shares[:shown], marker=look, name=_("explained"))]
    if cloud.gap is not None and (flagged := cloud.gap >= GAP).any():
        look = dict(color=OTHER)
        traces.append(dict(type="bar", x=number[flagged], y=shares[flagged], marker=look, name=_("the gap")))
    line, running = dict(color=MUTED, width=2), shares.cumsum()[:shown]
    traces.append(dict(type="scatter", x=number[:shown], y=running, mode="lines", line=line, name=_("cumulative")))
    title = _("share of the variance")
    alt = _("Bars: the share of the variance along each component of the {of}, and their running sum").format(of=of)
    chart(
        traces,
        alt,
        "spectrum",
        height=380,
        legend="above",
        barmode="overlay",
        across=[dict(x=rank + 0.5, dash="dot", color=MUTED)],
        x=_("component"),
        y=dict(title=title, tickformat=".0%", range=[0, 1.02]),
    )


def axes_box() -> tuple[int, ...]:
    """The widgets of a plane: the components along its two axes, or three, counted from 1."""
    with row():
        x = slider("x", _("Component on x"), 1, 50, width=220)
        y = slider("y", _("Component on y"), 1, 50, width=220)
        if not toggle("solid", _("3-D")):
            return x, y
        return x, y, slider("z", _("Component on z"), 1, 50, width=220)


def show_plane(found: Plane, of: str) -> None:
    """A cloud along two components, or three; the visitor's points are diamonds."""
    solid, kinds, traces = len(found.axes) == 3, np.array(found.cloud.kinds), []
    for kind, color in zip(dict.fromkeys(found.cloud.kinds), (ACCENT, OTHER), strict=False):
        rows = np.flatnonzero(kinds == kind)
        traces.append(
            dict(
                type="scatter3d" if solid else "scattergl",
                **dict(zip("xyz", found.coordinates[rows].T, strict=False)),
                mode="markers",
                name=called("of", kind),
                text=[plain(found.cloud.captions[row]) for row in rows],
                hovertemplate="%{text}<extra></extra>",
                marker=dict(size=3 if solid else 6, color=color, opacity=0.7),
            )
        )
    names: list[dict] = []
    if found.points:
        trace, names = marks(found.spots, [str(point.expression) for point in found.points])
        traces.append(trace)
    titles = axis_titles(found.axes, found.shares)
    axes: dict = {"scene": scene(titles, names)} if solid else {"annotations": names}
    if not solid:
        axes |= {name: dict(title=title, zeroline=False) for name, title in zip("xy", titles, strict=True)}
    key, alt = "plane-3d" if solid else "plane", _("Map of {count:,} {of} along the chosen components")
    chart(
        traces, alt.format(count=len(found.coordinates), of=called("of", of)), key, height=620, legend="above", **axes
    )


def show_walk(found: Traversal, component: int) -> None:
    """One component from end to end: the points at both ends, the words nearest to them, and what lies between."""
    says = _("Component **{number}** takes {share:.1%} of the variance. z counts standard deviations from its middle.")
    st.markdown(says.format(number=component, share=found.share))
    titles = _("Low end of component {number}"), _("High end of component {number}")
    ends = (found.low, found.low_words, "low"), (found.high, found.high_words, "high")
    for side, title, (hits, words, end) in zip(st.columns(2, gap="large"), titles, ends, strict=True):
        with side:
            st.subheader(title.format(number=component), anchor=False)
            _extremes(hits)
            st.caption(_("The words nearest to this direction"))
            alt = _("Bars: the words nearest to this direction of component {number}").format(number=component)
            result_bars(words, key=f"walk-{end}-words", alt=alt)
    st.subheader(_("On the way: the nearest picture and caption at each step"), anchor=False)
    hit_tiles((step.picture, f"**{numeral(step.at, '+.0f')} σ** · {escape(step.caption)}") for step in found.way)


def _extremes(hits: list[Hit]) -> None:
    """Pictures where there are some, else texts, each with its coordinate in standard deviations."""
    if hits[0].kind == "words" or not space().collection.has_files:
        st.text("\n".join(f"{numeral(hit.z, '+.1f')} σ   {hit.name}" for hit in hits))
        return
    notes = [hit.caption if hit.kind == "captions" else f"@{hit.id}" for hit in hits]
    hit_tiles((hit, f"{numeral(hit.z, '+.1f')} σ · {escape(note)}") for hit, note in zip(hits, notes, strict=True))


def show_fingerprint(found: Fingerprint) -> None:
    """The coordinates of a point along each component, and what its first k make of it."""
    q, z = str(found.point.expression), found.coordinates[:COORDINATES]
    left, right = st.columns(2, gap="large")
    with left:
        colors = [ACCENT if each >= 0 else OTHER for each in z]
        alt = _("Bars: the coordinates of {q} along the first components").format(q=q)
        chart(
            dict(type="bar", x=np.arange(1, len(z) + 1), y=z, marker=dict(color=colors)),
            alt,
            "fingerprint",
            height=340,
            x=_("component"),
            y="zᵢ = vᵢ · (x − x̄)",
        )
    with right:
        ks, line = np.arange(1, len(found.cosines) + 1), dict(color=ACCENT, width=3)
        alt = _("Line: the cosine of {q} with what its first k components make of it").format(q=q)
        chart(
            dict(type="scatter", x=ks, y=found.cosines, mode="lines", line=line),
            alt,
            "faithful",
            height=340,
            x=dict(title="k", type="log"),
            y=_("cosine with the original"),
        )
    st.subheader(_("{q} from its first k components").format(q=escape(q)), anchor=False)
    hit_tiles((step.picture, f"k = {step.at} · {numeral(step.cosine, '.3f')}") for step in found.rebuilt)
    st.caption(
        _("The picture nearest to what k components make of the point, and the cosine of that with the point itself.")
    )


def show_kept(found: Kept, rank: int) -> None:
    """Norms, inner products and distances of random pairs: as they were, and as `rank` coordinates have them."""
    table(
        {
            _("pairs of points"): [*found.quantities],
            _("coordinates and approximation: largest difference"): [numeral(each, ".1e") for each in found.exact],
            _("coordinates and original: correlation"): [numeral(each, ".3f") for each in found.correlation],
            _("what remains of the original"): [numeral(each, ".1%") for each in found.remains],
        }
    )
    distances = found.quantities["distances"]
    most, dots = float(distances.original.max()), dict(size=4, color=ACCENT, opacity=0.5)
    line, quiet = dict(color=MUTED, dash="dot"), dict(hoverinfo="skip")
    drawn = [
        dict(type="scattergl", x=distances.original, y=distances.coordinates, mode="markers", marker=dots, **quiet),
        dict(type="scatter", x=[0, most], y=[0, most], mode="lines", line=line, **quiet),
    ]
    title = _("distance by {rank} coordinates").format(rank=rank)
    alt = _(
        "Dots: the distance of pairs in the space and by {rank} coordinates, with the diagonal above which none can lie"
    )
    chart(drawn, alt.format(rank=rank), "preserved", height=460, x=_("distance in the space"), y=title)
    says = _(
        "The {rank} coordinates have exactly the norms, inner products and distances of the best approximation of that "
        "rank. Compared with the original they can only be shorter: no dot lies above the diagonal."
    )
    st.caption(says.format(rank=rank))


def show_race(found: Race, cloud: Cloud, rank: int) -> None:
    """How long each solver takes for the first `rank` components, and whether they agree."""
    names = {
        "full": _("full: singular values of all points"),
        "covariance_eigh": _("covariance: eigenvectors of a dim × dim matrix"),
        "arpack": _("truncated: Lanczos steps (ARPACK)"),
        "randomized": _("randomised (Halko et al.)"),
    }
    fastest = min(found.seconds.values())
    table(
        {
            _("solver"): [names[name] for name in found.seconds],
            _("seconds"): [numeral(each, ".3f") for each in found.seconds.values()],
            _("times the fastest"): [f"{numeral(each / fastest, '.1f')} ×" for each in found.seconds.values()],
            _("cosine of the largest angle to ours"): [numeral(each, ".6f") for each in found.cosines.values()],
        }
    )
    says = _(
        "The first {rank} components of {count:,} points of {dim} numbers, always centred, on this server just now. "
        "All find the same subspace, the randomised one as closely as the last column says; they differ in time."
    )
    st.caption(says.format(rank=rank, count=len(cloud.points), dim=cloud.points.shape[1]))
