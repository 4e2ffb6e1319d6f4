"""How good the bundled drawing model is, on prompts and pictures it has never seen, judged by a CLIP it has never met.

    python -m clipexplore.training.evaluate_drawing --sheet assets/drawings.png
    python -m clipexplore.training.evaluate_drawing --show runs/shown.png

The first prints one table, in about an hour on one core without bfloat16. What a picture shows is asked of the judge, a
second CLIP of the same recipe and another seed, which `train_clip --run runs/judge --seed 1 --hours 3 --cooldown
--columns 1.5 --lesson things` makes, and of the classifier of `train_classifier`, which is harder; beside each figure
stands the same for the true scenes, which no drawing can exceed by much. How near a drawing comes to a point is asked
of the bundled CLIP, whose points they are. The second draws two dozen things in random order, for a person to name.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random, sample

import numpy as np
from PIL import Image

from ..draw.renderer import Renderer
from ..images import contact_sheet
from ..labs.contrast import crossed
from ..labs.zeroshot import class_embeddings
from ..models.embedder import Embedder
from ..points import across_gap
from ..settings import settings
from ..space import Space
from ..vectors import normalize
from . import captions
from .evaluate import TEMPLATES, embed_scenes, held_out_scenes
from .places import COLOURS, PLACES
from .scenes import HEADWEAR, HELD_OUT, MAKERS, WEARERS, Scene, alone, coloured, draw, dressed, placed
from .things import by_name, things
from .train_classifier import CLASSIFIER, Classifier

TOGETHER = 12  # prompts that share a seed
FIRST = HELD_OUT + (1 << 22)
BARS = {
    "right thing, top-1": 0.60,
    "right thing, top-5": 0.85,
    "from embeddings: right thing, top-1": 0.55,
    "from embeddings: right thing, top-5": 0.80,
    "classifier: right thing, top-1": 0.60,
    "classifier, from embeddings: right thing, top-1": 0.55,
    "right colour against a rival": 0.97,
    "right place against a rival": 0.97,
    "headwear as asked for": 0.95,
    "right count of one to four": 0.80,
    "left–right against a rival": 0.80,
    "edges, over those of true scenes": 0.85,
    "closed loop: cosine": 0.85,
    "closed loop: own scene nearest of 1,500": 0.85,
    "caption's vector, across the map: cosine": 0.80,
    "arithmetic of texts, across the map: cosine": 0.80,
    "autoencoder round trip, dB": 27.0,
}

SHOWN = (
    "lion in the jungle",
    "lion in the snow",
    "lion",
    "frog with a crown",
    "man with a top hat",
    "penguin",
    "pizza",
    "three cats at night",
    "a blue rose",
    "grinning face with sunglasses",
    "a red car",
    "a cat with a crown",
    "a penguin in the snow",
    "a house on the beach",
    "a football",
    "a hot dog",
    "robot with a crown",
    "cat left of a butterfly",
    "owl",
    "guitar",
    "elephant",
    "rocket at night",
    "umbrella in the rain",
    "@man-top-hat - @man + frog",
)


def prompts(number: int) -> list[Scene]:
    """Held-out scenes whose literal captions are the prompts, three kinds in turn: a coloured thing on a colour, a
    thing in a place, a wearer dressed or not.
    """
    rng, names = Random(FIRST), [thing.name for thing in things()]
    found = []
    for seed in range(FIRST, FIRST + number):
        if seed % 3 == 0:
            found.append(coloured(seed, rng, names))
        elif seed % 3 == 1:
            found.append(placed(seed, rng, names))
        else:
            headwear = rng.choice(list(HEADWEAR)) if rng.random() < 0.5 else None
            found.append(dressed(seed, rng.choice(list(WEARERS)), headwear, None, None, None))
    return found


def rival(one: Scene, rng: Random) -> Scene:
    """The same scene with one word changed: another colour or place, the headwear off, or some on."""
    first = one.items[0]
    if one.kind == "worn":
        return dressed(
            one.seed, first.name, None if one.worn("headwear") else rng.choice(list(HEADWEAR)), None, None, None
        )
    if one.place:
        return replace(one, place=rng.choice([place for place in PLACES if place != one.place]))
    return replace(
        one, items=(replace(first, colour=rng.choice([colour for colour in COLOURS if colour != first.colour])),)
    )


def judged(judge: Embedder, scenes: list[Scene], pictures: list[Image.Image]) -> dict[str, float]:
    """What the judge sees in pictures that are to show these scenes; shares in [0, 1]."""
    rng, vectors, right = (
        Random(0),
        judge.embed_images(pictures),
        judge.embed_texts([captions.literal(one) for one in scenes]),
    )
    wrong = judge.embed_texts([captions.literal(rival(one, rng)) for one in scenes])
    won = (vectors * right).sum(1) > (vectors * wrong).sum(1)
    dressed_ones, placed = (
        np.array([one.kind == "worn" for one in scenes]),
        np.array([one.place is not None for one in scenes]),
    )
    names = [thing.name for thing in things()]
    cosines = (
        vectors[~dressed_ones] @ class_embeddings(judge.embed_texts, [thing.one for thing in things()], TEMPLATES).T
    )
    own = np.array([names.index(one.items[0].name) for one in scenes])[~dressed_ones]
    ranks = (cosines >= cosines[np.arange(len(own)), own][:, None]).sum(1)  # a tie counts against it
    return {
        "right thing, top-1": float(np.mean(ranks <= 1)),
        "right thing, top-5": float(np.mean(ranks <= 5)),
        "right colour against a rival": float(won[~dressed_ones & ~placed].mean()),
        "right place against a rival": float(won[placed].mean()),
        "headwear as asked for": float(won[dressed_ones].mean()),
    }


def named(classifier: Classifier, scenes: list[Scene], pictures: list[Image.Image]) -> float:
    """How often the classifier names what a picture is to show, in [0, 1]; whoever wears something is not asked."""
    bare = [(picture, one) for picture, one in zip(pictures, scenes, strict=True) if one.kind != "worn"]
    ranks = classifier.ranks([picture for picture, _ in bare], [one.items[0].name for _, one in bare])
    return float(np.mean(ranks <= 1))


def classifier_of(path: Path) -> Classifier | None:
    """The classifier of a file; None, and a word about it, where there is none."""
    if path.exists():
        return Classifier.load(path)
    print(f"there is no {path}, which train_classifier makes: what the classifier sees is left out")
    return None


def counted(number: int) -> list[Scene]:
    """Held-out scenes of one to four of a thing, in turn."""
    rng, names = Random(FIRST), [thing.name for thing in things() if thing.plural]
    return [
        alone(seed, name) if seed % 4 == 0 else MAKERS["count"](seed, Random(seed), name, seed % 4 + 1)
        for seed in range(FIRST, FIRST + number)
        for name in [rng.choice(names)]
    ]


def right_counts(judge: Embedder, scenes: list[Scene], pictures: list[Image.Image]) -> dict[str, float]:
    """How often the judge, asked whether there are one, two, three or four of it, names the right number."""
    texts = [text for one in scenes for text in numbered(one)]
    cosines = (judge.embed_images(pictures)[:, None] * judge.embed_texts(texts).reshape(len(scenes), 4, -1)).sum(2)
    return {"right count of one to four": float(np.mean(cosines.argmax(1) == [len(one.items) - 1 for one in scenes]))}


def numbered(one: Scene) -> list[str]:
    """What is in a scene, said as one, two, three and four of it."""
    thing = by_name()[one.items[0].name]
    return [thing.one, *(f"{captions.NUMBERS[count]} {thing.plural}" for count in (2, 3, 4))]


def sided(number: int) -> list[Scene]:
    """Held-out scenes of one thing to the left or right of another."""
    return [
        MAKERS["pair"](seed, Random(seed), relation=("left", "right")[seed % 2])
        for seed in range(FIRST, FIRST + number)
    ]


def right_sides(judge: Embedder, scenes: list[Scene], pictures: list[Image.Image]) -> dict[str, float]:
    """How often the judge prefers the caption to the one with left and right exchanged."""
    other = {"left": "right", "right": "left"}
    right, wrong = (
        judge.embed_texts([captions.literal(one) for one in some])
        for some in (scenes, [replace(one, relation=other[one.relation]) for one in scenes])
    )
    vectors = judge.embed_images(pictures)
    return {"left–right against a rival": float(np.mean((vectors * right).sum(1) > (vectors * wrong).sum(1)))}


def edges(pictures: list[Image.Image]) -> float:
    """The mean difference between neighbouring pixels, in levels of 255."""
    levels = np.stack([np.asarray(picture.convert("RGB"), np.float32) for picture in pictures])
    return float(np.mean([np.abs(np.diff(levels, axis=axis)).mean() for axis in (1, 2)]))


def conditions_of(renderer: Renderer, embedder: Embedder, texts: list[str]) -> dict[str, np.ndarray]:
    """What texts are drawn from, as a walk between them is: token states, and the points that they lead to across the
    gap.
    """
    assert renderer.gap is not None
    points = crossed(_as_sums(embedder.embed_texts(texts)), renderer.gap)
    return {"prompt_embeds": renderer.encode_prompts(texts), "embeddings": points}


def _as_sums(vectors: np.ndarray) -> np.ndarray:
    """Sums of texts `(n, dim)` whose weights add up to 1, as `crossed` takes them."""
    return np.pad(vectors, ((0, 0), (0, 1)), constant_values=1)


def drawn(
    renderer: Renderer, say: Callable[[str], object] = lambda line: None, **conditions: np.ndarray
) -> list[Image.Image]:
    """A picture of each row of the conditions given, each dozen from a seed of its own."""
    count, pictures = len(next(iter(conditions.values()))), []
    for seed, start in enumerate(range(0, count, TOGETHER)):
        some = {name: rows[start : start + TOGETHER] for name, rows in conditions.items()}
        pictures += renderer.render(**some, seed=seed)
        say(f"{len(pictures)} of {count} {' and '.join(conditions)}")
    return pictures


def show(renderer: Renderer, space: Space, path: Path, expressions: Sequence[str] = SHOWN) -> None:
    """Draws each as the app does – a text from its tokens too, all from their vectors across the gap – into one picture
    without labels, in random order; what is where is written beside it, for afterwards.
    """
    order = sample(expressions, len(expressions))
    pictures = []
    for point in map(space.point, order):
        given = {"prompt_embeds": renderer.encode_prompts([point.one_text])} if point.one_text else {}
        pictures += renderer.render(**given, embeddings=across_gap(point, renderer.gap)[None])
    contact_sheet(pictures, renderer.side, 6).save(path)
    path.with_suffix(".txt").write_text("\n".join(order) + "\n")


def closed_loop(renderer: Renderer, embedder: Embedder, number: int, bank: int = 1_500) -> dict[str, float]:
    """Draws embeddings of held-out pictures and embeds what was drawn: its cosine to the target, and how often the
    target is the nearest of the bank.
    """
    targets = embed_scenes(embedder, held_out_scenes(bank))
    again = embedder.embed_images(drawn(renderer, embeddings=targets[:number]))
    cosines = again @ targets.T
    own = np.diag(cosines)
    return {
        "closed loop: cosine": float(own.mean()),
        "closed loop: own scene nearest of 1,500": float(np.mean(cosines.argmax(1) == np.arange(len(own)))),
    }


def across(renderer: Renderer, embedder: Embedder, map: np.ndarray, number: int) -> dict[str, float]:
    """Captions' vectors, and A with headwear − A + B of texts and of pictures, drawn: the cosine of the picture to the
    true one's, across the map or not.
    """
    scenes = held_out_scenes(number)
    figures = _with_and_without(
        renderer,
        embedder,
        map,
        "caption's vector",
        embedder.embed_texts([captions.literal(one) for one in scenes]),
        scenes,
    )
    scenes, triples = arithmetic(number)
    texts = [embedder.embed_texts([captions.literal(one) for one in each]) for each in triples]
    pictures = [embed_scenes(embedder, each) for each in triples]
    figures |= _with_and_without(renderer, embedder, map, "arithmetic of texts", texts[0] - texts[1] + texts[2], scenes)
    return figures | {
        "arithmetic of pictures: cosine": _cosine(renderer, embedder, pictures[0] - pictures[1] + pictures[2], scenes)
    }


def arithmetic(number: int) -> tuple[list[Scene], list[list[Scene]]]:
    """B with headwear, and the terms A with it, A, B; of wearers, kinds of headwear and seeds at random."""
    rng, rows = Random(FIRST), []
    for seed in range(FIRST, FIRST + number):
        (a, b), kind = rng.sample(list(WEARERS), 2), rng.choice(list(HEADWEAR))
        rows.append(
            [dressed(seed, who, what, None, None, None) for who, what in ((b, kind), (a, kind), (a, None), (b, None))]
        )
    wanted, *terms = map(list, zip(*rows, strict=True))
    return wanted, terms


def _with_and_without(
    renderer: Renderer, embedder: Embedder, map: np.ndarray, name: str, vectors: np.ndarray, scenes: list[Scene]
) -> dict[str, float]:
    """`vectors` are sums of texts whose weights add up to 1."""
    across, plain = (_cosine(renderer, embedder, each, scenes) for each in (crossed(_as_sums(vectors), map), vectors))
    return {f"{name}, across the map: cosine": across, f"{name}, not across: cosine": plain}


def _cosine(renderer: Renderer, embedder: Embedder, vectors: np.ndarray, scenes: list[Scene]) -> float:
    return float(
        (embedder.embed_images(drawn(renderer, embeddings=normalize(vectors))) * embed_scenes(embedder, scenes))
        .sum(1)
        .mean()
    )


def round_trip(folder: Path) -> dict[str, float]:
    """The autoencoder of a pipeline's folder in float32, there and back."""
    import torch
    from diffusers import AutoencoderKL

    from .train_autoencoder import psnr

    return {
        "autoencoder round trip, dB": psnr(
            AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32).eval()
        )
    }


