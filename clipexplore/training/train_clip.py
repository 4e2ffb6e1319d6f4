"""Train the bundled CLIP on Emoji World.

    python -m clipexplore.training.train_clip --hours 2            # starts or resumes runs/clip
    python -m clipexplore.training.train_clip --hours 0.5 --device cuda --workers 14 --batch 1024
    python -m clipexplore.training.train_clip --export assets/models/emoji/clip
    python -m clipexplore.training.train_clip --hours 2 --weights assets/models/emoji/clip      # from what is committed

The objective is CLIP's symmetric cross-entropy with more than one right answer: a text is a positive of every picture
it is true of. Each picture meets the batch's captions and, in a second loss of the same form and weight, the bare words
of the batch's scenes, so that a picture's vector tends to the sum of the vectors of its words – which is what
arithmetic needs. An exported folder holds the average of the weights and, in `training.json`, how much training they
have seen, so that a new run can go on from it with a fresh optimiser.
"""

import argparse
import json
from pathlib import Path
from random import Random

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch.utils.data import DataLoader, Dataset
from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

from . import captions
from .clip_model import (
    CONTEXT,
    MEAN,
    PICTURE_SIZE,
    STD,
    build_model,
    small_pixels,
    tell_columns_apart,
    tell_words_apart,
    train_tokenizer,
)
from .runs import Run, arguments
from .scenes import LESSONS, draw, group

RUN = Path("runs/clip")
RATE, DECAY, BETAS, KEEP = 1e-3, 0.05, (0.9, 0.98), 0.998
MAX_LOGIT_SCALE = np.log(100.0)


