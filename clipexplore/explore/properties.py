"""Properties: a grid of objects and values, how far it can be taken apart, and the direction between two values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from clipexplore.errors import InputError
from clipexplore.expression import MAX_TERMS, Expression, parse
from clipexplore.labs.properties import (
    Additive,
    Change,
    Parallelism,
    additive,
    changed_dimensions,
    difference_cosines,
    held_out_ranks,
    parallelism,
)
from clipexplore.language import _
from clipexplore.space import Hit, Point, Space
from clipexplore.store.items import Kind

TOP = 20  # dimensions, as in the source
RIVALS = 20_000  # that a left-out cell is ranked among, at most
EXTREMES = 6  # pictures at each end of a direction


@dataclass(frozen=True, eq=False)
class Grid:
    """Every object with every value."""

    objects: Sequence[str]
    values: Sequence[str]
    cells: list[list[Expression]]  # a row for each object
    vectors: np.ndarray  # (o, v, dim) float32
    kind: Kind  # what the cells are ranked among: "pictures" where all of their terms are pictures


@dataclass(frozen=True, eq=False)
class Compositionality:
    """How far a grid is made of parts."""

    SHOWN: ClassVar = ("parallelism.cosine", "parallelism.shuffled", "additive.r2")

    grid: Grid
    parallelism: Parallelism
    additive: Additive
    ranks: (
        np.ndarray
    )  # (o, v): of each cell among the grid and its rivals when it is predicted from the rest; 1 is best
    rivals: int  # how many others that is


def take_apart(space: Space, objects: Sequence[str], values: Sequence[str], cell: str) -> Compositionality:
    """How parallel the steps between the values of a property are, and how far object and value explain a cell.

    Parameters
    ----------
    cell
        An expression with {object} and {value} in it, each once.

    Raises
    ------
    InputError
        When `cell` does not hold each place once, `Space.point` refuses one, or there are fewer than two of a kind.
    """
    grid = grid_of(space, objects, values, cell)
    rivals = space.embeddings(grid.kind)
    rivals = rivals[:: -(-len(rivals) // RIVALS)]
    ranks = held_out_ranks(grid.vectors, rivals)
    return Compositionality(grid, parallelism(grid.vectors), additive(grid.vectors), ranks, len(rivals))


def grid_of(space: Space, objects: Sequence[str], values: Sequence[str], cell: str) -> Grid:
    """The grid whose cells are `cell` with {object} and {value} filled in; raises as `take_apart`."""
    for place in ("{object}", "{value}"):
        if cell.count(place) != 1:
            message = _("The cell {cell!r} has {place} {count} times; write it once, as in: a {{value}} {{object}}.")
            raise InputError(message.format(cell=cell, place=place, count=cell.count(place)))
    cells = [
        [parse(cell.replace("{object}", thing).replace("{value}", value)) for value in values] for thing in objects
    ]
    vectors, kind = _vectors(space, [each for row in cells for each in row])
    return Grid(objects, values, cells, vectors.reshape(len(objects), len(values), -1), kind)


def _vectors(space: Space, cells: Sequence[Expression]) -> tuple[np.ndarray, Kind]:
    """The vectors of cells, and whether all of their terms are pictures."""
    terms = [cell.terms[0] for cell in cells]
    if all(len(cell.terms) == 1 for cell in cells) and not any(term.is_id or term.weight != 1 for term in terms):
        return space.embed_texts([term.text for term in terms]), "captions"
    points = [space.point(cell) for cell in cells]
    pictures = all(term.is_picture for point in points for term in point.terms)
    return np.stack([point.vector for point in points]), "pictures" if pictures else "captions"


@dataclass(frozen=True, eq=False)
class ValueStep:
    """The way from one value to another."""

    SHOWN: ClassVar = ("agreement", "shared", "held", "ahead", "behind")

    direction: Point  # all objects with the one value minus all with the other, as many as fit into an expression
    cosines: np.ndarray  # (o, o) float32: between the steps that two objects take
    agreement: float  # their mean over all pairs of objects
    ahead: list[Hit]  # the pictures furthest along the direction
    behind: list[Hit]  # and furthest the other way
    change: Change  # which dimensions change
    shared: float  # how many of their 20 most changed dimensions two objects share on average
    held: float  # the share of all change in the 20 dimensions that change most


def step(space: Space, objects: Sequence[str], values: Sequence[str], cell: str, before: str, after: str) -> ValueStep:
    """The way from one value of a property to another, for objects and a cell as `take_apart` takes them.

    Raises
    ------
    InputError
        As `take_apart`, and where both values are the same.
    """
    if before == after:
        message = _("There is no direction from {value!r} to itself; choose two different values.")
        raise InputError(message.format(value=before))
    grid = grid_of(space, objects, values, cell)
    first, last = grid.values.index(before), grid.values.index(after)
    steps = grid.vectors[:, last] - grid.vectors[:, first]
    direction, cosines = space.point(_sum(grid, first, last)), difference_cosines(steps)
    ahead, behind = (space.search(sign * direction.vector, space.instead_of("pictures"), EXTREMES) for sign in (1, -1))
    change, pairs = changed_dimensions(steps, TOP), np.triu_indices(len(cosines), 1)
    shared = float(change.shared[pairs].mean())
    held = float(np.sort(change.energy)[-TOP:].sum() / change.energy.sum())
    return ValueStep(direction, cosines, float(cosines[pairs].mean()), ahead, behind, change, shared, held)


def _sum(grid: Grid, first: int, last: int) -> Expression:
    """All objects with the last value minus all with the first, as an expression that every page takes."""
    terms: list = []
    for row in grid.cells:
        plus, minus = row[last].terms, row[first].terms
        if len(terms) + len(plus) + len(minus) > MAX_TERMS:
            break
        terms += [*plus, *(replace(term, weight=-term.weight) for term in minus)]
    return Expression(tuple(terms))