def table(figures: dict[str, float], true: dict[str, float]) -> str:
    """The figures as a Markdown table beside their bars and the same for true scenes."""
    rows = ["| figure | bar | drawn | true scenes |", "|---|---|---|---|"]
    for name, value in figures.items():
        bar = f"≥ {BARS[name]:.2f}" if name in BARS else ""
        rows.append(
            f"| {name} | {bar} | {value:.3f}{'' if value >= BARS.get(name, -1) else ' (below)'} "
            f"| {f'{true[name]:.3f}' if name in true else ''} |"
        )
    return "\n".join(rows)


def asked(
    renderer: Renderer,
    judge: Embedder,
    embedder: Embedder,
    number: int,
    say: Callable[[str], object],
    sheet: Path | None,
    classifier: Classifier | None,
) -> tuple[dict, dict]:
    """What the judge, and the classifier if there is one, see in drawings of texts and of embeddings, and in true
    scenes.
    """

    def of_texts(scenes: list[Scene]) -> list[Image.Image]:
        return drawn(renderer, say, **conditions_of(renderer, embedder, [captions.literal(one) for one in scenes]))

    scenes, several, beside = prompts(number), counted(number // 3), sided(number // 3)
    pictures, truth = of_texts(scenes), [draw(one) for one in scenes]
    if sheet:
        contact_sheet(pictures[:64], renderer.side, 8).save(sheet)
    redrawn = drawn(renderer, say, embeddings=embed_scenes(embedder, scenes))
    again = judged(judge, scenes, redrawn)
    figures = judged(judge, scenes, pictures) | {
        f"from embeddings: {name}": again[name] for name in ("right thing, top-1", "right thing, top-5")
    }
    rows = ("classifier: right thing, top-1", pictures), ("classifier, from embeddings: right thing, top-1", redrawn)
    figures |= {name: named(classifier, scenes, some) for name, some in rows if classifier}
    figures |= right_counts(judge, several, of_texts(several)) | right_sides(judge, beside, of_texts(beside))
    true = (
        judged(judge, scenes, truth)
        | right_counts(judge, several, [draw(one) for one in several])
        | right_sides(judge, beside, [draw(one) for one in beside])
        | {name: named(classifier, scenes, truth) for name, _ in rows if classifier}
    )
    return figures | {"edges, over those of true scenes": edges(pictures) / edges(truth)}, true


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    assets = settings().assets
    parser.add_argument("folder", nargs="?", type=Path, default=assets / "models/emoji/unclip")
    parser.add_argument("--clip", type=Path, default=assets / "models/emoji/clip")
    parser.add_argument("--judge", type=Path, default=assets / "training/judge")
    parser.add_argument("--classifier", type=Path, default=CLASSIFIER, help="without it, its rows are left out")
    parser.add_argument("--number", type=int, default=300, help="prompts, and pictures of the closed loop")
    parser.add_argument("--sheet", type=Path, help="write the first 64 drawings here as one picture")
    parser.add_argument("--show", type=Path, help="draw two dozen things for a person to name here, and nothing else")
    options = parser.parse_args()
    renderer, embedder = Renderer.load(options.folder, options.clip), Embedder.load(options.clip)
    if options.show:
        show(renderer, Space.open(embedder=embedder), options.show)
        return
    judge = Embedder.load(options.judge)
    classifier = classifier_of(options.classifier)
    figures, true = asked(
        renderer, judge, embedder, options.number, lambda line: print(line, flush=True), options.sheet, classifier
    )
    figures |= closed_loop(renderer, embedder, options.number)
    figures |= across(renderer, embedder, renderer.gap, options.number // 2)
    print(table(figures | round_trip(options.folder), true))


if __name__ == "__main__":
    main()
