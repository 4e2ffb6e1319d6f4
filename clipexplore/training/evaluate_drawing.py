"""How good the bundled drawing model is, on prompts and pictures it has never seen, judged by a CLIP it has never met.

    python -m clipexplore.training.train_clip --run runs/judge --seed 1 --hours 3 --cooldown --columns 1.5 --lesson things && python -m clipexplore.training.train_clip --run runs/judge --seed 1 --export assets/training/judge
    python -m clipexplore.training.evaluate_drawing --sheet assets/drawings.png          # about fifteen minutes on one core

prints one table. What a picture shows is asked of the judge, a second CLIP of the same recipe and another seed, and beside each figure stands the same
for the true scenes, which no drawing can exceed by much; without a judge those rows are left out. How near a drawing comes to a point is asked of the
bundled CLIP, whose points they are.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

from ..embedder import Embedder
from ..images import contact_sheet
from ..renderer import Renderer
from ..settings import settings
from ..vectors import normalize
from ..zeroshot import class_embeddings
from . import captions
from .evaluate import TEMPLATES, embed_scenes, held_out_scenes
from .places import BACKGROUND_COLOURS, COLOURS, PLACES
from .scenes import HEADWEAR, HELD_OUT, WEARERS, Scene, alone, draw, dressed
from .things import things

TOGETHER = 12  # prompts that share a seed
FIRST = HELD_OUT + (1 << 22)
BARS = {
    "right thing, top-1": 0.50, "right thing, top-5": 0.75, "right colour against a rival": 0.90, "right place against a rival": 0.90,
    "headwear as asked for": 0.85, "closed loop: cosine": 0.75, "closed loop: own scene nearest of 1,500": 0.60,
    "caption's vector, shifted: cosine": 0.60, "arithmetic of texts, shifted: cosine": 0.60, "autoencoder round trip, dB": 27.0,
}  # fmt: skip


def prompts(number: int) -> list[Scene]:
    """Held-out scenes whose literal captions are the prompts, three kinds in turn: a coloured thing on a colour, a thing in a place, a wearer dressed or not."""
    rng, names = Random(FIRST), [thing.name for thing in things()]
    found = []
    for seed in range(FIRST, FIRST + number):
        if seed % 3 == 0:
            background, colour = rng.choice(BACKGROUND_COLOURS), rng.choice(list(COLOURS))
            found.append(alone(seed, rng.choice(names), background=background, colour=colour if colour != background else "white"))
        elif seed % 3 == 1:
            found.append(alone(seed, rng.choice(names), rng.choice(list(PLACES))))
        else:
            headwear = rng.choice(list(HEADWEAR)) if rng.random() < 0.5 else None
            found.append(dressed(seed, rng.choice(list(WEARERS)), headwear, None, None, None))
    return found


def rival(one: Scene, rng: Random) -> Scene:
    """The same scene with one word changed: another colour or place, the headwear off, or some on."""
    first = one.items[0]
    if one.kind == "worn":
        return dressed(one.seed, first.name, None if one.worn("headwear") else rng.choice(list(HEADWEAR)), None, None, None)
    if one.place:
        return replace(one, place=rng.choice([place for place in PLACES if place != one.place]))
    return replace(one, items=(replace(first, colour=rng.choice([colour for colour in COLOURS if colour != first.colour])),))


def judged(judge: Embedder, scenes: list[Scene], pictures: list[Image.Image]) -> dict[str, float]:
    """What the judge sees in pictures that are to show these scenes; shares in [0, 1]."""
    rng, vectors, right = Random(0), judge.embed_images(pictures), judge.embed_texts([captions.literal(one) for one in scenes])
    wrong = judge.embed_texts([captions.literal(rival(one, rng)) for one in scenes])
    won = (vectors * right).sum(1) > (vectors * wrong).sum(1)
    dressed_ones, placed = np.array([one.kind == "worn" for one in scenes]), np.array([one.place is not None for one in scenes])
    names = [thing.name for thing in things()]
    cosines = vectors[~dressed_ones] @ class_embeddings(judge.embed_texts, [thing.one for thing in things()], TEMPLATES).T
    own = np.array([names.index(one.items[0].name) for one in scenes])[~dressed_ones]
    ranks = (cosines >= cosines[np.arange(len(own)), own][:, None]).sum(1)  # a tie counts against it
    return {
        "right thing, top-1": float(np.mean(ranks <= 1)), "right thing, top-5": float(np.mean(ranks <= 5)),
        "right colour against a rival": float(won[~dressed_ones & ~placed].mean()), "right place against a rival": float(won[placed].mean()),
        "headwear as asked for": float(won[dressed_ones].mean()),
    }  # fmt: skip


def drawn(renderer: Renderer, say: Callable[[str], object] = lambda line: None, **conditions: np.ndarray) -> list[Image.Image]:
    """A picture of each row of the one condition given, each dozen from a seed of its own."""
    ((name, rows),) = conditions.items()
    pictures = []
    for seed, start in enumerate(range(0, len(rows), TOGETHER)):
        pictures += renderer.render(**{name: rows[start : start + TOGETHER]}, seed=seed)
        say(f"{len(pictures)} of {len(rows)} {name}")
    return pictures


def closed_loop(renderer: Renderer, embedder: Embedder, number: int, bank: int = 1_500) -> dict[str, float]:
    """Draws embeddings of held-out pictures and embeds what was drawn: its cosine to the target, and how often the target is the nearest of the bank."""
    targets = embed_scenes(embedder, held_out_scenes(bank))
    again = embedder.embed_images(drawn(renderer, embeddings=targets[:number]))
    cosines = again @ targets.T
    own = np.diag(cosines)
    return {"closed loop: cosine": float(own.mean()), "closed loop: own scene nearest of 1,500": float(np.mean(cosines.argmax(1) == np.arange(len(own))))}


def across(renderer: Renderer, embedder: Embedder, number: int) -> dict[str, float]:
    """Captions' vectors, and A with headwear − A + B of texts and of pictures, drawn: the cosine of the picture to the true one's, with and without the shift."""
    scenes = held_out_scenes(number)
    figures = _with_and_without(renderer, embedder, "caption's vector", embedder.embed_texts([captions.literal(one) for one in scenes]), scenes)
    scenes, triples = arithmetic(number)
    texts = [embedder.embed_texts([captions.literal(one) for one in each]) for each in triples]
    pictures = [embed_scenes(embedder, each) for each in triples]
    figures |= _with_and_without(renderer, embedder, "arithmetic of texts", texts[0] - texts[1] + texts[2], scenes)
    return figures | {"arithmetic of pictures: cosine": _cosine(renderer, embedder, pictures[0] - pictures[1] + pictures[2], scenes)}


def arithmetic(number: int) -> tuple[list[Scene], list[list[Scene]]]:
    """B with headwear, and the terms A with it, A, B; of wearers, kinds of headwear and seeds at random."""
    rng, rows = Random(FIRST), []
    for seed in range(FIRST, FIRST + number):
        (a, b), kind = rng.sample(list(WEARERS), 2), rng.choice(list(HEADWEAR))
        rows.append([dressed(seed, who, what, None, None, None) for who, what in ((b, kind), (a, kind), (a, None), (b, None))])
    wanted, *terms = map(list, zip(*rows, strict=True))
    return wanted, terms


def _with_and_without(renderer: Renderer, embedder: Embedder, name: str, vectors: np.ndarray, scenes: list[Scene]) -> dict[str, float]:
    """`vectors` are sums of texts whose weights add up to 1, so they are moved by the offset once."""
    shifted, plain = (_cosine(renderer, embedder, each, scenes) for each in (vectors + renderer.gap, vectors))
    return {f"{name}, shifted: cosine": shifted, f"{name}, not shifted: cosine": plain}


def _cosine(renderer: Renderer, embedder: Embedder, vectors: np.ndarray, scenes: list[Scene]) -> float:
    return float((embedder.embed_images(drawn(renderer, embeddings=normalize(vectors))) * embed_scenes(embedder, scenes)).sum(1).mean())


def round_trip(folder: Path) -> dict[str, float]:
    """The autoencoder of a pipeline's folder in float32, there and back."""
    import torch
    from diffusers import AutoencoderKL

    from .train_autoencoder import psnr

    return {"autoencoder round trip, dB": psnr(AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32).eval())}


