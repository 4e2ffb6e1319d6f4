"""How often “nothing here matches” is right, on scenes whose truth is known; and on genuine CLIP vectors.

    python -m clipexplore.training.presence [--vectors FOLDER]

prints one table (about a minute on one core). What `search.presence` has learned from the captions of Emoji World is
judged on the names of all things, on captions and paraphrases, on other words for them, and on sums of a thing and a
place, each asked once as the collection is, and once with every scene held out in which a word for it is true; then, as
it is, on a collection of new scenes of another mix. FOLDER holds vectors by OpenAI's ViT-B/16 of photographs and
captions.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

import numpy as np

from ..explore.search import presence
from ..labs.presence import Presence, calibrate, said_in, signs
from ..labs.semantics import tokens
from ..space import Space
from ..vectors import normalize
from . import captions
from .build_assets import emoji_world
from .evaluate import embed_scenes, table
from .places import COLOURS, PLACES
from .scenes import HELD_OUT, Scene, scene

FIRST = HELD_OUT + (1 << 29)
SECOND = 1000  # scenes of the collection that nothing was learned of
BARS = {"presence: kept": 0.90}
MOST_FALSE = 0.05  # bar of the held-out texts that are said to be here
PAIRS = "genuine_vitb16_coco_pairs.npz"
KINDS = ("names", "captions", "paraphrases")  # that the bars are of; other words and sums are stated


@dataclass(frozen=True)
class Question:
    """A text or the sum of two, and the thing it is about: held out, that thing is gone and the place is not."""

    kind: str
    texts: tuple[str, ...]
    thing: str


def presence_figures(space: Space) -> dict[str, float]:
    """Every figure by name: the share of texts kept of those that are here, and of those held out the share that is
    said to be.
    """
    learned = presence(space)
    assert learned is not None
    own = [one for _, one in emoji_world()]
    pictures = space.embeddings("pictures")
    new = [scene(seed) for seed in range(FIRST, FIRST + SECOND)]
    return {
        "presence: kept, as measured by itself": learned.kept,
        "presence: false, as measured by itself": learned.false,
        **_named("", _judged(space, learned, own, pictures)),
        **_named(" of a second collection", _judged(space, learned, new, embed_scenes(space.embedder, new))),
    }


def _named(of: str, shares: dict[str, tuple[float, float]]) -> dict[str, float]:
    pairs = ((kind and f", {kind}", pair) for kind, pair in shares.items())
    return {
        f"presence{of}: {name}{kind}": share
        for kind, pair in pairs
        for name, share in zip(("kept", "false"), pair, strict=True)
    }


def _judged(
    space: Space, learned: Presence, scenes: Sequence[Scene], pictures: np.ndarray
) -> dict[str, tuple[float, float]]:
    """By kind of question the shares kept and false, first under "" those of the kinds that have bars, together."""
    asked = questions(scenes)
    vectors = dict(
        zip(texts := sorted({text for one in asked for text in one.texts}), space.embed_texts(texts), strict=True)
    )
    points = normalize(np.stack([sum(vectors[text] for text in one.texts) for one in asked]))
    given = points, pictures, space.embeddings("words"), space.model.logit_scale
    here, held_out = learned.here(signs(*given)), learned.here(signs(*given, gone(asked, scenes)))
    kinds = np.array([one.kind for one in asked])
    which = {"": np.isin(kinds, KINDS)} | {kind: kinds == kind for kind in dict.fromkeys(kinds.tolist())}
    return {kind: (float(here[used].mean()), float(held_out[used].mean())) for kind, used in which.items()}


def questions(scenes: Sequence[Scene]) -> list[Question]:
    """One of each kind for every thing in the scenes: its name, another word for it, the caption of a scene with it and
    the same in other words, and the sum of its name and the place of such a scene.
    """
    rng, found, kinds = Random(0), [], set(captions.KINDS.values())
    having: dict[str, list[Scene]] = {}
    for one in scenes:
        for item in one.items:
            having.setdefault(item.name, []).append(one)
    for name, some in sorted(having.items()):
        one = rng.choice(some)
        others = [
            word for word in captions.item_words(next(i for i in one.items if i.name == name))[1:] if word not in kinds
        ]
        found += [
            Question("names", (name,), name),
            Question("captions", (captions.literal(one),), name),
            Question("paraphrases", (captions.synonymous(one, rng),), name),
            *(Question("other words", (word,), name) for word in others[:1]),
            *(Question("sums", (name, PLACES[one.place].words[0]), name) for _ in range(bool(one.place))),
        ]
    return found


def gone(asked: Sequence[Question], scenes: Sequence[Scene]) -> np.ndarray:
    """`(q, n)` bool: the scenes held out for each question, in which any word for its thing is true of some thing."""
    having: dict[str, set[int]] = {}
    for row, one in enumerate(scenes):
        for word in {word for item in one.items for text in captions.item_words(item) for word in _stems(text)}:
            having.setdefault(word, set()).add(row)
    found = np.zeros((len(asked), len(scenes)), bool)
    for number, one in enumerate(asked):
        about = _stems(one.thing) | (set().union(*map(_stems, one.texts)) - _elsewhere())
        found[number, sorted(set().union(*(having.get(word, ()) for word in about)))] = True
    return found


@cache
def _elsewhere() -> frozenset[str]:
    """The words of a caption that are of no thing: of places, colours, numbers, sides and frames."""
    said = [*captions.FRAMES, *captions.BACKGROUND, *captions.WEARING, *captions.NUMBERS.values(), *COLOURS]
    said += [word for words in captions.COLOUR_WORDS.values() for word in words]
    said += [text for place in PLACES.values() for text in (place.phrase, *place.words, *place.synonyms)]
    said += [text for texts in captions.RELATIONS.values() for text in texts] + ["a an the and"]
    return frozenset().union(*map(_stems, said))


def _stems(text: str) -> set[str]:
    return {word[:-1] if len(word) > 3 and word.endswith("s") else word for word in tokens(text)}


def genuine(folder: Path) -> dict[str, float]:
    """Photographs and their captions by ViT-B/16, of each other: learned and judged on halves of the captions."""
    held = np.load(folder / PAIRS)
    pictures, texts = normalize(held["image_vectors"]), normalize(held["text_vectors"])
    given = texts, pictures, texts, 100.0
    shares = said_in(held["caption"].tolist(), held["caption"].tolist())[1].toarray()
    learned = calibrate(signs(*given), signs(*given, shares))
    return {"B/16 captions: kept": learned.kept, "B/16 captions: false": learned.false}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--vectors", type=Path, help="a folder of genuine CLIP vectors")
    options = parser.parse_args()
    print(table(presence_figures(Space.open()), BARS))
    print(f"\nbar of what is false: at most {MOST_FALSE}")
    if options.vectors:
        print(f"\n{table(genuine(options.vectors), {})}")


if __name__ == "__main__":
    main()
