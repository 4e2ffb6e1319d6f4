"""CLIP as two functions into one space: texts and pictures to unit vectors.

Separate because it is the only place that knows `transformers`: what its classes return, what they leave to the
caller (normalising), and how to feed them without waste. Everything heavy is imported when a model is loaded.

Source: Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision", §2 and fig. 3.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from clipexplore.errors import InputError
from clipexplore.models.devices import default_device, default_dtype, has_bfloat16, if_memory_suffices
from clipexplore.models.packing import pack
from clipexplore.models.weights import read_logit_scale
from clipexplore.preparing import Picture, Preparer, batches_ahead
from clipexplore.vectors import normalize

if TYPE_CHECKING:
    import tokenizers
    import torch
    from transformers import CLIPImageProcessorPil, CLIPModel

WEIGHTS = "model.safetensors"
MAX_BATCH = 64  # of a pass, unless the device is one of these
TEXTS, PICTURES = {"cuda": 512}, {"cpu": 16, "cuda": 256}  # what stays in the cache of a core, what fills a GPU


class Embedder:
    """A loaded CLIP. It never changes after loading, so any number of threads may share it.

    Attributes
    ----------
    dim
        The number of dimensions of the joint space.
    logit_scale
        exp of the learned temperature: logits = logit_scale × cosine.
    max_tokens
        The longest text in tokens, the start and end tokens included; what is longer is cut.
    revision
        12 hex digits of the BLAKE2b hash of the weights: two models with the same revision share one space.
    """

    def __init__(
        self, model: CLIPModel, tokenizer: tokenizers.Tokenizer, processor: CLIPImageProcessorPil, revision: str
    ):
        self._model, self._tokenizer, self._prepare = model, tokenizer, Preparer(processor)
        self._end = tokenizer.encode("").ids[-1]
        self.dim: int = model.config.projection_dim
        self.logit_scale = math.exp(model.logit_scale.item())
        self.max_tokens: int = model.config.text_config.max_position_embeddings
        self.revision = revision

    @classmethod
    def load(
        cls, folder: Path | str, device: torch.device | str | None = None, dtype: torch.dtype | None = None, revision: str | None = None
    ) -> Embedder:
        """The model of a folder as `CLIPModel.save_pretrained` writes it; takes seconds, most of them imports.

        Parameters
        ----------
        device
            Where it runs; by default the accelerator of this machine, else the CPU.
        dtype
            By default float16 on CUDA, bfloat16 on a CPU that computes in it, else float32; small models are float32 on every CPU.
        revision
            What its revision is called; by default that of the weights.

        Raises
        ------
        InputError
            If the folder has no safetensors weights, or files that are damaged or of another kind of model.
        """
        folder = Path(folder)
        if not (folder / WEIGHTS).is_file():
            raise InputError(f"There is no CLIP in {folder}: {WEIGHTS} is missing; fetch or train the model first.")
        import torch

        device = default_device() if device is None else torch.device(device)
        dtype = dtype or default_dtype(device, (folder / WEIGHTS).stat().st_size)
        model, (tokenizer, processor) = _load_model(folder, dtype), _load_inputs(folder)
        _check_match(folder, model, tokenizer)
        if device.type == "cpu" and dtype is torch.bfloat16 and has_bfloat16():
            pack(model)
        found = cls(model.to(device), tokenizer, processor, revision or revision_of(folder / WEIGHTS))
        found.logit_scale = read_logit_scale(folder / WEIGHTS)  # 100 would be 99 in bfloat16
        return found

    @property
    def text_model(self) -> torch.nn.Module:
        """The text tower, for whoever draws with the same."""
        return self._model.text_model

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Text embeddings `(n, dim)`, float32, unit norm, in the order given; what exceeds `max_tokens` is cut.

        Attention looks back only and the end token is read out, so nothing after it matters: texts run with others
        of their length and unpadded instead of at full length, which changes no value and saves most of the work.
        """
        return normalize(self.project_texts(texts))

    def project_texts(self, texts: Sequence[str]) -> np.ndarray:
        """What `embed_texts` normalises: `(n, dim)` float32, of the lengths that the model gives them."""
        tokens = [self._cut(encoding.ids) for encoding in self._tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(tokens)), key=lambda index: len(tokens[index]))
        most = TEXTS.get(self._model.device.type, MAX_BATCH)
        batches = ([tokens[index] for index in order[start : start + most]] for start in range(0, len(order), most))
        return self._joined(self._run_texts, batches)[np.argsort(order, kind="stable")]

    def embed_images(self, images: Iterable[Picture]) -> np.ndarray:
        """Image embeddings `(n, dim)`, float32, unit norm, in the order given; the shorter side is scaled to the
        model's size and the middle square is seen.

        Parameters
        ----------
        images
            Opened pictures, or the contents or paths of files, which threads decode ahead of the model; of any number,
            since few are held at a time.

        Raises
        ------
        InputError
            For a file that cannot be opened, and where there is no memory even for one picture.
        """
        return normalize(self.project_images(images))

    def project_images(self, images: Iterable[Picture]) -> np.ndarray:
        """What `embed_images` normalises: `(n, dim)` float32, of the lengths that the model gives them."""
        return self._joined(self._run_images, batches_ahead(images, self._prepare, PICTURES.get(self._model.device.type, MAX_BATCH)))

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each whole text, start and end tokens included: more than `max_tokens` means it would be cut."""
        return [len(encoding.ids) for encoding in self._tokenizer.encode_batch(list(texts))]

    def _cut(self, tokens: list[int]) -> list[int]:
        if len(tokens) <= self.max_tokens:
            return tokens
        return [*tokens[: self.max_tokens - 1], self._end]

    def _joined(self, run: Callable[[list], torch.Tensor], batches: Iterable[list]) -> np.ndarray:
        """All rows of all batches, float32, one batch after the other."""
        import torch

        with torch.inference_mode():
            found = [rows for batch in batches for rows in self._run(run, batch)]
        return np.concatenate(found) if found else np.empty((0, self.dim), np.float32)

    def _run(self, run: Callable[[list], torch.Tensor], batch: list) -> list[np.ndarray]:
        """One batch; where memory is out in halves, and those in halves."""
        if (found := if_memory_suffices(lambda: run(batch).float().cpu().numpy())) is not None:
            return [found]
        if len(batch) == 1:
            raise InputError("There is too little memory to embed even one text or picture; close other programs or choose a smaller model.")
        half = len(batch) // 2
        return [*self._run(run, batch[:half]), *self._run(run, batch[half:])]

    def _run_texts(self, tokens: list[list[int]]) -> torch.Tensor:
        import torch

        width = max(map(len, tokens))
        padded = [[*row, *[self._end] * (width - len(row))] for row in tokens]  # the first end token is the one read
        return self._model.get_text_features(torch.tensor(padded, device=self._model.device)).pooler_output

    def _run_images(self, squares: list[torch.Tensor]) -> torch.Tensor:
        import torch

        pixels = torch.stack(squares).to(self._model.device)  # (n, 3, side, side)
        return self._model.get_image_features(self._prepare.normalized(pixels, self._model.dtype)).pooler_output


def _load_model(folder: Path, dtype: torch.dtype) -> CLIPModel:
    from safetensors import SafetensorError
    from transformers import CLIPModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        model, found = CLIPModel.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            attn_implementation="sdpa",
            dtype=dtype,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise InputError(f"The CLIP in {folder} cannot be loaded: {error}; fetch or train it again.") from error
    if found["missing_keys"]:  # transformers would go on with random numbers in their place
        raise InputError(f"The weights in {folder} are not those of a whole CLIP; use a CLIPModel folder.")
    _leave_out_what_is_not_read(model)
    return model.eval()


def _leave_out_what_is_not_read(model: CLIPModel) -> None:
    """Of a picture the first token is read out, so the last layer need not compute the others: a twentieth of all work.

    What it does token by token gets the first alone; the outcome is added to every token, and is right for the one that counts.
    """
    last = model.vision_model.encoder.layers[-1]
    for part in (last.self_attn.out_proj, last.mlp):
        part.register_forward_pre_hook(lambda module, given: (given[0][:, :1],))


def _load_inputs(folder: Path) -> tuple[tokenizers.Tokenizer, CLIPImageProcessorPil]:
    """The tokenizer and the image processor of a folder.

    A `CLIPTokenizer` keeps the truncation and padding of the last call inside, which threads would take from each
    other; the tokenizer it wraps is only read.
    """
    from tokenizers import Tokenizer
    from transformers import CLIPImageProcessorPil, CLIPTokenizer

    try:
        wrapped = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
        processor = CLIPImageProcessorPil.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise InputError(f"The tokenizer in {folder} cannot be loaded: {error}; fetch or train it again.") from error
    tokenizer = Tokenizer.from_str(wrapped.backend_tokenizer.to_str())
    tokenizer.encode_special_tokens = True  # "<|endoftext|>" typed by a visitor is text like any other, and ends nothing
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer, processor


def _check_match(folder: Path, model: CLIPModel, tokenizer: tokenizers.Tokenizer) -> None:
    """Refuses a tokenizer of another model: its ids would be out of range, or its end token never found and read."""
    text = model.config.text_config
    end = tokenizer.encode("").ids[-1]
    ends = (end, 2)  # 2 is what the first CLIPs say; transformers then reads the highest id
    if tokenizer.get_vocab_size() > text.vocab_size or text.eos_token_id not in ends:
        raise InputError(f"The tokenizer in {folder} is not that of its model; fetch or train the model again.")


def revision_of(weights: Path) -> str:
    """The revision of a file of weights, see `Embedder.revision`."""
    with open(weights, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=6)).hexdigest()
