"""Properties' drawing: a grid of objects and values, how far it can be taken apart, and the direction from one value to another."""

from dataclasses import dataclass, replace

import numpy as np
import streamlit as st

from clipexplore.errors import InputError
from clipexplore.expression import MAX_TERMS, Expression, format, parse
from clipexplore.properties import (
    Additive,
    Change,
    Parallelism,
    additive,
    changed_dimensions,
    difference_cosines,
    held_out_ranks,
    parallelism,
)
from clipexplore.space import Hit, Point, What

from . import spec as go
from .markdown import escape
from .names import is_named, resolved
from .plots import ACCENT, MUTED, OTHER, chart, plain
from .results import score
from .session import space
from .texts import text
from .uploads import picture_url

TOP = 20  # dimensions, as in the source
RIVALS = 20_000  # that a left-out cell is ranked among, at most
EXTREMES = 6  # pictures at each end of a direction


@dataclass(frozen=True, eq=False)
class Grid:
    """Every object with every value: the expressions of the cells, and their vectors `(o, v, dim)`."""

    objects: list[str]
    values: list[str]
    cells: list[list[Expression]]
    vectors: np.ndarray

    @property
    def kind(self) -> What:
        """What the cells are, and so what they are ranked among."""
        terms = [term for row in self.cells for cell in row for term in cell.terms]
        return "pictures" if all(term.is_id and not is_named(term.text) for term in terms) else "captions"


def grid_of(objects: list[str], values: list[str], cell: str) -> Grid:
    """The grid whose cells are the expression `cell` with {object} and {value} filled in.

    Raises
    ------
    InputError
        When `cell` does not hold each place once, and for a cell that is no expression or names nothing.
    """
    for place in ("{object}", "{value}"):
        if cell.count(place) != 1:
            raise InputError(f"The cell {cell!r} holds {place} {cell.count(place)} times; write it once, as in: a {{value}} {{object}}.")
    cells = [[parse(cell.replace("{object}", thing).replace("{value}", value)) for value in values] for thing in objects]
    flat = [each for row in cells for each in row]
    if all(len(each.terms) == 1 and not each.terms[0].is_id and each.terms[0].weight == 1 for each in flat):
        vectors = _embedded(space(), space().model.key, space().collection.version, tuple(each.terms[0].text for each in flat))
    else:
        vectors = np.stack([resolved(each).vector for each in flat])
    return Grid(objects, values, cells, vectors.reshape(len(objects), len(values), -1))


@st.cache_data(max_entries=64, show_spinner=False)
def _embedded(_space, model: str, collection: str, texts: tuple[str, ...]) -> np.ndarray:
    """All cells in one call, once: a slider moved elsewhere on the page embeds nothing again."""
    return _space.embed_texts(texts)


def show_grid(grid: Grid) -> None:
    """The pictures of the cells, a row for each object; nothing for texts."""
    if grid.kind != "pictures" or any(len(cell.terms) > 1 for row in grid.cells for cell in row):
        return
    with st.expander(text("properties.grid", objects=len(grid.objects), values=len(grid.values)), icon=":material/grid_on:"):
        for row in grid.cells:
            for column, cell in zip(st.columns(len(row), gap="xsmall"), row, strict=True):
                column.image(picture_url(cell.terms[0].text), width="stretch", alt=str(cell))


def grid_metrics(grid: Grid) -> None:
    """Parallelism beside its accident, R², and how often a left-out cell is found."""
    whole, apart, rivals = parallelism(grid.vectors), additive(grid.vectors), _rivals(grid)
    ranks = held_out_ranks(grid.vectors, rivals)
    with st.container(horizontal=True, gap="medium"):
        st.metric(text("properties.parallelism"), f"{whole.cosine:.3f}", width="content", help=text("properties.parallelism_help"))
        st.metric(text("properties.shuffled"), f"{whole.shuffled:.3f} ± {whole.spread:.3f}", width="content", help=text("properties.shuffled_help"))
        st.metric(text("properties.r2"), f"{apart.r2:.1%}", width="content", help=text("properties.r2_help"))
        st.metric(text("properties.found"), f"{(ranks == 1).mean():.0%}", width="content", help=text("properties.found_help"))
    st.caption(_verdict(whole, apart))
    left, right = st.columns([2, 3], gap="large")
    with left:
        _shares(apart)
    with right:
        _rank_map(grid, ranks, len(rivals))


