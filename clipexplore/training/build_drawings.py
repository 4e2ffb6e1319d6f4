"""Draw the examples of the page Interpolate beforehand, so that who opens them need not wait.

    python -m clipexplore.training.build_drawings   # 88 frames: a minute or two of a free core

Writes assets/models/emoji/drawings/, a file for each walk. What lies there already and is of these weights stays, so
that the command can be stopped at any moment; what is of others goes. It comes after all that drawings depend on: the
CLIP, the collection, the drawing model and how texts cross the gap.
"""

import json
import time
from collections.abc import Mapping
from typing import Any

from .. import links
from ..draw.ready import file_of, write
from ..explore.draw_walk import draw_walk
from ..settings import settings
from ..space import Space
from .things import slug

PAGE = "interpolate"


def examples() -> dict[str, dict[str, Any]]:
    """By name, the arguments of `draw_walk` for the page as it opens and for each of its examples."""
    listed = json.loads((settings().assets / "examples.json").read_text(encoding="utf-8"))[PAGE]
    states = {"default": {}} | {slug(each["label"]): each["set"] for each in listed}
    return {name: arguments(links.PAGES[PAGE] | state) for name, state in states.items() if state.get("draw", True)}


def arguments(state: dict[str, Any]) -> dict[str, Any]:
    """Those of `draw_walk` for a state of the page."""
    same = ("frames", "curve", "easing", "shift", "seed", "num_inference_steps", "guidance_scale", "scheduler")
    return {"stops": state["stops"].splitlines(), "draw_from": state["space"]} | {key: state[key] for key in same}


def build(space: Space, walks: Mapping[str, Mapping[str, Any]]) -> None:
    """Draws of these walks, arguments of `draw_walk` by name, what does not lie ready, and removes all other files."""
    wanted = set()
    for name, given in walks.items():
        walk, start = draw_walk(space, **given), time.time()
        if (recipe := walk.recipe) is None:
            print(f"{name}: no walk that can be shipped, see WalkDrawing.recipe")
            continue
        wanted.add(path := file_of(walk.drawer.folder, name, recipe))
        if walk.ready:
            print(f"{name}: {walk.frames} frames lie ready")
            continue
        (drawn,) = walk.drawn.values()
        write(path, recipe, walk.stops, drawn.pictures, drawn.embeddings)
        print(f"{name}: {walk.frames} frames, {time.time() - start:.0f} s, {path.stat().st_size / 1000:.0f} kB")
    for folder in {path.parent for path in wanted}:
        for path in set(folder.iterdir()) - wanted:
            path.unlink()


def main() -> None:
    build(Space.open(), examples())


if __name__ == "__main__":
    main()
