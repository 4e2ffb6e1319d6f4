"""Properties' drawing: a grid of objects and values, how additive it is, and the direction between two values."""

import numpy as np
import streamlit as st

from clipexplore.explore.properties import TOP, Compositionality, Grid, ValueStep
from clipexplore.language import _, numeral
from clipexplore.space import Hit

from .gallery import score
from .markdown import escape
from .plots import ACCENT, bars, chart, matrix
from .results import hit_tiles, metrics
from .uploads import picture_url


def show_grid(grid: Grid) -> None:
    """The pictures of the cells, a row for each object; nothing for texts and sums."""
    if grid.kind != "pictures" or any(len(cell.terms) > 1 for row in grid.cells for cell in row):
        return
    title = _("The {objects} × {values} pictures").format(objects=len(grid.objects), values=len(grid.values))
    with st.expander(title, icon=":material/grid_on:"):
        for row in grid.cells:
            for column, cell in zip(st.columns(len(row), gap="xsmall"), row, strict=True):
                column.image(picture_url(cell.terms[0].text), width="stretch", alt=str(cell))


def show_apart(found: Compositionality) -> None:
    """Parallelism beside what chance gives, R², and how often a left-out cell is found."""
    parallelism, apart = found.parallelism, found.additive
    metrics(
        (
            _("parallelism"),
            numeral(parallelism.cosine, ".3f"),
            _(
                "The mean cosine between the steps that two objects take from one value to another, over all objects "
                "and values: 1 for parallel, 0 for nothing in common."
            ),
        ),
        (
            _("with shuffled values"),
            f"{numeral(parallelism.shuffled, '.3f')} ± {numeral(parallelism.spread, '.3f')}",
            _("The same after shuffling the values of each object: what chance gives, over 20 orders."),
        ),
        (
            _("additive R²"),
            numeral(apart.r2, ".1%"),
            _("The share of the variance that object + value explain, without any interaction."),
        ),
        (
            _("left-out cells found first"),
            numeral((found.ranks == 1).mean(), ".0%"),
            _(
                "Each cell is predicted from all others, then looked for among them and everything of its kind in the "
                "collection."
            ),
        ),
    )
    shares = [apart.object_share, apart.value_share, apart.interaction_share]
    says = _(
        "Steps between values have a mean cosine of {cosine:.3f} (shuffled: {shuffled:.3f}). Of the variance, "
        "{object:.1%} belongs to the object, {value:.1%} to the property, and {interaction:.1%} to neither alone: "
        "object + value explain {r2:.1%}."
    )
    named = dict(zip(("object", "value", "interaction"), shares, strict=True))
    st.caption(says.format(cosine=parallelism.cosine, shuffled=parallelism.shuffled, r2=apart.r2, **named))
    left, right = st.columns([2, 3], gap="large")
    with left:
        names = [_("object"), _("property"), _("interaction")]
        alt = _("Bars: the shares of the variance of object, property and interaction")
        title = _("share of the variance")
        bars(names, shares, [numeral(share, ".1%") for share in shares], alt, "properties-shares", title, whole=True)
    with right:
        _ranks(found)


def _ranks(found: Compositionality) -> None:
    grid, ranks = found.grid, found.ranks
    kinds = {"pictures": _("pictures of the collection"), "captions": _("captions of the collection")}
    says = _("Rank of each left-out cell among {count:,} {kind}")
    st.caption(says.format(count=found.rivals, kind=kinds[grid.kind]))
    alt = _("Matrix: for each cell its rank when it is predicted from the others")
    look = dict(text=np.char.mod("%d", ranks), colorscale="Viridis_r", zmin=0, zmax=3)
    matrix(np.log10(ranks), grid.values, grid.objects, alt, "properties-ranks", look)


def show_direction(found: ValueStep, objects: list[str], before: str, after: str) -> None:
    """How parallel the steps are, object by object, and the collection's pictures at both ends of the direction."""
    left, right = st.columns([2, 3], gap="large")
    with left:
        alt = _("Matrix: the cosine between the steps of every two objects")
        look = dict(text=np.char.mod("%.2f", found.cosines), colorscale="RdBu_r", zmid=0, zmin=-1, zmax=1)
        matrix(found.cosines, objects, objects, alt, "properties-cosines", look)
        says = _(
            "The cosine between the steps from “{before}” to “{after}” of every two objects; on average {mean:.3f}. "
            "Their sum is a direction, as an expression:"
        )
        st.caption(escape(says.format(before=before, after=after, mean=found.agreement)))
        st.code(str(found.direction.expression), language=None, wrap_lines=True)
    with right:
        st.subheader(escape(_("Most “{value}”").format(value=after)), anchor=False)
        _pictures(found.ahead)
        st.subheader(escape(_("Most “{value}”, the other end").format(value=before)), anchor=False)
        _pictures(found.behind)


def _pictures(hits: list[Hit]) -> None:
    """With their scores, without the menu of a gallery: this page has no expression."""
    hit_tiles((hit, f"{escape('@' + hit.id)}  \n{score(hit)}") for hit in hits)


def show_dimensions(found: ValueStep, objects: list[str]) -> None:
    """Which dimensions change most, over all objects, and on how many of them two objects agree."""
    change = found.change
    top = np.argsort(-change.energy)[:TOP]
    names = [str(each) for each in top]
    left, right = st.columns(2, gap="large")
    with left:
        bars = dict(marker=dict(color=ACCENT), hovertemplate="%{x}: %{y:.4f}<extra></extra>")
        bar = dict(type="bar", x=names, y=change.energy[top], **bars)
        alt = _("Bars: the {top} dimensions that change most").format(top=TOP)
        chart(
            bar,
            alt,
            "properties-energy",
            height=340,
            dragmode=False,
            x=dict(title=_("dimension"), type="category"),
            y="Σ(Δ²)",
        )
    with right:
        st.caption(_("How many of their {top} most changed dimensions two objects share").format(top=TOP))
        alt = _("Matrix: how many of their most changed dimensions two objects share")
        look = dict(text=np.char.mod("%d", change.shared), colorscale="Viridis", zmin=0, zmax=TOP)
        matrix(change.shared, objects, objects, alt, "properties-shared", look)
    st.caption(_("|Δ| of these dimensions, object by object"))
    alt = _("Matrix: how much each of these dimensions changes for each object")
    scale = dict(colorscale="Purples", zmin=0, showscale=True, colorbar=dict(thickness=12))
    matrix(change.sizes[:, top], names, objects, alt, "properties-sizes", scale)
    says = _(
        "Two objects share {shared:.1f} of the {top} dimensions that change most; chance would be {chance:.2f} (k² / "
        "{dim}). These {top} hold {held:.0%} of all change: a property is a direction, not a dimension."
    )
    dim = change.sizes.shape[1]
    st.caption(says.format(shared=found.shared, top=TOP, chance=change.chance, dim=dim, held=found.held))
