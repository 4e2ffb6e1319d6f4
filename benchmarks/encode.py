"""How fast texts and pictures become vectors: ours beside the obvious loop and beside the model alone, on the same
weights in one run.

    python -m benchmarks.encode                                   # ViT-B/32 at its true size, random weights; minutes
    python -m benchmarks.encode --photos ~/Pictures --count 64
    python -m benchmarks.encode --folder ~/.clipexplore/models/…  # a model that is here
    python -m benchmarks.encode --only pictures                   # one part; also texts, visitors, preparing
    python -m benchmarks.encode --family siglip2-b16 --count 16   # another family at its true size: pictures and texts

The obvious loop takes one picture at a time through the slow image processor, one text at a time padded to 77 tokens,
in float32. Ratios are of seconds of the processor, so that they hold on a machine with other work; where somebody
waits, of seconds. Speed does not depend on the weights.
"""

import argparse
import gc
import tempfile
import time
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.true_models import FAMILIES, write_clip, write_family
from benchmarks.visitors import measure as thirty_visitors
from benchmarks.visitors import one_by_one, shared
from clipexplore.images import encode
from clipexplore.models.cpu import has_bfloat16
from clipexplore.models.devices import calibrate_threads
from clipexplore.models.embedder import PICTURES, Embedder
from clipexplore.models.families import family_of
from clipexplore.models.preparing import Preparer
from clipexplore.models.revisions import Revisions

