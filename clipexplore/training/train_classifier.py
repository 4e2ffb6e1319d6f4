"""Train the harder judge of drawings: a plain convolutional network that names the one thing in a picture.

    python -m clipexplore.training.train_classifier --hours 0.7 --cooldown     # starts or resumes runs/classifier
    python -m clipexplore.training.train_classifier --export runs/classifier.safetensors
    python -m clipexplore.training.train_classifier --measure runs/classifier.safetensors

It knows no word and has seen no drawing, only the pixels of true scenes: one thing in a colour on a colour, or in a
place, as `evaluate_drawing` asks for them. A CLIP that knows what was asked for forgives what no person would; this
does not.
"""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from random import Random

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn
from torch.utils.data import DataLoader, Dataset

from .muon import Muon
from .runs import Run, arguments, grouped
from .scenes import HELD_OUT, Scene, coloured, draw, placed
from .things import things

RUN = Path("runs/classifier")
CLASSIFIER = Path("runs/classifier.safetensors")
WIDTHS = (32, 64, 128, 256)  # channels at 32, 16, 8 and 4 places a side
RATE, KEEP, DECAY, WARMUP = 4e-3, 0.998, 0.02, 60
FIRST, DOUBLING = 100, 4000  # things that it begins with; pictures after which it is shown twice as many


