"""How well points are taken apart into words, on scenes whose truth is known; and on genuine CLIP vectors.

    python -m clipexplore.training.taken_apart [--vectors FOLDER]

prints one table (about a minute on one core) and the seconds of an answer. Scenes are drawn from seeds from `FIRST` on,
which nothing was tuned on. FOLDER holds two files of vectors by OpenAI's CLIP: texts by ViT-B/32, and pairs of
photographs and captions by ViT-B/16; each is only ever compared with itself.
"""

import argparse
import re
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..labs.apart import Apart, pursue, take_apart
from ..space import Space
from ..vectors import normalize
from . import captions
from .build_assets import emoji_world
from .evaluate import embed_scenes, table, word_bank
from .places import PLACES
from .scenes import HELD_OUT, Scene, scene
from .things import by_name

FIRST = HELD_OUT + (1 << 28)
EVERY = 4  # of the scenes like those of the collection
MIXED = 500  # scenes of the mix that the model was trained on
SHOWN, TERMS = 5, 8
BARS = {"taken apart: elements in five terms": 0.85, "taken apart: cosine of that of pursuit": 0.95}
SECONDS = 0.1  # that an answer may take
TEXTS, PAIRS = "genuine_vitb32_text_vectors.npz", "genuine_vitb16_coco_pairs.npz"


def taken_apart(space: Space) -> dict[str, float]:
    """Every figure by name: the share of true elements that the first five terms name, and the cosine of eight."""
    alike = [one for _, one in emoji_world(FIRST)[::EVERY]]
    mixed = [scene(seed) for seed in range(FIRST, FIRST + MIXED)]
    found = _judged(space, alike)
    return {
        **{f"taken apart: {name}": value for name, value in found.items()},
        "taken apart: elements in five terms, of the training's mix": _judged(space, mixed)["elements in five terms"],
    }


def elements(one: Scene) -> list[set[str]]:
    """What is true of a scene – each thing, headwear and eyewear, each colour, the place or the ground – as the words
    that say it. What only says a kind, such as “animal”, does not count.
    """
    shown = {item.name: item for item in one.items}
    found = [
        set(captions.item_words(item)) - {captions.KINDS.get(by_name()[name].kind)} for name, item in shown.items()
    ]
    colours = dict.fromkeys(filter(None, [*(item.colour for item in one.items), one.background]))
    found += [{colour, *captions.COLOUR_WORDS[colour]} for colour in colours]
    return found + ([set(PLACES[one.place].words)] if one.place else [])


def _judged(space: Space, scenes: Sequence[Scene]) -> dict[str, float]:
    bank = word_bank()
    words = without_mean(space.embed_texts(bank))
    points = embed_scenes(space.embedder, list(scenes))
    points = points - space.embeddings("pictures").mean(axis=0)
    found = [take_apart(point, words, TERMS) for point in points]
    first = [{bank[row] for row in each.rows[:SHOWN]} for each in found]
    named = [bool(some & element) for some, one in zip(first, scenes, strict=True) for element in elements(one)]
    best = [pursue(point, words, TERMS) for point in points]
    return {"elements in five terms": float(np.mean(named))} | _cosines(found, best)


def _cosines(found: Sequence[Apart], best: Sequence[Apart]) -> dict[str, float]:
    """The mean cosine of sums, and its ratio to that of the sums of orthogonal matching pursuit."""
    ours, theirs = (float(np.mean([each.cosines[-1] for each in some])) for some in (found, best))
    return {"cosine of eight terms": ours, "cosine of that of pursuit": ours / theirs}


def without_mean(vectors: np.ndarray) -> np.ndarray:
    """Unit rows, and then their mean taken away."""
    unit = normalize(vectors)
    return unit - unit.mean(axis=0)


def seconds(space: Space, times: int = 20) -> float:
    """The median time of an answer."""
    words, took = without_mean(space.embed_texts(word_bank())), []
    points = without_mean(space.embeddings("pictures"))
    for point in points[:: len(points) // times]:
        begun = time.perf_counter()
        take_apart(point, words, TERMS)
        took.append(time.perf_counter() - begun)
    return float(np.median(took))


def genuine_texts(folder: Path) -> tuple[dict[str, float], list[str]]:
    """Names of COCO's classes by all other names of COCO and LVIS: figures, and the sums. Vectors by ViT-B/32."""
    held = np.load(folder / TEXTS)
    names = np.array([re.sub("^an? ", "", text).replace("_", " ") for text in held["text"].tolist()])
    words, own = without_mean(held["text_vectors"]), np.flatnonzero(held["source"] == "coco")
    found, best = (
        [method(words[row], words, TERMS, without=np.flatnonzero(names == names[row]).tolist()) for row in own]
        for method in (take_apart, pursue)
    )
    figures = {f"B/32 texts: {name}": value for name, value in _cosines(found, best).items()}
    return figures, [_written(names[row], names, each) for row, each in zip(own, found, strict=True)]


def genuine_pairs(folder: Path, least: int = 3) -> tuple[dict[str, float], list[str]]:
    """Photographs by the words of captions: figures, and the sums. Vectors by ViT-B/16.

    A word is the mean of the captions that have it, at least so many; the photograph's own caption is left out.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    held = np.load(folder / PAIRS)
    pictures, texts = without_mean(held["image_vectors"]), without_mean(held["text_vectors"])
    reader = CountVectorizer(stop_words="english", min_df=least, binary=True)
    has = reader.fit_transform(held["caption"].tolist()).toarray().astype(np.float32)
    bank = reader.get_feature_names_out()
    found, best, shares = [], [], []
    for own, picture in enumerate(pictures):
        others = has.copy()
        others[own] = 0
        words = others.T @ texts / others.sum(axis=0)[:, None]
        found.append(take_apart(picture, words, TERMS))
        best.append(pursue(picture, words, TERMS))
        shares.append(has[:, found[-1].rows[:SHOWN]].any(axis=1))  # which captions say one of the first words
    right = np.array(shares)
    figures = {
        "a word of its caption in five terms": float(np.diag(right).mean()),
        "a word of another’s caption": float(right[~np.eye(len(right), dtype=bool)].mean()),
        **_cosines(found, best),
    }
    sums = [_written(caption, bank, each) for caption, each in zip(held["caption"].tolist(), found, strict=True)]
    return {f"B/16 photographs: {name}": value for name, value in figures.items()}, sums


def _written(name: str, bank: Sequence[str], found: Apart) -> str:
    terms = zip(found.weights[:SHOWN], found.rows[:SHOWN], strict=True)
    return f"{name} ≈ {' + '.join(f'{weight:.2f}*{bank[row]}' for weight, row in terms)} + …  ({found.cosines[-1]:.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--vectors", type=Path, help="a folder of genuine CLIP vectors")
    options = parser.parse_args()
    space = Space.open()
    print(table(taken_apart(space), BARS))
    print(f"\nan answer takes {seconds(space):.3f} s; bar: {SECONDS} s")
    for genuine in (genuine_texts, genuine_pairs) if options.vectors else ():
        figures, written = genuine(options.vectors)
        print(f"\n{table(figures, {})}\n")
        print(*written[:: len(written) // 10], sep="\n")


if __name__ == "__main__":
    main()
