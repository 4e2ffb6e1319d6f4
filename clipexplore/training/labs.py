"""What the labs say of Emoji World, in figures, with the bundled CLIP.

    python -m clipexplore.training.labs

prints one table (about six minutes on one core, most of it windows through CLIP): modality gap, loss against chance,
parallelism of colours, places and hats against shuffled values, additive R², zero-shot accuracy by number of templates,
detection by windows, what of a scene the words name that it is taken apart into, and how often “nothing here matches”
is right. Scenes are drawn from seeds from `HELD_OUT` on; the grids are the presets of the page Properties. Writes
assets/figures.json, from which the pages state them, beside those of `python -m clipexplore.training.concepts`.
"""

import json
from collections.abc import Sequence
from random import Random

import numpy as np
from PIL import Image

from ..labs.contrast import match_pairs, modality_gap, pictures_on_top, recall_at
from ..labs.properties import additive, parallelism
from ..labs.relevance import Box, best_box, crops, overlaps, relevance_maps, windows
from ..labs.zeroshot import by_template_count
from ..models.embedder import Embedder
from ..settings import settings
from ..space import Space
from . import captions, concepts, presence, taken_apart
from .evaluate import add_figures, embed_scenes, held_out_scenes
from .scenes import HELD_OUT, MAKERS, Scene, alone, draw
from .things import by_name, things

PAIRS = 500
TEMPLATE_COUNTS = (1, 2, 4, 8, 16, 25)
TWO_THINGS = 200
FIRST_PAIR = HELD_OUT + (1 << 22)  # other scenes than `evaluate` looks at
Labelled = tuple[Image.Image, list[tuple[str, Box]]]  # a picture, and what is in it where
BARS = {
    "detection: mean IoU": 0.40,
    "detection: right thing": 0.90,
    **taken_apart.BARS,
    **presence.BARS,
    **concepts.BARS,
}


def labs(space: Space) -> dict[str, float]:
    """Every figure of the table by name."""
    embedder = space.embedder
    return (
        matching(embedder, space.model.logit_scale)
        | grids(space)
        | templates(embedder)
        | detection(embedder, two_things(), space.model.logit_scale)
        | taken_apart.taken_apart(space)
        | presence.presence_figures(space)
    )


def matching(embedder: Embedder, logit_scale: float) -> dict[str, float]:
    """The gap between held-out scenes and their captions, the loss of one batch of them, and a search in one pool of
    both.
    """
    scenes = held_out_scenes(PAIRS)
    images, texts = embed_scenes(embedder, scenes), embedder.embed_texts([captions.literal(one) for one in scenes])
    found = match_pairs(images, texts, logit_scale)
    return {
        "modality gap": float(np.linalg.norm(modality_gap(images, texts))),
        "loss of 500 pairs": found.loss,
        "chance, ln 500": found.chance,
        "R@1 of 500, picture → caption": recall_at(found.cosines, 1),
        "R@1 of 500, caption → picture": recall_at(found.cosines.T, 1),
        "pictures in a caption's top ten": pictures_on_top(images, texts),
    }


def grids(space: Space) -> dict[str, float]:
    """Parallelism, what shuffled values give, and R² for each preset of Properties."""
    figures = {}
    for preset in json.loads((settings().assets / "examples.json").read_text(encoding="utf-8"))["properties"]:
        given, name = preset["set"], preset["label"]
        cells = [
            [
                given["cell"].replace("{object}", thing).replace("{value}", value)
                for value in given["values"].split("\n")
            ]
            for thing in given["objects"].split("\n")
        ]
        grid = np.stack([[space.point(cell).vector for cell in row] for row in cells])
        whole = parallelism(grid)
        figures |= {
            f"{name}: parallelism": whole.cosine,
            f"{name}: shuffled": whole.shuffled,
            f"{name}: additive R²": additive(grid).r2,
        }
    return figures


def templates(embedder: Embedder) -> dict[str, float]:
    """Zero-shot accuracy on every thing, drawn once, with the first so many templates of the ensemble."""
    wheres = [MAKERS["single"](seed, Random(seed)) for seed in range(HELD_OUT, HELD_OUT + len(things()))]
    images = embed_scenes(
        embedder,
        [
            alone(where.seed, thing.name, where.place, where.background)
            for where, thing in zip(wheres, things(), strict=True)
        ],
    )
    found = by_template_count(
        embedder.embed_texts, [thing.name for thing in things()], images, np.arange(len(images)), TEMPLATE_COUNTS
    )
    return {f"zero-shot top-1, {count} template{'s' * (count > 1)}": accuracy for count, accuracy in found.items()}


def two_things(number: int = TWO_THINGS) -> list[Labelled]:
    """Held-out scenes of two things, with the box of each."""
    scenes: list[Scene] = [MAKERS["pair"](seed, Random(seed)) for seed in range(FIRST_PAIR, FIRST_PAIR + number)]
    return [(draw(one), [(by_name()[item.name].one, item.box) for item in one.items]) for one in scenes]


def detection(embedder: Embedder, pictures: Sequence[Labelled], logit_scale: float) -> dict[str, float]:
    """The mean IoU of the boxes found with the true ones, and how often a box overlaps its own thing more than any
    other.
    """
    judged = []
    for picture, known in pictures:
        boxes = windows(*picture.size)
        cosines = embedder.embed_images(crops(picture, boxes)) @ embedder.embed_texts([name for name, _ in known]).T
        found = [best_box(each) for each in relevance_maps(cosines, boxes, picture.size, logit_scale)]
        judged += overlaps(found, [box for _, box in known])
    shares, right = zip(*judged, strict=True)
    return {"detection: mean IoU": float(np.mean(shares)), "detection: right thing": float(np.mean(right))}


def table(figures: dict[str, float]) -> str:
    """The figures as a Markdown table, beside the bars of those that have one."""
    rows = ["| figure | bar | measured |", "|---|---|---|"]
    for name, value in figures.items():
        bar = f"≥ {BARS[name]:.2f}" if name in BARS else ""
        rows.append(f"| {name} | {bar} | {value:.3f}{'' if value >= BARS.get(name, -np.inf) else ' (below)'} |")
    return "\n".join(rows)


def main() -> None:
    space = Space.open()
    print(table(add_figures(space.revision, labs(space))))


if __name__ == "__main__":
    main()
