"""How evenly walks are drawn, by slerp and by even places, and what that costs.

    python -m clipexplore.training.even_walks

draws ten walks of 17 frames both ways and prints a row for each as it is there, and the means (about a quarter of an
hour on one core). A frame that is drawn but not kept counts as cost.
"""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ..draw.drawer import Drawn
from ..draw.even import SHARE, unevenness
from ..explore.draw_walk import draw_walk
from ..explore.interpolate import CurveChoice
from ..jobs import run_through
from ..space import Space

FRAMES = 17
BAR = 1.5  # of the widest step over the mean step, on the mean of the walks
WALKS = (
    ("@lion-jungle-07", "@lion-snow-07"),
    ("@man", "@man-top-hat"),
    ("@cat-face", "@dog-face"),
    ("@red-automobile", "@blue-automobile"),
    ("@penguin-snow-01", "@owl-night-01"),
    ("@house-beach-01", "@house-night-01"),
    ("@rose", "@guitar"),
    ("cat", "dog"),
    ("a lion in the jungle", "a lion in the snow"),
    ("@frog", "@frog-crown"),
)
Row = tuple[str, float, float, float]  # stops; widest step over mean step by slerp, and by even places; the cost


def even_walks(
    space: Space, walks: Sequence[Sequence[str]] = WALKS, frames: int = FRAMES, **sampling: Any
) -> Iterator[Row]:
    """A row for each walk, as soon as it is drawn; `sampling` is as `draw_walk` takes it."""
    for stops in walks:
        (slerp, _), (even, cost) = (_drawn(space, stops, frames, curve, sampling) for curve in ("slerp", "even"))
        yield " → ".join(stops), unevenness(slerp), unevenness(even), cost / frames


def _drawn(
    space: Space, stops: Sequence[str], frames: int, curve: CurveChoice, sampling: dict[str, Any]
) -> tuple[np.ndarray, int]:
    """The embeddings of what is drawn of a walk, and how many frames were drawn for it."""
    seen: list[int] = []
    walk = draw_walk(space, stops, frames, curve, draw_from="joint", **sampling)
    drawn: Drawn = run_through(walk.drawing(shown=lambda name, number, picture: seen.append(number)))[curve]
    assert drawn.embeddings is not None
    return drawn.embeddings, len(seen)


def printed(rows: Iterable[Row]) -> None:
    """Prints the rows as a Markdown table, each as it comes, and their means."""
    print("| walk | slerp | even | drawn for each frame |", "|---|---|---|---|", sep="\n")
    figures = []
    for name, *shown in rows:
        _print(name, shown)
        figures.append(shown)
    _print("mean", np.mean(figures, axis=0).tolist())


def _print(name: str, shown: Sequence[float]) -> None:
    print(f"| {name} | {' | '.join(f'{each:.2f}' for each in shown)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--walks", type=int, default=len(WALKS), help="how many of the ten")
    parser.add_argument("--frames", type=int, default=FRAMES)
    options = parser.parse_args()
    printed(even_walks(Space.open(), WALKS[: options.walks], options.frames))
    print(f"\nbars: even at most {BAR}, at most {SHARE} drawn for each frame")


if __name__ == "__main__":
    main()
