"""How well single concepts of a dictionary say what is true of scenes, and what turning them changes.

    python -m clipexplore.training.concepts              # learns from three seeds, then judges and draws
    python -m clipexplore.training.concepts --sliders    # only draws, with the dictionary that is shipped

prints one table (about six minutes on one core; with `--sliders` four) and adds it to assets/figures.json. The first
also writes assets/concepts.safetensors. Concepts are chosen on the bundled collection and judged on scenes from `FIRST`
on; drawings are judged by a CLIP that the app does not load.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from ..draw.renderer import Renderer
from ..explore.concepts import SHIPPED
from ..labs.concepts import (
    Dictionary,
    f1,
    f1_by_threshold,
    frequent,
    learn_concepts,
    stability,
    true_of,
)
from ..maps.pca import pca
from ..models.embedder import Embedder
from ..settings import settings
from ..space import Space
from ..vectors import normalize
from . import captions
from .build_assets import AT_HOME_ANYWHERE, RECOLOURED, emoji_world, fields
from .evaluate import add_figures, embed_scenes, table
from .evaluate_drawing import drawn
from .places import COLOURS, PLACES
from .scenes import HEADWEAR, WEARERS, Scene, alone, dressed
from .taken_apart import FIRST

SEEDS = (0, 1, 2)
FIELDS = ("thing", "place", "colour", "headwear", "eyewear")
FEW = 10  # pictures of a value that a concept is turned for; there are hardly more of a colour
EACH = 20  # changes of a place, of headwear and of a colour
TELLS = 0.5  # F1 from which a concept tells a value, and is turned with it; where none does, the best alone
UP = 1.5  # means of pictures with a value, that its concepts are turned up to; 1.25 change fewer, and lose as many
BARS = {"concepts: F1 of the best concept": 0.92}
SLIDERS = {"concepts turned, drawn: changed as asked": 0.80, "concepts turned, drawn: the rest unchanged": 0.80}
MINUTES = 4  # that learning may take


def learned(space: Space) -> tuple[Dictionary, dict[str, float]]:
    """A dictionary of the bundled collection, with its stability, and figures of all seeds."""
    points = _pictures(space)
    begun = time.process_time()
    first, *others = (learn_concepts(points, seed=seed) for seed in SEEDS)
    minutes = (time.process_time() - begun) / 60 / len(SEEDS)
    scenes = [one for _, one in emoji_world(FIRST)]
    new = embed_scenes(space.embedder, scenes)
    values = frequent(space.collection.fields, FIELDS)
    known, true = true_of(space.collection.fields, values), true_of(pd.DataFrame(map(fields, scenes)), values)

    def single(amounts: Sequence[csr_array]) -> np.ndarray:
        return judged(*amounts, known, true)

    components = pca(points, min(points.shape)).transform
    by_seed = [single([each.read(some) for some in (points, new)]) for each in (first, *others)]
    scores, kinds = np.mean(by_seed, axis=0), np.array([field for field, _ in values])
    steady, best = stability(first, *others), "F1 of the best concept"
    figures = {
        best: float(scores.mean()),
        **{f"{best}, {field}": float(scores[kinds == field].mean()) for field in FIELDS},
        "F1 of the best principal component": float(single(either_way(components(points), components(new))).mean()),
        "F1 of the best dimension": float(single(either_way(points, new)).mean()),
        "variance explained": float(np.mean([each.explained(new) for each in (first, *others)])),
        "stability": float(np.median(steady.stability)),
        "minutes to learn": minutes,
    }
    return steady, {f"concepts: {name}": value for name, value in figures.items()}


def judged(known: csr_array, new: csr_array, known_truth: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The F1 of each value `(v,)` on new points, by the concept and the threshold that are best on known ones."""
    best, thresholds = f1_by_threshold(known, known_truth)
    values, columns = np.arange(len(best)), best.argmax(axis=1)
    return f1(new.tocsc()[:, columns].toarray() > thresholds[values, columns], truth)


def either_way(known: np.ndarray, new: np.ndarray) -> list[csr_array]:
    """Coordinates `(n, m)` and their negatives as amounts `(n, 2m)` that are not negative, of known points and new."""
    both = [np.concatenate([each, -each], axis=1) for each in (known, new)]
    least = both[0].min(axis=0)
    return [csr_array(np.maximum(each - least, 0)) for each in both]


@dataclass(frozen=True)
class Change:
    """A scene, and the same with another value of a field."""

    field: str
    before: Scene
    after: Scene

    def read(self, one: Scene) -> str | None:
        return fields(one)[self.field]  # type: ignore[return-value]

    def variants(self) -> list[Scene]:
        """The scene with each value of the field."""
        if self.field == "place":
            return [replace(self.before, place=place) for place in PLACES]
        if self.field == "colour":
            return [_recoloured(self.before, colour) for colour in COLOURS]
        return [_dressed(self.before, headwear) for headwear in (None, *HEADWEAR)]

    def others(self) -> list[Scene]:
        """The changed scene with other things."""
        names = {"place": AT_HOME_ANYWHERE, "colour": RECOLOURED, "headwear": tuple(WEARERS)}[self.field]
        first, *rest = self.after.items
        return [replace(self.after, items=(replace(first, name=name), *rest)) for name in names]


def _recoloured(one: Scene, colour: str) -> Scene:
    first, *rest = one.items
    return replace(one, items=(replace(first, colour=colour), *rest))


