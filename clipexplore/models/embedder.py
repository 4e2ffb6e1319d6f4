"""CLIP as two functions into one space: texts and pictures to unit vectors.

Source: Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision", §2 and fig. 3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clipexplore.errors import DamagedError, MissingError, OutOfMemoryError
from clipexplore.language import _
from clipexplore.models.cpu import has_bfloat16, pack
from clipexplore.models.devices import default_device, default_dtype, if_memory_suffices
from clipexplore.models.families import Family, Reader, Scale, family_of, read_scale
from clipexplore.models.preparing import Picture, Preparer, batches_ahead
from clipexplore.models.residents import Residents, one_at_a_time, residents, size_of
from clipexplore.models.revisions import WEIGHTS, Revisions, revisions_of
from clipexplore.vectors import normalize

if TYPE_CHECKING:
    import torch

MAX_BATCH = 64  # of a pass, unless the device is one of these
TEXTS, PICTURES = {"cuda": 512}, {"cpu": 16, "cuda": 256}  # what stays in the cache of a core, what fills a GPU

#: Versions of how each kind is prepared for a model; a vector of another version is no longer what its item would
#: get today. What somebody brought ready-made is of none.
PREPARATION, READY_MADE = {"pictures": 1, "captions": 2}, 0


class Embedder:
    """A loaded CLIP. It never changes after loading, so any number of threads may share it.

    Attributes
    ----------
    dim
        The number of dimensions of the joint space.
    family
        How it was trained, and so how its probabilities are to be read.
    logit_scale, logit_bias
        logits = logit_scale × cosine + logit_bias.
    max_tokens
        The longest text in tokens, the start and end tokens included; a longer one is cut.
    revision
        12 hex digits of the BLAKE2b hash of the weights: two models with the same revision share one space.
    revisions
        That and those of each tower alone: embeddings from a tower with the same revision are the same.
    """

    def __init__(self, family: Family, model: Any, reader: Reader, processor: Any, scale: Scale, revisions: Revisions):
        self.family, self._model, self._reader = family, model, reader
        self._prepare = Preparer(processor, family.start)
        self.dim: int = family.dim(model.config)
        self.logit_scale, self.logit_bias = scale.logit_scale, scale.logit_bias or 0.0
        self.max_tokens = reader.most
        self.revisions, self.revision = revisions, revisions.model

    @classmethod
    @one_at_a_time("torch", "transformers")
    def load(
        cls,
        folder: Path | str,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        revisions: Revisions | None = None,
    ) -> Embedder:
        """The model of a folder as `CLIPModel.save_pretrained` writes it; takes seconds, most of them imports.

        Parameters
        ----------
        device
            Where it runs; by default the accelerator of this machine, else the CPU.
        dtype
            By default float16 on CUDA, bfloat16 on a CPU that computes in it, else float32; small models are float32
            on every CPU.
        revisions
            As `Weights.revisions`; by default those of the folder's files.

        Raises
        ------
        MissingError
            If the folder has no safetensors weights.
        DamagedError
            If its files are damaged or not of one model.
        InputError
            If it is a model of another family; the message names it.
        """
        folder = Path(folder)
        if not (folder / WEIGHTS).is_file():
            raise MissingError(
                _("There is no CLIP in {folder}: {name} is missing; fetch or train the model first.").format(
                    folder=folder, name=WEIGHTS
                )
            )
        family = family_of(folder)
        import torch

        place = default_device() if device is None else torch.device(device)
        dtype = dtype or default_dtype(place, (folder / WEIGHTS).stat().st_size)
        model, processor = family.load_model(folder, dtype), family.load_processor(folder)
        reader = family.load_reader(folder, model.config.text_config.max_position_embeddings)
        _check_match(folder, model, reader)
        if place.type == "cpu" and dtype is torch.bfloat16 and has_bfloat16():
            pack(model.vision_model)
        if family.first:
            _skip_what_is_not_read(model)
        # The scale is that of the file: 100 would be 99 in bfloat16.
        return cls(family, model.to(place), reader, processor, read_scale(folder), revisions or revisions_of(folder))

    @classmethod
    def resident(cls, folder: Path, revisions: Revisions | None = None, residents: Residents = residents) -> Embedder:
        """The model of a folder as `load` gives it, one copy for all of this process: loaded by whoever first asks."""
        load = partial(cls.load, folder, revisions=revisions)
        return residents.get(("clip", folder), load, partial(size_of, folder))

    @property
    def device(self) -> torch.device:
        return self._model.device

    @property
    def dtype(self) -> torch.dtype:
        return self._model.dtype

    def text_encoder(self) -> torch.nn.Module:
        """The text tower of a CLIP with its projection, for a pipeline that reads with the same; no copy."""
        import torch
        from transformers import CLIPTextModelWithProjection

        with torch.device("meta"):
            found = CLIPTextModelWithProjection(self._model.config.text_config)
        found.text_model, found.text_projection = self._model.text_model, self._model.text_projection
        return found.eval()

    @property
    def text_model(self) -> torch.nn.Module:
        """The text tower, for a pipeline that draws with the same."""
        return self._model.text_model

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Text embeddings `(n, dim)`, float32, unit norm, in the order given; what exceeds `max_tokens` is cut."""
        return normalize(self.project_texts(texts))

    def project_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Text embeddings before they are normalised: `(n, dim)` float32, of the lengths that the model gives them.

        Texts run with others of their length instead of at full length wherever that changes no value
        (`Reader.padded`), which saves most of the work.
        """
        tokens = self._reader.cut(texts)
        order = sorted(range(len(tokens)), key=lambda index: len(tokens[index]))
        most = TEXTS.get(self._model.device.type, MAX_BATCH)
        batches = ([tokens[index] for index in order[start : start + most]] for start in range(0, len(order), most))
        return self._joined(self._run_texts, batches)[np.argsort(order, kind="stable")]

    def embed_images(self, images: Iterable[Picture]) -> np.ndarray:
        """Image embeddings `(n, dim)`, float32, unit norm, in the order given.

        The shorter side is scaled to the model's size, and the model sees the middle square.

        Parameters
        ----------
        images
            Opened pictures, or the contents or paths of files, which threads decode ahead of the model; any number,
            since few are held at a time.

        Raises
        ------
        InputError
            For a file that cannot be opened.
        OutOfMemoryError
            Where there is no memory even for one picture.
        """
        return normalize(self.project_images(images))

    def project_images(self, images: Iterable[Picture]) -> np.ndarray:
        """Image embeddings before they are normalised: `(n, dim)` float32, of the lengths that the model gives them."""
        at_once = PICTURES.get(self._model.device.type, MAX_BATCH)
        return self._joined(self._run_images, batches_ahead(images, self._prepare, at_once))

    def project_blank(self) -> np.ndarray:
        """`(1, dim)` float32, not normalised: what is seen where every pixel is the mean of the training."""
        import torch

        blank = torch.zeros((1, 3, self._prepare.side, self._prepare.side), dtype=self._model.dtype)
        return self._joined(
            lambda batch: self._model.get_image_features(batch[0]).pooler_output, [[blank.to(self._model.device)]]
        )

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each whole text, start and end tokens included: more than `max_tokens` means it would be cut."""
        return list(map(len, self._reader.whole(texts)))

    def _joined(self, run: Callable[[list], torch.Tensor], batches: Iterable[list]) -> np.ndarray:
        """All rows of all batches, float32."""
        import torch

        with torch.inference_mode():
            rows = [part for batch in batches for part in self._run(run, batch)]
        return np.concatenate(rows) if rows else np.empty((0, self.dim), np.float32)

    def _run(self, run: Callable[[list], torch.Tensor], batch: list) -> list[np.ndarray]:
        """One batch; where memory runs out in halves, and those in halves."""
        rows = if_memory_suffices(lambda: run(batch).float().cpu().numpy())
        if rows is not None:
            return [rows]
        if len(batch) == 1:
            raise OutOfMemoryError(
                _(
                    "There is too little memory to embed even one text or picture; close other programs or choose a "
                    "smaller model."
                )
            )
        half = len(batch) // 2
        return [*self._run(run, batch[:half]), *self._run(run, batch[half:])]

    def _run_texts(self, tokens: list[list[int]]) -> torch.Tensor:
        import torch

        ids, mask = self._reader.padded(tokens)
        masked = {} if mask is None else {"attention_mask": torch.tensor(mask, device=self._model.device)}
        return self._model.get_text_features(torch.tensor(ids, device=self._model.device), **masked).pooler_output

    def _run_images(self, squares: list[torch.Tensor]) -> torch.Tensor:
        import torch

        pixels = torch.stack(squares).to(self._model.device)  # (n, 3, side, side)
        return self._model.get_image_features(self._prepare.normalized(pixels, self._model.dtype)).pooler_output