class Batches(Dataset):
    """Batch number → tensors; any worker makes any batch from its number alone.

    Runs of different seeds see different scenes.
    """

    def __init__(self, tokenizer: CLIPTokenizer, batch: int, seed: int = 0, lesson: str = "everything"):
        self.tokenizer, self.batch, self.first, self.lesson = tokenizer, batch, seed << 32, lesson

    def __len__(self) -> int:
        return 1 << 30

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        rng = Random(f"captions {number}")
        scenes = [
            one for i in range(self.batch // 4) for one in group(self.first + number * self.batch + i, self.lesson)
        ]
        truths = [captions.words(one) | captions.sides(one) for one in scenes]
        texts = [captions.caption(one, rng) for one in scenes]
        words = sorted({word for one in scenes for word in captions.training_words(one, rng)})
        return {
            "pictures": torch.from_numpy(np.stack([small_pixels(draw(one)) for one in scenes])),
            "captions": self._tokens(texts),
            "captions_true": _truth(truths, texts, own=True),
            "words": self._tokens(words),
            "words_true": _truth(truths, words),
        }

    def _tokens(self, texts: list[str]) -> torch.Tensor:
        return self.tokenizer(texts, padding=True, truncation=True, max_length=CONTEXT, return_tensors="pt")[
            "input_ids"
        ]


def _truth(truths: list[set[str]], texts: list[str], own: bool = False) -> torch.Tensor:
    """(pictures, texts) bool: which text is true of which picture; with `own`, text i is the caption of picture i, as
    are its equals.
    """
    columns: dict[str, list[int]] = {}
    for column, text in enumerate(texts):
        columns.setdefault(text, []).append(column)
    truth = torch.zeros(len(truths), len(texts), dtype=torch.bool)
    for row, true in enumerate(truths):
        for text in true | {texts[row]} if own else true:
            truth[row, columns.get(text, [])] = True
    return truth


def contrastive_loss(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of each positive against the negatives of its row, and of its column; with one positive a row it is
    CLIP's loss.
    """
    return (_rows_loss(logits, truth) + _rows_loss(logits.T, truth.T)) / 2


def _rows_loss(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    negatives = logits.masked_fill(truth, -torch.inf).logsumexp(1, keepdim=True)
    each = F.softplus(negatives - logits).masked_fill(~truth, 0)  # -log(e^positive / (e^positive + sum of negatives))
    return (each.sum(1) / truth.sum(1).clamp(min=1)).mean()


def step_loss(model: CLIPModel, pictures: torch.Tensor, **texts: torch.Tensor) -> torch.Tensor:
    """The mean of the losses against captions and against words; `texts` are their tokens, and which is true of which
    picture.
    """
    pixels = (pictures.float() / 255 - MEAN[0]) / STD[0]
    images = F.normalize(model.get_image_features(pixel_values=pixels).pooler_output.float(), dim=-1)
    scale, losses = model.logit_scale.clamp(max=MAX_LOGIT_SCALE).exp(), []
    for kind in ("captions", "words"):
        told = F.normalize(model.get_text_features(input_ids=texts[kind]).pooler_output.float(), dim=-1)
        losses.append(contrastive_loss(scale * images @ told.T, texts[f"{kind}_true"]))
    return sum(losses) / 2


class ClipRun(Run):
    """A CLIP in training, with its tokenizer; a new run starts from `weights`, an exported model, or from scratch."""

    def __init__(self, folder: Path, device: str = "cpu", weights: Path | None = None, seed: int = 0):
        fresh, self.seed = not self.begun(folder), seed
        self.tokenizer = _tokenizer(folder / "tokenizer", weights if fresh else None)
        # On CPUs the fused attention's backward pass takes a third of a step; plain matrix products take a sixth.
        model = build_model(self.tokenizer, "eager" if device == "cpu" else "sdpa", seed)
        super().__init__(folder, model, device, RATE, KEEP, DECAY, BETAS)
        if weights and fresh:
            self.start_from(
                load_file(weights / "model.safetensors", device=device),
                json.loads((weights / "training.json").read_text()),
            )

    @torch.no_grad()
    def tell_apart(self, columns: float, words: tuple[str, str] | None) -> None:
        """Leads out of where two sides, or two words, look alike to the model; see `tell_columns_apart` and
        `tell_words_apart`.
        """
        positions, embeddings = (
            "vision_model.embeddings.position_embedding.weight",
            "text_model.embeddings.token_embedding.weight",
        )
        for weights in (dict(self.model.named_parameters()), self.average):
            if columns:
                tell_columns_apart(weights[positions], columns)
            if words:
                tell_words_apart(
                    weights[embeddings], *self.tokenizer.convert_tokens_to_ids([f"{word}</w>" for word in words])
                )

    def export(self, folder: Path) -> None:
        """The averaged weights in float16 with tokenizer, processor and configuration: a folder
        `CLIPModel.from_pretrained` loads.
        """
        self.averaged(build_model(self.tokenizer)).half().save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        CLIPImageProcessorPil(
            size={"shortest_edge": PICTURE_SIZE},
            crop_size={"height": PICTURE_SIZE, "width": PICTURE_SIZE},
            image_mean=MEAN,
            image_std=STD,
        ).save_pretrained(folder)
        (folder / "training.json").write_text(json.dumps(self.ledger()) + "\n")


def _tokenizer(folder: Path, weights: Path | None) -> CLIPTokenizer:
    if not folder.exists() and weights:
        CLIPTokenizer.from_pretrained(weights).save_pretrained(folder)
    return CLIPTokenizer.from_pretrained(folder) if folder.exists() else train_tokenizer(folder)


def train(run: ClipRun, hours: float, batch: int, workers: int, cooldown: bool, lesson: str = "everything") -> None:
    batches = Batches(run.tokenizer, batch, run.seed, lesson)
    loader = DataLoader(
        batches,
        batch_size=None,
        sampler=range(run.step, 1 << 30),
        num_workers=workers,
        prefetch_factor=4 if workers else None,
    )
    run.train(loader, step_loss, hours, cooldown)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    arguments(parser)
    parser.add_argument("--run", type=Path, default=RUN)
    parser.add_argument("--batch", type=int, default=256, help="pairs a step, a multiple of 4")
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        help="of the first weights and of the scenes, below 256; another one makes the judge of drawn pictures",
    )
    parser.add_argument("--weights", type=Path, help="an exported model folder that a new run starts from")
    parser.add_argument("--lesson", choices=LESSONS, default="everything", help="what this slice shows")
    parser.add_argument(
        "--columns",
        type=float,
        default=0.0,
        help="before this slice, tell columns of a picture apart by vectors of this length",
    )
    parser.add_argument("--words", nargs=2, metavar="WORD", help="before this slice, tell two words apart")
    parser.add_argument("--export", type=Path, help="write the averaged weights as a model folder")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    run = ClipRun(options.run, options.device, options.weights, options.seed)
    run.tell_apart(options.columns, options.words)
    if options.hours:
        train(run, options.hours, options.batch, options.workers, options.cooldown, options.lesson)
    if options.export:
        run.export(options.export)


if __name__ == "__main__":
    main()