def _dressed(one: Scene, headwear: str | None) -> Scene:
    return dressed(one.seed, one.items[0].name, headwear, None, None, None)


def changes(each: int = EACH) -> list[Change]:
    """So many changes of a place, of headwear – on, off and exchanged in turn – and of a colour, of new scenes."""
    rng, found = Random(FIRST), []
    for seed in range(FIRST, FIRST + each):
        old, new = rng.sample(list(PLACES), 2)
        scene = alone(seed, rng.choice(AT_HOME_ANYWHERE), old)
        found.append(Change("place", scene, replace(scene, place=new)))
        hats = rng.sample(list(HEADWEAR), 2)
        old, new = [(None, hats[0]), (hats[0], None), (hats[0], hats[1])][seed % 3]
        scene = dressed(seed, rng.choice(list(WEARERS)), old, None, None, None)
        found.append(Change("headwear", scene, _dressed(scene, new)))
        old, new = rng.sample(list(COLOURS), 2)
        scene = alone(seed, rng.choice(RECOLOURED), colour=old)
        found.append(Change("colour", scene, _recoloured(scene, new)))
    return found


def turned(space: Space, dictionary: Dictionary, asked: Sequence[Change], points: np.ndarray) -> np.ndarray:
    """The points `(n, dim)` of scenes with every concept that tells the old value turned off, and every one that tells
    the new value turned up, in the proportions in which pictures with that value have them.
    """
    values = frequent(space.collection.fields, FIELDS, FEW)
    amounts, truth = dictionary.read(_pictures(space)), true_of(space.collection.fields, values)
    best, _thresholds = f1_by_threshold(amounts, truth)
    usual = truth.T @ amounts / truth.sum(axis=0)[:, None]
    tells = {
        value: {row: UP * float(have[row]) for row in np.flatnonzero(scores >= min(TELLS, scores.max())).tolist()}
        for value, scores, have in zip(values, best, usual, strict=True)
    }
    found = []
    for change, point in zip(asked, points, strict=True):
        old, new = (tells.get((change.field, change.read(one)), {}) for one in (change.before, change.after))
        found.append(dictionary.turned(point, dict.fromkeys(old, 0.0) | new))
    return normalize(np.stack(found))


def sliders(space: Space, dictionary: Dictionary, renderer: Renderer, judge: Embedder) -> dict[str, float]:
    """How often what is drawn from turned points shows what was asked for, and the rest as before, by the judge; and
    the same of the picture nearest to each point, by its truth.
    """
    asked = changes()
    points = embed_scenes(space.embedder, [each.before for each in asked])
    moved = turned(space, dictionary, asked, points)
    again = [judge.embed_images(drawn(renderer, embeddings=each)) for each in (points, moved)]
    right = [_best(judge, each.variants(), vector) for each, vector in zip(asked, again[1], strict=True)]
    kept = [
        [_best(judge, each.others(), vector).items[0].name for each, vector in zip(asked, some, strict=True)]
        for some in again
    ]
    changed = np.array([each.read(one) == each.read(each.after) for each, one in zip(asked, right, strict=True)])
    same = np.array([before == after for before, after in zip(*kept, strict=True)])
    figures = {"drawn: changed as asked": changed, "drawn: the rest unchanged": same} | _nearest(space, asked, moved)
    kinds = np.array([each.field for each in asked])
    found = {name: float(np.mean(each)) for name, each in figures.items()}
    found |= {
        f"{name}, {kind}": float(np.mean(each[kinds == kind])) for name, each in figures.items() for kind in set(kinds)
    }
    return {f"concepts turned, {name}": found[name] for name in sorted(found)}


def _best(judge: Embedder, scenes: list[Scene], vector: np.ndarray) -> Scene:
    """The scene whose caption the judge finds nearest to a picture."""
    return scenes[int((judge.embed_texts([captions.literal(one) for one in scenes]) @ vector).argmax())]


def _nearest(space: Space, asked: Sequence[Change], moved: np.ndarray) -> dict[str, np.ndarray]:
    """Whether the picture of the collection nearest to each point has what was asked for, and the same thing."""
    table = space.collection.fields
    rows = [space.collection.row(found[0].id) for found in space.search(moved, "pictures", 1)]
    there = [table.iloc[row].astype(object).where(table.iloc[row].notna(), None) for row in rows]
    return {
        "nearest picture: changed as asked": np.array(
            [one[each.field] == each.read(each.after) for one, each in zip(there, asked, strict=True)]
        ),
        "nearest picture: the rest unchanged": np.array(
            [one["thing"] == each.after.items[0].name for one, each in zip(there, asked, strict=True)]
        ),
    }


def _pictures(space: Space) -> np.ndarray:
    return space.embeddings("pictures")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    assets = settings().assets
    parser.add_argument("--sliders", action="store_true", help="only draw, with the dictionary that is shipped")
    parser.add_argument("--judge", type=Path, default=assets / "training/judge")
    options = parser.parse_args()
    space, figures = Space.open(), {}
    revision = space.model.clip.revisions.pictures
    if not options.sliders:
        dictionary, figures = learned(space)
        dictionary.save(assets / SHIPPED, revision)
    dictionary = Dictionary.load(assets / SHIPPED, revision)
    renderer = Renderer.load(assets / "models/emoji/unclip", assets / "models/emoji/clip")
    figures |= sliders(space, dictionary, renderer, Embedder.load(options.judge))
    add_figures(space.revision, figures)
    print(table(figures, BARS | SLIDERS))


if __name__ == "__main__":
    main()