def table(figures: dict[str, float], true: dict[str, float]) -> str:
    """The figures as a Markdown table beside their bars and the same for true scenes."""
    rows = ["| figure | bar | drawn | true scenes |", "|---|---|---|---|"]
    for name, value in figures.items():
        bar = f"≥ {BARS[name]:.2f}" if name in BARS else ""
        rows.append(f"| {name} | {bar} | {value:.3f}{'' if value >= BARS.get(name, -1) else ' (below)'} | {f'{true[name]:.3f}' if name in true else ''} |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    assets = settings().assets
    parser.add_argument("folder", nargs="?", type=Path, default=assets / "models/emoji/unclip")
    parser.add_argument("--clip", type=Path, default=assets / "models/emoji/clip")
    parser.add_argument("--judge", type=Path, default=assets / "training/judge")
    parser.add_argument("--number", type=int, default=300, help="prompts, and pictures of the closed loop")
    parser.add_argument("--sheet", type=Path, help="write the first 64 drawings here as one picture")
    options = parser.parse_args()
    renderer, embedder = Renderer.load(options.folder, options.clip), Embedder.load(options.clip)
    judge = Embedder.load(options.judge) if options.judge.exists() else None
    scenes = prompts(options.number)
    pictures = drawn(renderer, prompt_embeds=renderer.encode_prompts([captions.literal(one) for one in scenes]), say=lambda line: print(line, flush=True))
    if options.sheet:
        contact_sheet(pictures[:64], renderer.side, 8).save(options.sheet)
    seen, true = ({}, {}) if judge is None else (judged(judge, scenes, some) for some in (pictures, [draw(one) for one in scenes]))
    figures = seen | closed_loop(renderer, embedder, options.number) | across(renderer, embedder, options.number // 2)
    print(table(figures | round_trip(options.folder), true))


if __name__ == "__main__":
    main()
