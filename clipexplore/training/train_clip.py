"""Train the bundled CLIP on Emoji World.

    python -m clipexplore.training.train_clip --hours 2            # starts or resumes runs/clip
    python -m clipexplore.training.train_clip --hours 0.5 --device cuda --workers 14 --batch 1024
    python -m clipexplore.training.train_clip --export assets/models/emoji/clip
    python -m clipexplore.training.train_clip --hours 2 --weights assets/models/emoji/clip      # goes on from what is committed


The objective is CLIP's symmetric cross-entropy with more than one right answer: a text is a positive of every picture it is true of.
Each picture meets the batch's captions and, in a second loss of the same form and weight, the bare words of the batch's scenes, so that a
picture's vector tends to the sum of the vectors of its words – which is what arithmetic needs. bfloat16 where the device has it, float32 master weights;
an exponential average of the weights is what is exported. Checkpoints hold tensors and JSON only and resume to the step; an exported folder
holds the weights and, in `training.json`, how much training they have seen, so that a new run can go on from it with a fresh optimiser.
"""

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path
from random import Random

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch.utils.data import DataLoader, Dataset
from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

from . import captions
from .scenes import LESSONS, draw, group, scene

# The model. Picture size, context length and tokenizer are part of everything made later: decided here once.
PICTURE_SIZE, PATCH_SIZE = 72, 12
CONTEXT = 32
VOCABULARY = 4096
WIDTH, VISION_LAYERS, TEXT_LAYERS, HEADS = 256, 6, 4, 4
PROJECTION = 512
MEAN, STD = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)

# The optimiser.
LEARNING_RATE, WEIGHT_DECAY, BETAS = 1e-3, 0.05, (0.9, 0.98)
WARMUP_STEPS, COOLDOWN = 200, 0.2  # the last fifth of the time runs the learning rate down to zero
EMA = 0.998
MAX_LOGIT_SCALE = np.log(100.0)

START, END = "<|startoftext|>", "<|endoftext|>"


def train_tokenizer(folder: Path, scenes: int = 40_000) -> CLIPTokenizer:
    """A byte-level BPE tokenizer in CLIP's form, trained on captions of the world, saved to the folder."""
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token=END))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY - len(alphabet), end_of_word_suffix="</w>", special_tokens=[START, END],
                                  initial_alphabet=alphabet, show_progress=False)  # fmt: skip
    rng = Random(0)
    texts = [captions.synonymous(scene(seed), rng) for seed in range(scenes)] + 20 * list(captions.vocabulary())
    tokenizer.train_from_iterator(texts, trainer)
    state = json.loads(tokenizer.to_str())["model"]
    # As in OpenAI's vocabulary every byte may also end a word; without that an unseen one would become the end token and cut the text.
    tokens = dict.fromkeys([*state["vocab"], *(letter + "</w>" for letter in alphabet)])
    result = CLIPTokenizer(vocab={token: number for number, token in enumerate(tokens)},
                           merges=[tuple(pair) for pair in state["merges"]], model_max_length=CONTEXT)  # fmt: skip
    result.save_pretrained(folder)
    return result


def build_model(tokenizer: CLIPTokenizer, attention: str = "sdpa", seed: int = 0) -> CLIPModel:
    """A CLIP of about 9 M parameters with fresh weights."""
    towers = dict(hidden_size=WIDTH, intermediate_size=4 * WIDTH, num_attention_heads=HEADS, hidden_act="gelu", projection_dim=PROJECTION)
    config = CLIPConfig(
        vision_config=dict(image_size=PICTURE_SIZE, patch_size=PATCH_SIZE, num_hidden_layers=VISION_LAYERS, **towers),
        text_config=dict(vocab_size=len(tokenizer), max_position_embeddings=CONTEXT, num_hidden_layers=TEXT_LAYERS,
                         bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, **towers),
        projection_dim=PROJECTION,
    )  # fmt: skip
    torch.manual_seed(seed)
    return CLIPModel._from_config(config, attn_implementation=attention)