class Block(nn.Module):
    """Two convolutions and the way round them, which the first may halve and widen (He et al. 2015)."""

    def __init__(self, inner: int, outer: int, stride: int):
        super().__init__()
        self.first = nn.Conv2d(inner, outer, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(outer, outer, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList([nn.GroupNorm(8, outer), nn.GroupNorm(8, outer)])
        self.round = nn.Identity() if stride == 1 else nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(inner, outer, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = self.norms[1](self.second(F.relu(self.norms[0](self.first(x)))))
        return F.relu(found + self.round(x))


class Classifier(nn.Module):
    """Pictures `(n, 3, 64, 64)` uint8 → a logit of each of `names`, `(n, names)`.

    Of each feature the place where it is strongest counts: by the mean of all places, 150 steps of a hundred things
    brought the loss from 4.6 to 4.4, and by the strongest to 3.1.
    """

    def __init__(self, names: list[str], widths: tuple[int, ...] = WIDTHS):
        super().__init__()
        torch.manual_seed(0)
        self.names, self.widths = names, widths
        self.stem = nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(12, widths[0], 3, 1, 1), nn.ReLU())
        pairs = zip(widths[:-1], widths[1:], strict=True)
        self.blocks = nn.Sequential(*(block for a, b in pairs for block in (Block(a, b, 2), Block(b, b, 1))))
        self.head = nn.Linear(widths[-1], len(names))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.head(self.blocks(self.stem(pixels.float() / 127.5 - 1)).amax((2, 3)))

    @torch.inference_mode()
    def ranks(self, pictures: list[Image.Image], names: list[str]) -> np.ndarray:
        """How many of its names it finds at least as likely in each picture as the true one, `(n,)` int from 1 on."""
        found = [self(small(some)).float() for some in _batches(pictures)]
        logits, own = torch.cat(found), torch.tensor([self.names.index(name) for name in names])
        return (logits >= logits.gather(1, own[:, None])).sum(1).numpy()

    def save(self, path: Path) -> None:
        """Writes the weights as float16, and what they name."""
        path.parent.mkdir(parents=True, exist_ok=True)
        about = {"names": json.dumps(self.names), "widths": json.dumps(self.widths)}
        save_file({name: value.half().contiguous() for name, value in self.state_dict().items()}, path, about)

    @classmethod
    def load(cls, path: Path) -> "Classifier":
        """What `save` wrote, to be used."""
        with safe_open(path, "pt") as file:
            model = cls(json.loads(file.metadata()["names"]), tuple(json.loads(file.metadata()["widths"])))
            model.load_state_dict({name: file.get_tensor(name).float() for name in file.keys()})  # noqa: SIM118 – a file is no dictionary
        return model.eval().requires_grad_(False)


class Training(Run):
    """The run of a classifier: convolutions inside learn by Muon, the first and last layers by AdamW."""

    def __init__(self, folder: Path, model: Classifier, device: str):
        super().__init__(folder, model, device, RATE, KEEP, DECAY, warmup=WARMUP)

    def optimizers_of(self, decay: float, betas: tuple[float, float]) -> list[torch.optim.Optimizer]:
        inner = {name for name, value in self.model.named_parameters() if name.startswith("blocks") and value.ndim > 1}
        named = dict(self.model.named_parameters())
        rest = [(name, value) for name, value in named.items() if name not in inner]
        return [
            torch.optim.AdamW(grouped(rest, decay), lr=self.rate, betas=betas, fused=True),
            Muon([named[name] for name in sorted(inner)], self.rate, decay=decay),
        ]


class Batches(Dataset):
    """Batch number → pictures `(batch, 3, 64, 64)` uint8 of the scenes from seed number × batch on, and which of the
    names is in each.

    It is shown few things at first and twice as many again and again: with all from the start, the loss was still at
    chance after 27,000 pictures.
    """

    def __init__(self, names: list[str], batch: int):
        self.names, self.batch = names, batch
        self.order = Random("order").sample(names, len(names))

    def __len__(self) -> int:
        return 1 << 30

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        some = self.order[: FIRST << min(number * self.batch // DOUBLING, 10)]
        scenes = [asked(number * self.batch + i, some) for i in range(self.batch)]
        labels = [self.names.index(one.items[0].name) for one in scenes]
        return {"pixels": small(draw(one) for one in scenes), "labels": torch.tensor(labels)}


def asked(seed: int, names: list[str]) -> Scene:
    """One thing as the prompts of drawings have it: in a colour on a colour, or in a place."""
    rng = Random(f"asked {seed}")
    return (coloured if seed % 2 else placed)(seed, rng, names)


def small(pictures: Iterable[Image.Image]) -> torch.Tensor:
    """Pictures of 128 × 128 at half their size, `(n, 3, 64, 64)` uint8."""
    return torch.from_numpy(np.stack([np.asarray(each.convert("RGB").reduce(2)) for each in pictures])).permute(
        0, 3, 1, 2
    )


def step_loss(model: Classifier, pixels: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(model(pixels).float(), labels)


def _batches(pictures: list, size: int = 64) -> list[list]:
    return [pictures[start : start + size] for start in range(0, len(pictures), size)]


def held_out(names: list[str], each: int = 2) -> list[Scene]:
    """Scenes that no training draws, so many of each thing in a colour, and as many in a place."""
    return [
        make(HELD_OUT + i * len(names) + j, Random(f"held out {i} {j}"), [name])
        for i, make in enumerate([coloured, placed] * each)
        for j, name in enumerate(names)
    ]


def measured(model: Classifier, scenes: list[Scene]) -> dict[str, float]:
    """The share of true scenes whose thing it names, of those in a colour, of those in a place, and of all."""
    names = [one.items[0].name for one in scenes]
    right = model.ranks([draw(one) for one in scenes], names) <= 1
    placed_ones = np.array([one.place is not None for one in scenes])
    parts = {"in a colour": ~placed_ones, "in a place": placed_ones, "all": np.ones(len(scenes), bool)}
    return {part: float(right[some].mean()) for part, some in parts.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    arguments(parser)
    parser.add_argument("--run", type=Path, default=RUN)
    parser.add_argument("--batch", type=int, default=64, help="pictures a step")
    parser.add_argument("--export", type=Path, help="write the averaged weights here, in float16")
    parser.add_argument("--measure", type=Path, help="print how many held-out scenes an export names right")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    names = [thing.name for thing in things()]
    if options.hours:
        run = Training(options.run, Classifier(names), options.device)
        loader = DataLoader(
            Batches(names, options.batch),
            batch_size=None,
            sampler=range(run.step, 1 << 30),
            num_workers=options.workers,
            prefetch_factor=4 if options.workers else None,
        )
        run.train(loader, step_loss, options.hours, options.cooldown)
    if options.export:
        Training(options.run, Classifier(names), "cpu").averaged(Classifier(names)).save(options.export)
    if options.measure:
        for part, share in measured(Classifier.load(options.measure), held_out(names)).items():
            print(f"held-out scenes named right, {part}: {share:.3f}")


if __name__ == "__main__":
    main()
