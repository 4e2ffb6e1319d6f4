"""Every kind of decoder as one function: token states or points of the joint space in, pictures out.

A pipeline is not re-entrant: one thread draws, as a lane of `jobs` provides. The same recipe gives the same pixels.

Source: Rombach et al. 2022, "High-Resolution Image Synthesis with Latent Diffusion Models"; Ramesh et al. 2022,
"Hierarchical Text-Conditional Image Generation with CLIP Latents" (unCLIP).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from clipexplore.draw.decoders import Classic, decoder_of
from clipexplore.draw.folders import read_facts, read_gap, revision, usual_settings
from clipexplore.draw.pipelines import SafetyChecker, load_checker, load_pipeline
from clipexplore.draw.schedulers import OWN, chosen_scheduler
from clipexplore.draw.walks import PreviewReport, planned
from clipexplore.errors import InputError, OutOfMemoryError
from clipexplore.jobs import run_through
from clipexplore.language import _, ngettext
from clipexplore.models.devices import if_memory_suffices
from clipexplore.models.residents import one_at_a_time
from clipexplore.vectors import normalize

if TYPE_CHECKING:
    import torch

Shown = Callable[[int, Image.Image], object]  # number of a picture, the picture
PREVIEW_EVERY = 3  # steps
RANGES = {"num_inference_steps": (1, 100), "guidance_scale": (1.0, 20.0), "seed": (0, 2**32 - 1)}


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a drawing, and how they are drawn.

    Attributes
    ----------
    numbers
        Those of the rows in the drawing, from 0.
    prompts, points
        Both conditions of each: token states `(n, tokens, width)` and points `(n, dim)`.
    steps, scale
        Denoising steps, and the guidance.
    """

    numbers: list[int]
    prompts: np.ndarray
    points: np.ndarray
    seed: int
    steps: int
    scale: float
    scheduler: str
    report: PreviewReport = lambda share, preview: None

    def some(self, places: Sequence[int]) -> Rows:
        """Those at some places among these, counted from 0."""
        numbers = [self.numbers[place] for place in places]
        return replace(self, numbers=numbers, prompts=self.prompts[places], points=self.points[places])