def tell_words_apart(embeddings: torch.Tensor, first: int, second: int, strength: float = 1.0) -> None:
    """Moves two tokens to either side of where they are, by a vector of length `strength`; `embeddings` (tokens, width), in place.

    Words that never told pictures apart had been drawn together: "left" and "right" had a cosine of .76, their captions one of .999, and
    neither they nor the pictures could be the first to part.
    """
    apart = strength * F.normalize(torch.randn(embeddings.shape[1], generator=torch.Generator().manual_seed(0)), dim=0).to(embeddings)
    embeddings[first] += apart
    embeddings[second] -= apart


def tell_columns_apart(positions: torch.Tensor, strength: float) -> None:
    """Adds to every patch's position a vector of its column, of length `strength`; `positions` (1 + side², width), in place.

    Most scenes are as likely as their mirror image, so that training from small random positions arrives where the left half of a picture
    looks like the right one (their antisymmetric part had a third of the length of that of top and bottom) and stays there: after a million
    pairs sides were told apart as by tossing a coin, top and bottom in 97 of 100 cases.
    """
    side, width = PICTURE_SIZE // PATCH_SIZE, positions.shape[1]
    columns = F.normalize(torch.randn(side, width, generator=torch.Generator().manual_seed(0)), dim=-1)
    positions[1:] += strength * columns.repeat(side, 1).to(positions)


