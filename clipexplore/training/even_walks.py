"""How evenly walks are drawn, by slerp and by even places, and what that costs.

    python -m clipexplore.training.even_walks

draws ten walks of 17 frames both ways and prints a row for each, and the means (some minutes on one core). A frame that
is drawn but not kept counts as cost.
"""

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..draw.drawer import Drawn
from ..draw.even import SHARE, unevenness
from ..explore.interpolate import CurveChoice, draw_walk
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
) -> list[Row]:
    """A row for each walk; `sampling` is as `draw_walk` takes it."""
    rows = []
    for stops in walks:
        (slerp, _), (even, cost) = (_drawn(space, stops, frames, curve, sampling) for curve in ("slerp", "even"))
        rows.append((" → ".join(stops), unevenness(slerp), unevenness(even), cost / frames))
    return rows


def _drawn(
    space: Space, stops: Sequence[str], frames: int, curve: CurveChoice, sampling: dict[str, Any]
) -> tuple[np.ndarray, int]:
    """The embeddings of what is drawn of a walk, and how many frames were drawn for it."""
    seen: list[int] = []
    walk = draw_walk(space, stops, frames, curve, draw_from="joint", **sampling)
    drawn: Drawn = run_through(walk.drawing(shown=lambda name, number, picture: seen.append(number)))[curve]
    assert drawn.embeddings is not None
    return drawn.embeddings, len(seen)


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table, and their means."""
    mean = ("mean", *np.mean([row[1:] for row in rows], axis=0).tolist())
    lines = ["| walk | slerp | even | drawn for each frame |", "|---|---|---|---|"]
    lines += [f"| {name} | {slerp:.2f} | {even:.2f} | {cost:.2f} |" for name, slerp, even, cost in [*rows, mean]]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--walks", type=int, default=len(WALKS), help="how many of the ten")
    parser.add_argument("--frames", type=int, default=FRAMES)
    options = parser.parse_args()
    print(table(even_walks(Space.open(), WALKS[: options.walks], options.frames)))
    print(f"\nbars: even at most {BAR}, at most {SHARE} drawn for each frame")


if __name__ == "__main__":
    main()
