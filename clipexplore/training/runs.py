"""What every training keeps: weights, their average, the optimiser, the step and the time spent; stopped and resumed at
any step.

Checkpoints hold tensors and JSON only. A slice of training is a number of hours; SIGTERM ends it as the clock does,
with everything saved.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from ..models.devices import has_bfloat16
from .muon import Muon

SAVE_EVERY = 300  # seconds
PRINT_EVERY = 20  # steps
WARMUP_STEPS, COOLDOWN = 500, 0.3  # the last third of a slice with a cooldown runs the learning rate down to zero


class Run:
    """A model in training, in a folder that is resumed if it holds a run of it already.

    Attributes
    ----------
    average
        The exponential average of the weights by name: what is evaluated and exported.
    step, seconds, pictures
        How much it has seen, in all slices.
    optimizer_began
        The step of its optimiser's first: a run that starts from somebody's weights warms up at their step.
    """

    def __init__(
        self,
        folder: Path,
        model: torch.nn.Module,
        device: str,
        rate: float,
        keep: float,
        decay: float = 0.01,
        betas: tuple[float, float] = (0.9, 0.99),
        warmup: int | None = None,
    ):
        self.folder, self.device, self.rate, self.keep, self.warmup = folder, device, rate, keep, warmup or WARMUP_STEPS
        folder.mkdir(parents=True, exist_ok=True)
        self.model = model.to(device, memory_format=layout(device)).train()
        self.average = {name: value.detach().clone() for name, value in self.model.named_parameters()}
        self.optimizers = self.optimizers_of(decay, betas)
        self.step, self.seconds, self.pictures, self.optimizer_began = 0, 0.0, 0, 0
        if self.begun(folder):
            self._load()

    def optimizers_of(self, decay: float, betas: tuple[float, float]) -> list[torch.optim.Optimizer]:
        """What learns which parameters, each at `rate`: here AdamW all of them."""
        return [torch.optim.AdamW(grouped(self.model.named_parameters(), decay), lr=self.rate, betas=betas, fused=True)]

    @staticmethod
    def begun(folder: Path) -> bool:
        """Whether the folder holds a run already."""
        return (folder / "state.json").exists()

    def _load(self) -> None:
        tensors = load_file(self.folder / "state.safetensors", device=self.device)
        with torch.no_grad():
            for name, value in self.model.named_parameters():
                value.copy_(tensors[f"weights/{name}"])
                self.average[name].copy_(tensors[f"average/{name}"])
                for optimizer, key in self._kept(value):
                    kept = tensors[f"{key}/{name}"]
                    optimizer.state[value][key] = kept.clone() if key == "step" else kept.contiguous().view_as(value)
        self.__dict__.update(json.loads((self.folder / "state.json").read_text()))

    def _kept(self, value: torch.Tensor) -> list[tuple[torch.optim.Optimizer, str]]:
        """What an optimiser keeps of a parameter, by name."""
        kept = {torch.optim.AdamW: ("exp_avg", "exp_avg_sq", "step"), Muon: ("momentum",)}
        mine = (
            each
            for each in self.optimizers
            for group in each.param_groups
            if any(value is other for other in group["params"])
        )
        return [(optimizer, key) for optimizer in mine for key in kept[type(optimizer)]]

    def start_from(self, weights: dict[str, torch.Tensor], ledger: dict[str, float]) -> None:
        """Goes on from weights by name, and from how much training they have seen, with a fresh optimiser."""
        with torch.no_grad():
            for name, value in self.model.named_parameters():
                value.copy_(weights[name])
                self.average[name].copy_(weights[name])
        self.begin_at(ledger)

    def begin_at(self, ledger: dict[str, float]) -> None:
        """Counts on from how much training its first weights have seen, with a fresh optimiser."""
        self.__dict__.update(ledger)
        self.optimizer_began = self.step

    def save(self) -> None:
        if self.step == self.optimizer_began:
            return
        tensors = {}
        for name, value in self.model.named_parameters():
            tensors |= {f"weights/{name}": value.detach(), f"average/{name}": self.average[name]}
            tensors |= {f"{key}/{name}": optimizer.state[value][key] for optimizer, key in self._kept(value)}
        save_file({name: value.contiguous() for name, value in tensors.items()}, self.folder / "state.new")
        os.replace(self.folder / "state.new", self.folder / "state.safetensors")
        (self.folder / "state.json.new").write_text(
            json.dumps(self.ledger() | {"optimizer_began": self.optimizer_began})
        )
        os.replace(self.folder / "state.json.new", self.folder / "state.json")

    def ledger(self) -> dict[str, float]:
        """How much training the weights have seen: optimiser steps, seconds, pictures."""
        return {"step": self.step, "seconds": round(self.seconds), "pictures": self.pictures}

    def averaged(self, model: torch.nn.Module) -> torch.nn.Module:
        """The model given, of the same shape, with the averaged weights, to be used."""
        model.load_state_dict({name: value.cpu() for name, value in self.average.items()}, strict=False)
        return model.eval().requires_grad_(False)

    def train(self, batches: Iterable, loss: Callable[..., torch.Tensor], hours: float, cooldown: bool) -> None:
        """Takes a step for each batch until the hours are over or the process is told to end; saves every few minutes
        and at the end.

        Parameters
        ----------
        loss
            The loss of the model for a batch, which is a dictionary of tensors, one row a picture in the first; called
            with its names in `autocast`.
        cooldown
            Whether the learning rate falls to zero over the last part of this slice.
        """
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped; the run can be resumed"))
        try:
            self._steps(batches, loss, hours, cooldown)
        finally:
            self.save()

    def _steps(self, batches: Iterable, loss: Callable[..., torch.Tensor], hours: float, cooldown: bool) -> None:
        begun, saved, losses, before, first = time.time(), time.time(), [], self.seconds, self.step
        for batch in batches:
            spent = (time.time() - begun) / (hours * 3600)
            if spent >= 1:
                break
            losses.append(self._update(loss, batch, min(1.0, (1 - spent) / COOLDOWN) if cooldown else 1.0))
            self.step, self.pictures, self.seconds = (
                self.step + 1,
                self.pictures + len(next(iter(batch.values()))),
                before + time.time() - begun,
            )
            if self.step % PRINT_EVERY == 0:
                pace = (self.step - first) / (time.time() - begun)
                print(
                    f"step {self.step}  {self.pictures:,} pictures  loss {np.mean(losses[-PRINT_EVERY:]):.4f}  "
                    f"{pace:.2f} steps/s  {hours * 60 * (1 - spent):.0f} min left",
                    flush=True,
                )
            if time.time() - saved > SAVE_EVERY:
                self.save()
                saved = time.time()

    def _update(self, loss: Callable[..., torch.Tensor], batch: dict[str, torch.Tensor], share: float) -> float:
        """One optimiser step at a share of the learning rate; the loss."""
        for parameters in (group for optimizer in self.optimizers for group in optimizer.param_groups):
            parameters["lr"] = self.rate * share * min(1.0, (self.step - self.optimizer_began + 1) / self.warmup)
        with autocast(self.device):
            value = loss(self.model, **{name: each.to(self.device, non_blocking=True) for name, each in batch.items()})
        value.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            with autocast(self.device):
                optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        keep = min(self.keep, self.step / (self.step + 10))  # the first values are random and soon forgotten
        torch._foreach_lerp_(list(self.average.values()), [each.detach() for each in self.model.parameters()], 1 - keep)
        return value.item()


def grouped(parameters: Iterable[tuple[str, torch.Tensor]], decay: float) -> list[dict]:
    """Weight decay for matrices only."""
    every = [value for _, value in parameters]
    matrices, others = ([value for value in every if (value.ndim >= 2) == large] for large in (True, False))
    return [{"params": matrices, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]


def autocast(device: str) -> torch.autocast:
    """bfloat16 where it is computed in, which many CPUs do not: there it is slower than float32, by a third to a
    hundred times.
    """
    return torch.autocast(device.split(":")[0], torch.bfloat16, enabled=device != "cpu" or has_bfloat16())


def layout(device: str) -> torch.memory_format:
    """The order of a picture's numbers in memory; measured on CPUs: with channels last, normalising in groups learns so
    slowly that a step takes half as long again.
    """
    return torch.contiguous_format if device == "cpu" else torch.channels_last


def arguments(parser) -> None:
    """The options that all trainings share."""
    parser.add_argument("--hours", type=float, default=0.0, help="how long this slice trains")
    parser.add_argument("--cooldown", action="store_true", help="end the slice with a falling learning rate")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1, help="threads a CPU trains with")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw scenes")