class Batches(Dataset):
    """Batch number → tensors; any worker makes any batch from its number alone. Runs of different seeds see different scenes."""

    def __init__(self, tokenizer: CLIPTokenizer, batch: int, seed: int = 0, lesson: str = "everything"):
        self.tokenizer, self.batch, self.first, self.lesson = tokenizer, batch, seed << 32, lesson

    def __len__(self) -> int:
        return 1 << 30

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        rng = Random(f"captions {number}")
        scenes = [one for i in range(self.batch // 4) for one in group(self.first + number * self.batch + i, self.lesson)]
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
        return self.tokenizer(texts, padding=True, truncation=True, max_length=CONTEXT, return_tensors="pt")["input_ids"]


def _truth(truths: list[set[str]], texts: list[str], own: bool = False) -> torch.Tensor:
    """(pictures, texts) bool: which text is true of which picture; with `own`, text i is the caption of picture i, as are its equals."""
    columns: dict[str, list[int]] = {}
    for column, text in enumerate(texts):
        columns.setdefault(text, []).append(column)
    truth = torch.zeros(len(truths), len(texts), dtype=torch.bool)
    for row, true in enumerate(truths):
        for text in true | {texts[row]} if own else true:
            truth[row, columns.get(text, [])] = True
    return truth


def small_pixels(picture: Image.Image) -> np.ndarray:
    """(3, 72, 72) uint8, resized as the image processor does it."""
    return np.asarray(picture.resize((PICTURE_SIZE, PICTURE_SIZE), Image.Resampling.BICUBIC)).transpose(2, 0, 1)


def contrastive_loss(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of each positive against the negatives of its row, and of its column; with one positive a row it is CLIP's loss."""
    return (_rows_loss(logits, truth) + _rows_loss(logits.T, truth.T)) / 2


def _rows_loss(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    negatives = logits.masked_fill(truth, -torch.inf).logsumexp(1, keepdim=True)
    each = F.softplus(negatives - logits).masked_fill(~truth, 0)  # -log(e^positive / (e^positive + sum of negatives))
    return (each.sum(1) / truth.sum(1).clamp(min=1)).mean()


def step_loss(model: CLIPModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    pixels = (batch["pictures"].float() / 255 - MEAN[0]) / STD[0]
    pictures = F.normalize(model.get_image_features(pixel_values=pixels).pooler_output.float(), dim=-1)
    scale = model.logit_scale.clamp(max=MAX_LOGIT_SCALE).exp()
    loss = 0
    for kind in ("captions", "words"):
        texts = F.normalize(model.get_text_features(input_ids=batch[kind]).pooler_output.float(), dim=-1)
        loss = loss + contrastive_loss(scale * pictures @ texts.T, batch[f"{kind}_true"])
    return loss / 2


class Run:
    """The state of a training run: weights, their average, the optimiser, the step and the time spent; saved as safetensors and JSON.

    A folder that holds a run already is resumed; a new one starts from `weights`, an exported model, or from scratch.
    """

    def __init__(self, folder: Path, device: str, weights: Path | None = None, seed: int = 0):
        self.folder, self.device, self.seed = folder, device, seed
        folder.mkdir(parents=True, exist_ok=True)
        begun = (folder / "state.json").exists()
        self.tokenizer = _tokenizer(folder / "tokenizer", None if begun else weights)
        # On CPUs the fused attention's backward pass takes a third of a step; plain matrix products take a sixth.
        self.model = build_model(self.tokenizer, "eager" if device == "cpu" else "sdpa", seed).to(device).train()
        self.average = {name: value.detach().clone() for name, value in self.model.named_parameters()}
        self.optimizer = torch.optim.AdamW(_groups(self.model), lr=LEARNING_RATE, betas=BETAS, fused=True)
        self.step, self.seconds, self.pairs, self.optimizer_began = 0, 0.0, 0, 0
        if begun:
            self._load()
        elif weights:
            self._start_from(weights)

    def _load(self) -> None:
        tensors = load_file(self.folder / "state.safetensors", device=self.device)
        parameters = dict(self.model.named_parameters())
        with torch.no_grad():
            for name, value in parameters.items():
                value.copy_(tensors[f"weights/{name}"])
                self.average[name] = tensors[f"average/{name}"]
                if f"first/{name}" in tensors:
                    self.optimizer.state[value] = {"step": tensors["steps"].clone(), "exp_avg": tensors[f"first/{name}"], "exp_avg_sq": tensors[f"second/{name}"]}
        self.__dict__.update(json.loads((self.folder / "state.json").read_text()))

    def _start_from(self, weights: Path) -> None:
        tensors = load_file(weights / "model.safetensors", device=self.device)
        with torch.no_grad():
            for name, value in self.model.named_parameters():
                value.copy_(tensors[name])
                self.average[name].copy_(tensors[name])
        self.__dict__.update(json.loads((weights / "training.json").read_text()))
        self.optimizer_began = self.step

    @torch.no_grad()
    def tell_apart(self, columns: float, words: tuple[str, str] | None) -> None:
        """Leads out of where two sides, or two words, look alike to the model; see `tell_columns_apart` and `tell_words_apart`."""
        positions, embeddings = "vision_model.embeddings.position_embedding.weight", "text_model.embeddings.token_embedding.weight"
        for weights in (dict(self.model.named_parameters()), self.average):
            if columns:
                tell_columns_apart(weights[positions], columns)
            if words:
                tell_words_apart(weights[embeddings], *self.tokenizer.convert_tokens_to_ids([f"{word}</w>" for word in words]))

    def save(self) -> None:
        tensors = {"steps": torch.tensor(float(self.step - self.optimizer_began))}
        for name, value in self.model.named_parameters():
            moments = self.optimizer.state.get(value, {})
            tensors |= {f"weights/{name}": value.detach(), f"average/{name}": self.average[name]}
            tensors |= {f"first/{name}": moments["exp_avg"], f"second/{name}": moments["exp_avg_sq"]} if moments else {}
        save_file({name: value.contiguous() for name, value in tensors.items()}, self.folder / "state.new")
        os.replace(self.folder / "state.new", self.folder / "state.safetensors")
        (self.folder / "state.json.new").write_text(json.dumps(self.ledger() | {"optimizer_began": self.optimizer_began}))
        os.replace(self.folder / "state.json.new", self.folder / "state.json")

    def ledger(self) -> dict[str, float]:
        """How much training the weights have seen: optimiser steps, seconds, pairs of picture and caption."""
        return {"step": self.step, "seconds": round(self.seconds), "pairs": self.pairs}

    def export(self, folder: Path) -> None:
        """The averaged weights in float16 with tokenizer, processor and configuration: a folder `CLIPModel.from_pretrained` loads."""
        model = build_model(self.tokenizer)
        model.load_state_dict({name: value.cpu() for name, value in self.average.items()}, strict=False)
        model.half().save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        CLIPImageProcessorPil(size={"shortest_edge": PICTURE_SIZE}, crop_size={"height": PICTURE_SIZE, "width": PICTURE_SIZE},
                              image_mean=MEAN, image_std=STD).save_pretrained(folder)  # fmt: skip
        (folder / "training.json").write_text(json.dumps(self.ledger()) + "\n")


def _tokenizer(folder: Path, weights: Path | None) -> CLIPTokenizer:
    if not folder.exists() and weights:
        CLIPTokenizer.from_pretrained(weights).save_pretrained(folder)
    return CLIPTokenizer.from_pretrained(folder) if folder.exists() else train_tokenizer(folder)


def _groups(model: CLIPModel) -> list[dict]:
    """Weight decay for matrices only."""
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    return [{"params": matrices, "weight_decay": WEIGHT_DECAY}, {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0}]


def learning_rate(step: int, spent: float, cooldown: bool) -> float:
    """The rate at a step of the optimiser; `spent` is the share of this slice's time gone, which only matters when the slice ends in a cooldown."""
    rate = LEARNING_RATE * min(1.0, (step + 1) / WARMUP_STEPS)
    return rate * min(1.0, (1 - spent) / COOLDOWN) if cooldown else rate


def train(run: Run, hours: float, batch: int, workers: int, cooldown: bool, lesson: str = "everything") -> None:
    numbers = range(run.step, 1 << 30)
    batches = Batches(run.tokenizer, batch, run.seed, lesson)
    loader = DataLoader(batches, batch_size=None, sampler=numbers, num_workers=workers, prefetch_factor=4 if workers else None)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped; the run can be resumed"))
    try:
        _steps(run, loader, hours, batch, cooldown)
    finally:
        run.save()


def _steps(run: Run, loader: DataLoader, hours: float, batch: int, cooldown: bool) -> None:
    begun, saved, losses = time.time(), time.time(), []
    before = run.seconds
    for data in loader:
        spent = (time.time() - begun) / (hours * 3600)
        if spent >= 1:
            break
        for parameters in run.optimizer.param_groups:
            parameters["lr"] = learning_rate(run.step - run.optimizer_began, spent, cooldown)
        losses.append(update(run, {name: value.to(run.device, non_blocking=True) for name, value in data.items()}))
        run.step, run.pairs, run.seconds = run.step + 1, run.pairs + batch, before + time.time() - begun
        if run.step % 50 == 0:
            rate = len(losses) * batch / (time.time() - begun)
            print(f"step {run.step}  {run.pairs:,} pairs  loss {np.mean(losses[-50:]):.3f}  scale {run.model.logit_scale.exp().item():.1f}  "
                  f"{rate:.0f} pairs/s  {hours * 3600 * (1 - spent) / 60:.0f} min left", flush=True)  # fmt: skip
        if time.time() - saved > 300:
            run.save()
            saved = time.time()


def update(run: Run, batch: dict[str, torch.Tensor]) -> float:
    """One optimiser step; the loss."""
    with torch.autocast(run.device, torch.bfloat16):
        loss = step_loss(run.model, batch)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(run.model.parameters(), 1.0)
    run.optimizer.step()
    run.optimizer.zero_grad(set_to_none=True)
    keep = min(EMA, run.step / (run.step + 10))
    averages, values = list(run.average.values()), [value.detach() for value in run.model.parameters()]
    torch._foreach_lerp_(averages, values, 1 - keep)
    return loss.item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--run", type=Path, default=Path("runs/clip"))
    parser.add_argument("--hours", type=float, default=0.0, help="how long this slice trains")
    parser.add_argument("--cooldown", action="store_true", help="end the slice with a falling learning rate")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=256, help="pairs a step, a multiple of 4")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw scenes")
    parser.add_argument("--threads", type=int, default=1, help="threads a CPU trains with")
    parser.add_argument("--seed", type=int, default=0, help="of the first weights and of the scenes, below 256; another one makes the judge of drawn pictures")
    parser.add_argument("--weights", type=Path, help="an exported model folder that a new run starts from")
    parser.add_argument("--lesson", choices=LESSONS, default="everything", help="what this slice shows")
    parser.add_argument("--columns", type=float, default=0.0, help="before this slice, tell columns of a picture apart by vectors of this length")
    parser.add_argument("--words", nargs=2, metavar="WORD", help="before this slice, tell two words apart")
    parser.add_argument("--export", type=Path, help="write the averaged weights as a model folder")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    run = Run(options.run, options.device, options.weights, options.seed)
    run.tell_apart(options.columns, options.words)
    if options.hours:
        train(run, options.hours, options.batch, options.workers, options.cooldown, options.lesson)
    if options.export:
        run.export(options.export)


if __name__ == "__main__":
    main()