ROUNDS = 3  # of which the best counts; ours and theirs take turns
WORDS = (
    "a",
    "photo",
    "of",
    "the",
    "two",
    "red",
    "small",
    "cat",
    "dog",
    "lion",
    "house",
    "snow",
    "beach",
    "night",
    "man",
    "with",
    "hat",
    "on",
    "in",
    "near",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "--folder", type=Path, help="of a CLIP; by default one of the true size is made and deleted again"
    )
    parser.add_argument("--family", choices=[*FAMILIES], help="made at its true size, instead of a CLIP")
    parser.add_argument("--photos", type=Path, help="a folder of JPEGs; by default pictures are made up")
    parser.add_argument("--count", type=int, default=32, help="pictures")
    parser.add_argument("--captions", type=int, default=1024)
    parser.add_argument(
        "--only", choices=["pictures", "texts", "visitors", "preparing"], nargs="+", help="these parts; by default all"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        if options.family:
            folder = write_family(Path(scratch) / options.family, options.family)
        else:
            folder = options.folder or write_clip(Path(scratch) / "clip", "clip-b32")
        print(
            f"{calibrate_threads()} threads of {torch.backends.cpu.get_cpu_capability()}, "
            f"{'with' if has_bfloat16() else 'without'} bfloat16; {folder.name}"
        )
        photos = sorted(options.photos.glob("*.jpg")) if options.photos else made_up(Path(scratch))
        files = (photos * options.count)[: options.count]
        parts = {
            "pictures": partial(pictures, folder, files),
            "texts": partial(texts, folder, options.captions),
            "visitors": partial(visitors, folder),
            "preparing": partial(preparing, folder),
        }
        for name in options.only or (["pictures", "texts"] if options.family else parts):
            parts[name]()


def pictures(folder: Path, files: list[Path]) -> None:
    """A folder of photographs."""
    naive, ours = plain(folder), Embedder.load(folder, device="cpu", revisions=Revisions(*["benchmark"] * 3))
    squares = torch.stack([ours._prepare(path) for path in files])

    def forward() -> np.ndarray:
        with torch.inference_mode():
            parts = [
                ours._model.get_image_features(ours._prepare.normalized(each, ours._model.dtype)).pooler_output
                for each in squares.split(PICTURES["cpu"])
            ]
            return torch.cat(parts).float().numpy()

    found = race(
        {
            "one by one": lambda: np.stack([naive.picture(path) for path in files]),
            "ours": lambda: ours.embed_images(files),
            "the model alone": forward,
        }
    )
    table(f"{len(files)} photographs", found, len(files))
    bar = (5 if ours.family.model == "CLIPModel" else 4) if has_bfloat16() else 1.8
    say("pictures against one by one", found["one by one"][0] / found["ours"][0], bar)
    say("share of the model alone", found["the model alone"][0] / found["ours"][0], 0.8)
    print(
        "    smallest cosine with the vectors of the loop: "
        f"{(found['one by one'][1] * found['ours'][1]).sum(1).min():.5f}\n"
    )


def texts(folder: Path, count: int) -> None:
    """A caption file."""
    naive, ours, dice = (
        plain(folder),
        Embedder.load(folder, device="cpu", revisions=Revisions(*["benchmark"] * 3)),
        np.random.default_rng(0),
    )
    captions = [
        " ".join(dice.choice(WORDS, dice.integers(3, 7))) for _ in range(count)
    ]  # about 13 tokens, as people's captions have
    some = captions[: max(8, count // 16)]  # the loop is slow, and each of its texts takes the same time
    found = race(
        {
            "one by one": lambda: np.stack([naive.text(each) for each in some]),
            "ours": lambda: ours.embed_texts(captions),
        }
    )
    each = found["one by one"][0] / len(some), found["ours"][0] / count
    print(
        f"{count} captions of {np.mean(ours.count_tokens(captions)):.0f} tokens\n    one by one "
        f"{each[0] * 1000:8.1f} ms each\n    ours       {each[1] * 1000:8.1f} ms each"
    )
    bar = (20 if has_bfloat16() else 5) if ours.family.model == "CLIPModel" else 4 if has_bfloat16() else 1.8
    say("captions against one by one", each[0] / each[1], bar)
    print(
        "    smallest cosine with the vectors of the loop: "
        f"{(found['one by one'][1] * found['ours'][1][: len(some)]).sum(1).min():.5f}\n"
    )


def visitors(folder: Path) -> None:
    """Thirty people typing; see visitors.py."""
    naive, ours = thirty_visitors(one_by_one(folder)), thirty_visitors(shared(folder))
    print(
        f"30 visitors, 8 questions each\n    a lock {naive[0]:8.0f} requests/s   p95 "
        f"{naive[1] * 1000:6.0f} ms\n    ours   {ours[0]:8.0f} requests/s   p95 {ours[1] * 1000:6.0f} ms"
    )
    say("requests a second", ours[0] / naive[0], 15)
    say("95th percentile, times shorter", naive[1] / ours[1], 10)
    print()


def preparing(folder: Path) -> None:
    """From a JPEG to what the model sees."""
    from transformers import CLIPImageProcessorPil

    processor = CLIPImageProcessorPil.from_pretrained(folder)
    prepare, std = Preparer(processor), torch.tensor(processor.image_std).view(3, 1, 1)
    for (width, height), bar in (((640, 480), 2), ((4032, 3024), 5)):
        data = encode(scene(width, height), "JPEG", quality=90)
        found = race(
            {
                "slow processor": lambda data=data: processor([Image.open(BytesIO(data))], return_tensors="pt")[
                    "pixel_values"
                ][0],
                "ours": lambda data=data: prepare.normalized(prepare(data)[None], torch.float32)[0],
            },
            repeat=20 if width < 1000 else 3,
        )
        table(f"a JPEG of {width} × {height}", found, 20 if width < 1000 else 3)
        say("JPEG to tensor", found["slow processor"][0] / found["ours"][0], bar)
        levels = ((found["slow processor"][1] - found["ours"][1]).abs() * std * 255).max().item()
        print(f"    largest difference {levels:.2f} grey levels ({'within' if levels < 2.001 else 'NOT within'} 2)\n")


class plain:  # noqa: N801 – reads as a verb where it is used
    """A model used as the first example on the web does, by the classes of its family."""

    def __init__(self, folder: Path):
        import transformers

        family = family_of(folder)
        self._clean, self._model = family.clean, family.load_model(folder, torch.float32)
        self._tokenizer = getattr(transformers, family.tokenizer).from_pretrained(folder)
        self._processor = family.load_processor(folder)
        self._named = ["input_ids"] if family.reading == "last" else ["input_ids", "attention_mask"]

    def picture(self, path: Path) -> np.ndarray:
        with Image.open(path) as picture:
            pixels = self._processor(picture, return_tensors="pt")["pixel_values"]
        vector = self._model.get_image_features(pixels).pooler_output[0].detach().numpy()
        return vector / np.linalg.norm(vector)

    def text(self, text: str) -> np.ndarray:
        tokens = self._tokenizer([self._clean(text)], padding="max_length", truncation=True, return_tensors="pt")
        asked = {name: tokens[name] for name in self._named if name in tokens}
        vector = self._model.get_text_features(**asked).pooler_output[0].detach().numpy()
        return vector / np.linalg.norm(vector)


def race(runners: dict[str, Callable], repeat: int = 1) -> dict[str, tuple[float, object]]:
    """Of each its best seconds of the processor, for all repetitions together, and its result; in turns, after a first
    time that does not count.
    """
    results = {name: run() for name, run in runners.items()}
    best = dict.fromkeys(runners, float("inf"))
    for _ in range(ROUNDS):
        for name, run in runners.items():
            gc.collect()
            start = time.process_time()
            for _ in range(repeat):
                run()
            best[name] = min(best[name], time.process_time() - start)
    return {name: (best[name], results[name]) for name in runners}


def table(title: str, found: dict[str, tuple[float, object]], count: int) -> None:
    print(title)
    for name, (seconds, _) in found.items():
        print(f"    {name:16}{seconds / count * 1000:8.1f} ms each")


def say(what: str, ratio: float, bar: float) -> None:
    print(
        f"    {what}: {ratio:.1f} × (bar {bar} ×, {'met' if ratio >= bar else 'NOT met'})"
        if bar >= 1
        else f"    {what}: {ratio:.2f} (bar {bar}, {'met' if ratio >= bar else 'NOT met'})"
    )


def scene(width: int, height: int, seed: int = 0) -> Image.Image:
    """A picture with slopes, edges and grain, which compresses about as photographs do."""
    dice = np.random.default_rng(seed)
    coarse = Image.fromarray(dice.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    return Image.fromarray(np.clip(np.asarray(coarse) + dice.normal(0, 5, (height, width, 1)), 0, 255).astype(np.uint8))


def made_up(folder: Path) -> list[Path]:
    files = [folder / f"{number}.jpg" for number in range(8)]
    for number, path in enumerate(files):
        path.write_bytes(encode(scene(640, 480, number), "JPEG", quality=90))
    return files


if __name__ == "__main__":
    main()