def _skip_what_is_not_read(model: Any) -> None:
    """Of a picture only the first token is read out, so the last layer need not compute the others: a twentieth of
    all work.

    What it does token by token gets the first alone; the outcome is added to every token, and is right for the one
    that counts.
    """
    encoder = model.vision_model.encoder
    if hasattr(encoder, "layers"):
        last = encoder.layers[-1]
        attention, projection = last.self_attn, last.self_attn.out_proj
    else:  # as TIPS calls them
        last = encoder.layer[-1]
        attention, projection = last.attention, last.attention.o_proj
    attention.reads_first = True
    for part in (projection, last.mlp):
        part.register_forward_pre_hook(lambda module, inputs: (inputs[0][:, :1],))


def _check_match(folder: Path, model: Any, reader: Reader) -> None:
    """Refuses a tokenizer of another model: its ids would be out of range, or its end token never found and read."""
    text, ends = model.config.text_config, reader.ends
    fits = reader.tokenizer.get_vocab_size() <= text.vocab_size
    if reader.reading == "end":
        # The first CLIPs call their end token 2; transformers then reads the highest id, which theirs is.
        fits &= text.eos_token_id in ends or text.eos_token_id == 2 and ends == [text.vocab_size - 1]
    if not fits:
        raise DamagedError(
            _("The tokenizer in {folder} is not that of its model; fetch or train the model again.").format(
                folder=folder
            )
        )
