"""How good the bundled CLIP is, on scenes it has never seen.

    python -m clipexplore.training.evaluate [MODEL_FOLDER]

prints one table (about three minutes on one core): retrieval, zero-shot, one-word rivals, headwear arithmetic and its
transfer. Every figure is computed on seeds from `HELD_OUT` on; `assets/README.md` and the README quote this table.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np

from ..known import Known
from ..labs.zeroshot import class_embeddings
from ..models.embedder import Embedder
from ..settings import settings
from ..vectors import normalize
from . import captions
from .places import COLOURS, PLACES
from .scenes import HEADWEAR, HELD_OUT, MAKERS, WEARERS, Scene, alone, draw, dressed, scene
from .things import things

# What counts as a headwear word among the words of the bank, and which each kind has alone.
HEADWEAR_WORDS = {word for words in HEADWEAR.values() for word in words}
OWN_WORDS = {kind: {kind} for kind in HEADWEAR}
FIGURES = "figures.json"  # what the pages state, among the assets
TEMPLATES = ("{}", "a photo of {}", "a picture of {}", "an emoji of {}")
BARS = {
    "scene → caption R@1": 0.70,
    "scene → caption R@5": 0.95,
    "caption → scene R@1": 0.70,
    "caption → scene R@5": 0.95,
    "scene → synonyms R@5": 0.80,
    "synonyms → scene R@5": 0.80,
    "zero-shot top-1": 0.85,
    "zero-shot top-5": 0.97,
    "colour against rival": 0.97,
    "place against rival": 0.97,
    "count against rival": 0.90,
    "left–right against rival": 0.90,
    "headwear word first": 0.85,
    "headwear word in first three": 0.97,
    "own word first of headwear": 0.60,
    "median z of the first": 4.0,
    "transfer to another wearer": 0.80,
}


def evaluate(embedder: Embedder) -> dict[str, float]:
    """Every figure of the table by name; shares in [0, 1], z in standard deviations of the bank."""
    return retrieval(embedder) | zero_shot(embedder) | rivals(embedder) | headwear(embedder)


def held_out_scenes(number: int) -> list[Scene]:
    """The first held-out scenes whose literal captions all differ."""
    found: dict[str, Scene] = {}
    seed = HELD_OUT
    while len(found) < number:
        found.setdefault(captions.literal(scene(seed)), scene(seed))
        seed += 1
    return list(found.values())


def retrieval(embedder: Embedder, number: int = 2000) -> dict[str, float]:
    scenes, rng = held_out_scenes(number), Random(0)
    pictures = embed_scenes(embedder, scenes)
    figures = {}
    for name, texts in (
        ("caption", [captions.literal(one) for one in scenes]),
        ("synonyms", [captions.synonymous(one, rng) for one in scenes]),
    ):
        cosines = pictures @ embedder.embed_texts(texts).T
        for direction, matrix in ((f"scene → {name}", cosines), (f"{name} → scene", cosines.T)):
            figures |= {f"{direction} R@{k}": recall(matrix, k) for k in (1, 5)}
    return figures


def recall(cosines: np.ndarray, k: int) -> float:
    """The share of rows whose partner on the diagonal is among the k highest; a tie counts against it."""
    if not np.isfinite(cosines).all():
        raise ValueError("a cosine is not finite")
    return float(np.mean((cosines >= np.diag(cosines)[:, None]).sum(1) <= k))


def bare_scenes() -> list[Scene]:
    """Every thing once, alone, in its own colours, on a background drawn from a held-out seed."""
    grounds = [MAKERS["single"](seed, Random(seed)) for seed in range(HELD_OUT, HELD_OUT + len(things()))]
    return [
        alone(one.seed, thing.name, one.place, one.background) for one, thing in zip(grounds, things(), strict=True)
    ]


def zero_shot(embedder: Embedder) -> dict[str, float]:
    """The name of every thing, among those of all, from its picture."""
    classes = class_embeddings(embedder.embed_texts, [thing.one for thing in things()], TEMPLATES)
    cosines = embed_scenes(embedder, bare_scenes()) @ classes.T
    return {f"zero-shot top-{k}": recall(cosines, k) for k in (1, 5)}


def rivals(embedder: Embedder, number: int = 1000) -> dict[str, float]:
    """How often the right caption beats the same caption with one word changed."""
    rng = Random(0)
    cases: dict[str, list[tuple[Scene, Scene]]] = {"colour": [], "place": [], "count": [], "left–right": []}
    seed = HELD_OUT + (1 << 20)
    while min(map(len, cases.values())) < number:
        one = scene(seed)
        seed += 1
        for name, rival in _rivals_of(one, rng):
            cases[name].append((one, rival))
    figures = {}
    for name, pairs in cases.items():
        pictures = embed_scenes(embedder, [one for one, _ in pairs[:number]])
        right = embedder.embed_texts([captions.literal(one) for one, _ in pairs[:number]])
        wrong = embedder.embed_texts([captions.literal(rival) for _, rival in pairs[:number]])
        figures[f"{name} against rival"] = float(np.mean((pictures * right).sum(1) > (pictures * wrong).sum(1)))
    return figures


def _rivals_of(one: Scene, rng: Random):
    first = one.items[0]
    if one.kind == "single" and first.colour:
        other = rng.choice([colour for colour in COLOURS if colour != first.colour])
        yield "colour", replace(one, items=(replace(first, colour=other),))
    if one.place:
        yield "place", replace(one, place=rng.choice([place for place in PLACES if place != one.place]))
    if one.kind == "count":
        number = rng.choice([n for n in (2, 3, 4, 5) if n != one.count])
        yield "count", replace(one, items=(first,) * number)
    if one.relation in ("left", "right"):
        yield "left–right", replace(one, relation={"left": "right", "right": "left"}[one.relation])


def headwear(
    embedder: Embedder, bank: Sequence[str] = (), names: Mapping[str, set[str]] = OWN_WORDS
) -> dict[str, float]:
    """image(with) − image(without) against the bank, and image(A with) − image(A) + image(B) among all wearers.

    Parameters
    ----------
    bank
        By default the one that is shipped.
    names
        What each kind of headwear alone is called.
    """
    wearers, kinds, seed = list(WEARERS), [None, *HEADWEAR], HELD_OUT + (1 << 21)
    scenes = [dressed(seed, wearer, kind, None, None, None) for wearer in wearers for kind in kinds]
    vectors = embed_scenes(embedder, scenes).reshape(len(wearers), len(kinds), -1)
    bank = bank or word_bank()
    words = embedder.embed_texts(bank)
    differences = normalize((vectors[:, 1:] - vectors[:, :1]).reshape(-1, vectors.shape[-1]))
    cosines = differences @ words.T
    is_headwear = np.array([word in HEADWEAR_WORDS.union(*names.values()) for word in bank])
    order = np.argsort(-cosines, axis=1)
    own = [names[kind] for kind in kinds[1:]] * len(wearers)
    best_headwear = np.where(is_headwear, cosines, -2).argmax(1)
    z = (cosines.max(1) - cosines.mean(1)) / cosines.std(1)
    return {
        "headwear word first": float(is_headwear[order[:, 0]].mean()),
        "headwear word in first three": float(is_headwear[order[:, :3]].any(1).mean()),
        "own word first of headwear": float(
            np.mean([bank[index] in right for index, right in zip(best_headwear, own, strict=True)])
        ),
        "median z of the first": float(np.median(z)),
        "transfer to another wearer": transfer(vectors),
    }


def transfer(vectors: np.ndarray) -> float:
    """How often A with − A + B is nearest to B with; `vectors` (wearers, kinds, dim), bare first; the three inputs are
    left out.
    """
    wearers, kinds, dim = vectors.shape
    everything, hits = vectors.reshape(-1, dim), []
    for a in range(wearers):
        for b in range(wearers):
            for kind in range(1, kinds if a != b else 1):
                cosines = everything @ (vectors[a, kind] - vectors[a, 0] + vectors[b, 0])
                cosines[[a * kinds + kind, a * kinds, b * kinds]] = -np.inf
                hits.append(cosines.argmax() == b * kinds + kind)
    return float(np.mean(hits))


def word_bank() -> list[str]:
    """Bare words of the grammar, of at most two parts: the bank that figures are compared by, whatever is shipped."""
    return captions.short(captions.vocabulary())


def embed_scenes(embedder: Embedder, scenes: list[Scene]) -> np.ndarray:
    return embedder.embed_images([draw(one) for one in scenes])


def table(figures: dict[str, float], bars: Mapping[str, float] = BARS) -> str:
    """The figures as a Markdown table beside their bars."""
    rows = ["| figure | bar | measured |", "|---|---|---|"]
    for name, value in figures.items():
        bar = f"≥ {bars[name]:.2f}" if name in bars else ""
        rows.append(f"| {name} | {bar} | {value:.3f}{'' if value >= bars.get(name, 0) else ' (below)'} |")
    return "\n".join(rows)


def add_figures(revision: str, figures: dict[str, float], path: Path | None = None) -> dict[str, float]:
    """Writes figures, with the revision of the model that they are true of, beside those of the same revision that are
    there; gives all of them.
    """
    path = path or settings().assets / FIGURES
    before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    found = before["figures"] if before.get("revision") == revision else {}
    found |= {name: round(value, 5) for name, value in figures.items()}
    written = json.dumps({"revision": revision, "figures": found}, indent=1, ensure_ascii=False)
    path.write_text(f"{written}\n", encoding="utf-8")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=settings().assets / "models/emoji/clip")
    parser.add_argument("--words", action="store_true", help="only what is about words, which takes a minute")
    parser.add_argument("--photographs", type=Path, help="a folder of photographs that scenes are told from")
    options = parser.parse_args()
    embedder = Embedder.load(options.folder)
    if not options.words:
        print(table(evaluate(embedder)))
    from .evaluate_words import BARS as WORD_BARS
    from .evaluate_words import evaluate_words, photographs  # which imports what is here

    figures = evaluate_words(embedder, Known.load(options.folder))
    print(table(figures | (photographs(options.photographs) if options.photographs else {}), WORD_BARS))


if __name__ == "__main__":
    main()
