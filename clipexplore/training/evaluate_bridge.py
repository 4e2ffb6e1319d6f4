"""How well a bridge carries points between the two bundled models, and how well what it carries is drawn.

    python -m clipexplore.training.evaluate_bridge

prints one table, in a minute and about a second for each picture drawn, on one core. From the second model to the
first: 400 scenes are carried, none of which, nor any with its caption, is an anchor. Texts and pictures find each other
over a bridge of 300 anchors, as after a change of model; drawn is over one of 2,000, as on the pages. Beside each
figure of the bridge stands the same for the first model's own vectors, and what is left of that; the bars are shares of
it. With --new they are scenes that no collection has, and that nothing was chosen by.
"""

import argparse
import time
from collections.abc import Mapping, Sequence

import numpy as np

from ..draw.renderer import Renderer
from ..explore.bridges import ANCHORS, MOST
from ..labs.contrast import recall_at
from ..models.bridge import Bridge, fit_bridge
from ..models.embedder import Embedder
from ..settings import settings
from ..space import Space
from .build_assets import MODEL, SECOND, emoji_world
from .captions import literal
from .evaluate import embed_scenes
from .evaluate_drawing import drawn
from .taken_apart import FIRST

OTHERS, CARRIED = 400, 100_000
NEW = FIRST + (1 << 21)  # from here on nothing else takes its seeds
KINDS = ("pictures", "captions")
BARS = {
    "captions find their pictures, R@1": 0.95,
    "pictures find their captions, R@1": 0.95,
    "drawn: cosine": 0.90,
    "drawn: own scene nearest of 400": 0.90,
}
Vectors = Mapping[str, np.ndarray]  # by kind


def split(spaces: list[Space]) -> list[tuple[Vectors, Vectors]]:
    """Of each space the vectors of all that may be anchors, and those of the others, whose captions all differ."""
    captions = spaces[0].collection.captions
    rows = np.random.default_rng(0).permutation(len(captions))
    others = [*{captions[row]: row for row in rows[:ANCHORS:-1]}.values()][:OTHERS]
    anchors = _others_than({captions[row] for row in others}, captions, rows)
    return [(_vectors(each, anchors), _vectors(each, others)) for each in spaces]


def with_new(spaces: list[Space]) -> list[tuple[Vectors, Vectors]]:
    """The same with new scenes of the collection's kinds as the others."""
    rng, world, captions = np.random.default_rng(NEW), emoji_world(NEW), spaces[0].collection.captions
    scenes = {literal(world[row][1]): world[row][1] for row in rng.permutation(len(world))}
    said = [*scenes][:OTHERS]
    anchors = _others_than(set(said), captions, rng.permutation(len(captions)))
    drawn_as = [scenes[caption] for caption in said]
    return [
        (
            _vectors(each, anchors),
            {"pictures": embed_scenes(each.embedder, drawn_as), "captions": each.embedder.embed_texts(said)},
        )
        for each in spaces
    ]


def _others_than(said: set[str], captions: Sequence[str], rows: np.ndarray) -> list[int]:
    return [row for row in rows.tolist() if captions[row] not in said]


def _vectors(space: Space, rows: list[int]) -> Vectors:
    return {kind: space.embeddings(kind)[rows] for kind in KINDS}


def fitted(theirs: Vectors, ours: Vectors, anchors: int) -> Bridge:
    """The bridge from the second model to the first by that many anchors."""
    return fit_bridge(*({kind: each[kind][:anchors] for kind in KINDS} for each in (theirs, ours)))


def recalls(vectors: Vectors) -> dict[str, float]:
    cosines = vectors["captions"] @ vectors["pictures"].T
    return {
        "captions find their pictures, R@1": recall_at(cosines, 1),
        "pictures find their captions, R@1": recall_at(cosines.T, 1),
    }


def drawings(renderer: Renderer, embedder: Embedder, points: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """Points drawn, embedded again and compared with the true vectors, of which the first belong to them."""
    cosines = embedder.embed_images(drawn(renderer, print, embeddings=points)) @ true.T
    own = np.arange(len(points))
    return {
        "drawn: cosine": float(cosines[own, own].mean()),
        "drawn: own scene nearest of 400": float((cosines.argmax(axis=1) == own).mean()),
    }


def seconds_to_carry(bridge: Bridge, vectors: np.ndarray) -> float:
    """Seconds of work for 100,000 vectors."""
    many, start = np.resize(vectors, (CARRIED, vectors.shape[1])), time.process_time()
    bridge.carry(many)
    return time.process_time() - start


def table(native: Mapping[str, float], bridged: Mapping[str, float]) -> str:
    rows = ["| figure | bar | native | bridged | share |", "|---|---|---|---|---|"]
    for name, value in bridged.items():
        share, bar = value / native[name], BARS[name]
        below = "" if share >= bar else " (below)"
        rows.append(f"| {name} | ≥ {bar:.2f} | {native[name]:.3f} | {value:.3f} | {share:.3f}{below} |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--number", type=int, default=OTHERS, help="pictures that are drawn, of either; 0 for none")
    parser.add_argument("--new", action="store_true", help="new scenes instead of the collection's")
    options = parser.parse_args()
    number, spaces = options.number, [Space.open(MODEL), Space.open(SECOND)]
    (ours, true), (theirs, others) = (with_new if options.new else split)(spaces)
    few, many = (fitted(theirs, ours, anchors) for anchors in (ANCHORS, MOST))
    native = recalls(true)
    bridged = recalls({kind: few.carry(others[kind], kind) for kind in KINDS})
    if number:
        assets = settings().assets / "models/emoji"
        renderer, embedder = Renderer.load(assets / "unclip", assets / "clip"), Embedder.load(assets / "clip")
        carried = many.carry(others["pictures"][:number])
        native |= drawings(renderer, embedder, true["pictures"][:number], true["pictures"])
        bridged |= drawings(renderer, embedder, carried, true["pictures"])
    print(table(native, bridged))
    for bridge, anchors in ((few, ANCHORS), (many, MOST)):
        for kind in KINDS:
            cosine = float(np.vecdot(bridge.carry(others[kind], kind), true[kind]).mean())
            says = f"with {anchors:,} anchors {kind} come to a cosine of {cosine:.3f} with the true ones"
            print(f"{says}; the bridge says {bridge.held_out[kind]:.3f}")
    print(f"100,000 vectors carried in {seconds_to_carry(many, others['pictures']):.1f} s")


if __name__ == "__main__":
    main()