def _verdict(whole: Parallelism, apart: Additive) -> str:
    return text("properties.verdict", cosine=whole.cosine, shuffled=whole.shuffled, r2=apart.r2, object=apart.object_share, value=apart.value_share,
                interaction=apart.interaction_share)  # fmt: skip


def _rivals(grid: Grid) -> np.ndarray:
    """What a predicted cell is ranked among: all others of its kind in the collection, or, of very many, every few."""
    here = space()
    found = here.collection.embeddings(here.model.key, grid.kind)
    return found[:: -(-len(found) // RIVALS)]


def _shares(apart: Additive) -> None:
    """Whose variance it is: of the objects, the property, or both together."""
    names = (text("properties.object"), text("properties.value"), text("properties.interaction"))
    shares = (apart.object_share, apart.value_share, apart.interaction_share)
    figure = go.Figure([go.Bar(y=[name], x=[share], orientation="h", marker_color=colour, text=f"{share:.1%}", textangle=0, textposition="auto", hoverinfo="skip")
                        for name, share, colour in zip(names, shares, (ACCENT, OTHER, MUTED), strict=True)])  # fmt: skip
    figure.update_xaxes(title=text("properties.share"), range=[0, 1.08], tickvals=[0, 0.25, 0.5, 0.75, 1], tickformat=".0%")
    figure.update_yaxes(autorange="reversed", automargin=True)
    chart(figure, text("properties.shares_alt"), key="properties-shares", height=260, dragmode=False)


def _rank_map(grid: Grid, ranks: np.ndarray, rivals: int) -> None:
    figure = _heat(np.log10(ranks), grid.values, grid.objects, np.char.mod("%d", ranks), colorscale="Viridis_r", zmin=0, zmax=3, showscale=False)
    st.caption(text("properties.ranks", count=rivals, kind=text(f"properties.{grid.kind}")))
    chart(figure, text("properties.ranks_alt"), key="properties-ranks", height=120 + 26 * len(grid.objects), dragmode=False)


def _heat(values: np.ndarray, columns: list[str], rows: list[str], says: np.ndarray, **look: object) -> go.Figure:
    figure = go.Figure(go.Heatmap(z=values, text=says, texttemplate="%{text}", hoverinfo="skip", textfont=dict(size=10), xgap=1, ygap=1, **look))
    figure.update_xaxes(tickvals=list(range(len(columns))), ticktext=[plain(column, 16) for column in columns], autotickangles=[0, -50], automargin=True, showgrid=False)
    figure.update_yaxes(tickvals=list(range(len(rows))), ticktext=[plain(row, 18) for row in rows], autorange="reversed", automargin=True, showgrid=False)
    return figure


# The direction from one value to another


def differences(grid: Grid, before: str, after: str) -> np.ndarray:
    """For each object the vector from one value to another, `(o, dim)`.

    Raises
    ------
    InputError
        When both are the same value.
    """
    _check_ends(before, after)
    return grid.vectors[:, grid.values.index(after)] - grid.vectors[:, grid.values.index(before)]


def _check_ends(before: str, after: str) -> None:
    if before == after:
        raise InputError(f"The way from {before!r} to {after!r} has no direction; choose two different values.")


def concept(grid: Grid, before: str, after: str) -> Point:
    """The direction as an expression that every page takes: all objects with the one value minus all with the other, as many as fit."""
    _check_ends(before, after)
    terms = []
    for row in grid.cells:
        plus, minus = row[grid.values.index(after)].terms, row[grid.values.index(before)].terms
        if len(terms) + len(plus) + len(minus) > MAX_TERMS:
            break
        terms += [*plus, *(replace(term, weight=-term.weight) for term in minus)]
    return resolved(Expression(tuple(terms)))


def show_direction(grid: Grid, before: str, after: str, found: Point) -> None:
    """How parallel the differences are, object by object, and the collection's pictures at both ends of the direction."""
    cosines = difference_cosines(differences(grid, before, after))
    left, right = st.columns([2, 3], gap="large")
    with left:
        figure = _heat(cosines, grid.objects, grid.objects, np.char.mod("%.2f", cosines), colorscale="RdBu_r", zmid=0, zmin=-1, zmax=1, showscale=False)
        chart(figure, text("properties.cosines_alt"), key="properties-cosines", height=160 + 26 * len(grid.objects), dragmode=False)
        mean = cosines[np.triu_indices(len(cosines), 1)].mean()
        st.caption(escape(text("properties.cosines_say", before=before, after=after, mean=float(mean))))
        st.code(format(found.expression), language=None, wrap_lines=True)
    with right:
        for title, sign in ((text("properties.most", value=after), 1), (text("properties.least", value=before), -1)):
            st.subheader(escape(title), anchor=False)
            _strip(space().search(sign * found.vector, "pictures", EXTREMES))


def _strip(hits: list[Hit]) -> None:
    """Pictures with their scores; without the menu of a gallery, which rewrites an expression that this page has not."""
    with st.grid("auto", min_column_width=105, gap="small"):
        for hit in hits:
            with st.container(gap=None):
                st.image(picture_url(hit.id), width="stretch", alt=hit.caption)
                st.caption(f"{escape('@' + hit.id)}  \n{score(hit)}")


def show_dimensions(grid: Grid, before: str, after: str) -> None:
    """Which dimensions change most, over all objects, and on how many of them two objects agree."""
    found = changed_dimensions(differences(grid, before, after), TOP)
    left, right = st.columns(2, gap="large")
    with left:
        _energy(found)
    with right:
        st.caption(text("properties.shared", top=TOP))
        figure = _heat(found.shared, grid.objects, grid.objects, np.char.mod("%d", found.shared), colorscale="Viridis", zmin=0, zmax=TOP, showscale=False)
        chart(figure, text("properties.shared_alt"), key="properties-shared", height=160 + 26 * len(grid.objects), dragmode=False)
    _sizes(grid, found)
    apart = np.triu_indices(len(found.shared), 1)
    st.caption(text("properties.dimensions_say", shared=float(found.shared[apart].mean()), top=TOP, chance=found.chance, dim=found.sizes.shape[1],
                    held=float(np.sort(found.energy)[-TOP:].sum() / found.energy.sum())))  # fmt: skip


def _sizes(grid: Grid, found: Change) -> None:
    """The absolute change of the same dimensions for each object alone."""
    order = np.argsort(-found.energy)[:TOP]
    figure = go.Figure(go.Heatmap(z=found.sizes[:, order], x=[str(each) for each in order], y=[plain(thing, 18) for thing in grid.objects], colorscale="Purples", zmin=0,
                                  xgap=1, ygap=1, colorbar=dict(thickness=12), hovertemplate="%{y}, %{x}: %{z:.3f}<extra></extra>"))  # fmt: skip
    figure.update_xaxes(type="category", showgrid=False)
    figure.update_yaxes(autorange="reversed", automargin=True, showgrid=False)
    st.caption(text("properties.sizes"))
    chart(figure, text("properties.sizes_alt"), key="properties-sizes", height=120 + 26 * len(grid.objects), dragmode=False)


def _energy(found: Change) -> None:
    order = np.argsort(-found.energy)[:TOP]
    figure = go.Figure(go.Bar(x=[str(each) for each in order], y=found.energy[order], marker_color=ACCENT, hovertemplate="%{x}: %{y:.4f}<extra></extra>"))
    figure.update_xaxes(title=text("properties.dimension"), type="category")
    figure.update_yaxes(title="Σ(Δ²)")
    chart(figure, text("properties.energy_alt", top=TOP), key="properties-energy", height=340, dragmode=False)