class Renderer:
    """A loaded pipeline. One thread at a time may draw; reading the attributes is free.

    Attributes
    ----------
    pipeline
        What `diffusers` made of the folder.
    side
        Width and height of a picture in pixels.
    draws_embeddings
        Whether it draws points of the joint space, besides token states.
    norm
        The length that points are scaled to before they are drawn: that of the embeddings it was trained on.
    gap
        How texts of its CLIP cross the modality gap, float32, see `across_gap`; None where it is not known.
    num_inference_steps, guidance_scale
        What it is best used with.
    checker
        What withholds drawings that it finds unsafe; None where the operator wants none, or none is here.
    revision
        12 hex digits that name its weights, the data type and the kind of device: equal ones draw the same.
    """

    def __init__(
        self,
        pipeline: Any,
        decoder: Classic,
        norm: float,
        settings: dict[str, float],
        gap: np.ndarray | None,
        revision: str,
        checker: SafetyChecker | None = None,
    ):
        self.checker = checker
        self.pipeline, self._own = pipeline, pipeline.scheduler
        self.norm, self.gap, self.revision = norm, gap, revision
        self.num_inference_steps, self.guidance_scale = settings["num_inference_steps"], settings["guidance_scale"]
        self._decoder = decoder
        self.draws_embeddings, self.side = self._decoder.dim > 0, self._decoder.side

    @classmethod
    @one_at_a_time("torch", "transformers", "diffusers")
    def load(
        cls,
        folder: Path | str,
        clip: Path | str | None = None,
        device: str | None = None,
        dtype: torch.dtype | None = None,
        lora: Path | None = None,
        checker: Path | str | None = None,
        adapter: Path | str | None = None,
    ) -> Renderer:
        """The pipeline of a folder as `StableUnCLIPImg2ImgPipeline`, `StableDiffusionPipeline` or
        `KandinskyV22Pipeline` saves it.

        Parameters
        ----------
        clip
            The folder of the `CLIPModel` whose encoders it takes where it holds none of its own, and whose points an
            adapter draws.
        device, dtype
            By default the accelerator of this machine in float16, else the CPU in bfloat16 where it computes in that,
            in float32 where not.
        lora
            The folder of a latent consistency LoRA, with which four steps without guidance are enough; needs the
            package peft.
        checker
            The folder of a Stable Diffusion whose safety checker withholds what it finds unsafe.
        adapter
            The folder of an IP-Adapter, with which a Stable Diffusion draws points of the joint space.

        Raises
        ------
        InputError
            For a folder that holds no such pipeline, is damaged, or was made for another CLIP.
        """
        folder, clip = Path(folder), None if clip is None else Path(clip)
        adapter = None if adapter is None else Path(adapter)
        pipeline = load_pipeline(folder, clip, device, dtype, lora, adapter)
        name = revision(folder, str(pipeline.dtype), pipeline.device.type, str(lora), str(checker), str(adapter))
        decoder = decoder_of(pipeline, clip)
        norm = float(read_facts(folder).get("norm") or decoder.usual_norm(clip))
        found = load_checker(Path(checker), pipeline) if checker else None
        return cls(pipeline, decoder, norm, usual_settings(folder, bool(lora)), read_gap(folder), name, found)

    def encode_prompts(self, texts: Sequence[str]) -> np.ndarray:
        """Token states `(n, tokens, width)` float32 of texts, each padded to the full length; what is longer is cut."""
        return self._decoder.encode(texts)

    def render(self, **asked: Any) -> list[Image.Image]:
        """A picture of each row of what is asked, as `drawing` takes it, in one go."""
        return run_through(self.drawing(**asked))

    def drawing(
        self,
        *,
        prompt_embeds: np.ndarray | None = None,
        embeddings: np.ndarray | None = None,
        seed: int = 0,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        scheduler: str = OWN,
        alike: bool = False,
        report: PreviewReport = lambda share, preview: None,
        shown: Shown = lambda number, picture: None,
    ) -> Generator[None, None, list[Image.Image]]:
        """A picture of each row, in their order; computed coarse to fine, all from the same noise.

        Yields after each batch, so that others may draw meanwhile.

        Parameters
        ----------
        prompt_embeds
            Token states `(n, tokens, width)`, as `encode_prompts` gives them or between two of those.
        embeddings
            Points of the joint space `(n, dim)`, of any length other than zero; an unCLIP, an IP-Adapter and
            Kandinsky draw them, the last them alone. One of the two is given, or both.
        seed
            In [0, 2³²); of the noise, the same for all rows.
        num_inference_steps, guidance_scale
            In [1, 100] and [1, 20]; by default what the model is best used with. A scale of 1 leaves guidance out and
            halves the work.
        scheduler
            How noise is taken away, one of `SCHEDULERS`: the model's "own", "pndm" or "ddim"; where a model draws in
            few steps, its own alone.
        alike
            Whether all batches are of one size, so that a row has the same bits whatever else is drawn.
        report, shown
            Called after every step with the share of the work done and now and then a small preview of the first
            picture at work, and with each picture once it exists. Whatever they raise ends the work within one step.

        Raises
        ------
        InputError
            For a condition this model cannot draw or of another shape, a number out of range, and when memory does
            not even suffice for half a batch.
        """
        asked = self._asked(prompt_embeds, embeddings, seed, num_inference_steps, guidance_scale, scheduler)
        pictures: dict[int, Image.Image] = {}
        for rows, filled, part in planned(len(asked.numbers), asked.steps, alike, report):
            drawn = self._draw(replace(asked.some(filled), report=part))
            for row, picture in zip(rows, drawn, strict=False):
                pictures[row] = picture
                shown(row, picture)
            yield
        return [pictures[row] for row in asked.numbers]

    def batch(
        self,
        numbers: list[int],
        *,
        prompt_embeds: np.ndarray | None,
        embeddings: np.ndarray | None,
        report: PreviewReport,
        **settings: Any,
    ) -> list[Image.Image]:
        """The pictures of one batch of a drawing, computed together; all is as in `drawing`, and `numbers` are those
        of the pictures in it.
        """
        asked = self._asked(prompt_embeds, embeddings, **settings)
        return self._draw(replace(asked, numbers=numbers, report=report))

    def _asked(
        self,
        prompts: np.ndarray | None,
        points: np.ndarray | None,
        seed: int = 0,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        scheduler: str = OWN,
    ) -> Rows:
        """All rows that are asked for, checked."""
        steps = int(self.num_inference_steps if num_inference_steps is None else num_inference_steps)
        scale = self.guidance_scale if guidance_scale is None else guidance_scale
        _check_range(num_inference_steps=steps, guidance_scale=scale, seed=seed)
        both = self._conditions(prompts, points)
        return Rows([*range(len(both[0]))], *both, seed, steps, scale, scheduler)

    def _conditions(self, prompts: np.ndarray | None, points: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Both conditions of every row: no text is the empty text, no point a row of zeros, as in training."""
        if prompts is None and points is None:
            raise InputError(_("There is nothing to draw; give prompt_embeds or embeddings."))
        if points is not None and not self.draws_embeddings:
            raise InputError(
                _(
                    "This model draws texts only: a classic Stable Diffusion is conditioned on token states, and a "
                    "point of the joint space has none; choose a model with an unCLIP decoder."
                )
            )
        count = len(prompts) if prompts is not None else len(points if points is not None else ())
        prompts = np.repeat(self._empty, count, 0) if prompts is None else np.asarray(prompts, np.float32)
        dim, (tokens, width) = self._decoder.dim, self._empty.shape[1:]
        points = np.zeros((count, dim), np.float32) if points is None else normalize(points) * np.float32(self.norm)
        if prompts.shape != (count, tokens, width) or points.shape != (count, dim):
            raise InputError(
                _(
                    "Conditions of shapes {prompts} and {points} do not fit this model, which takes (n, {tokens}, "
                    "{width}) token states and (n, {dim}) embeddings; use those of its own CLIP."
                ).format(prompts=prompts.shape, points=points.shape, tokens=tokens, width=width, dim=dim)
            )
        return prompts, points

    @cached_property
    def _empty(self) -> np.ndarray:
        return self.encode_prompts([""]) if self._decoder.tokens else np.zeros((1, 0, 0), np.float32)

    def _draw(self, batch: Rows) -> list[Image.Image]:
        """One batch; where memory is out it is tried once more in halves, which need half of it, and decoded piece by
        piece.
        """
        # another drawing may have had another
        self.pipeline.scheduler = chosen_scheduler(self._own, batch.scheduler, self._decoder.schedulers)

        def drawn(at_once: int) -> list[Image.Image]:
            parts = (range(start, min(start + at_once, count)) for start in range(0, count, at_once))
            return [picture for part in parts for picture in self._run(batch.some(part))]

        count = len(batch.numbers)
        half = math.ceil(count / 2)
        for at_once in (count, half):
            if (pictures := if_memory_suffices(partial(drawn, at_once))) is not None:
                return pictures
            self._decoder.decode_in_pieces(of_one=count == 1)
        raise OutOfMemoryError(
            ngettext(
                "There is too little memory to draw one picture of {side} pixels at a time; close other programs or "
                "choose a smaller model.",
                "There is too little memory to draw {n} pictures of {side} pixels at a time; close other programs or "
                "choose a smaller model.",
                half,
            ).format(n=half, side=self.side)
        )

    def _run(self, batch: Rows) -> list[Image.Image]:
        import torch

        count = len(batch.numbers)
        texts, empty, seen = map(self._tensor, (batch.prompts, np.repeat(self._empty, count, 0), batch.points))
        given = {
            **self._decoder.given(texts, empty, seen, batch.scale > 1),
            **self._decoder.watched(self._watch(batch.report, batch.steps)),
            "num_inference_steps": batch.steps,
            "guidance_scale": batch.scale,
            "output_type": "latent",
            "return_dict": False,
            "latents": self._decoder.noise(batch.seed).repeat(count, 1, 1, 1),
            "generator": [torch.Generator().manual_seed(batch.seed + 1) for _ in range(count)],
        }
        with torch.inference_mode():
            pictures = self._decoder.decode(self.pipeline(**given)[0], batch.numbers)
            return self.checker(pictures) if self.checker else pictures

    def _tensor(self, values: np.ndarray) -> torch.Tensor:
        import torch

        return torch.from_numpy(np.ascontiguousarray(values)).to(self.pipeline.device, self.pipeline.dtype)

    def _watch(self, report: PreviewReport, steps: int) -> Callable[[int, torch.Tensor], None]:
        """What is called after every step; the last part of the work is decoding."""

        def watch(step: int, latents: torch.Tensor) -> None:
            wanted = step % PREVIEW_EVERY == PREVIEW_EVERY - 1
            report((step + 1) / (steps + 1), self._decoder.preview(latents[:1]) if wanted else None)

        return watch


def _check_range(**values: float) -> None:
    for name, value in values.items():
        low, high = RANGES[name]
        if not low <= value <= high:
            raise InputError(
                _("{name} is {value:g} and has to be from {low:g} to {high:g}; change it.").format(
                    name=name, value=value, low=low, high=high
                )
            )
