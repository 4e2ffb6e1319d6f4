"""From files to what a CLIP sees: decoded, scaled and cropped by threads that work ahead of the model, in bounded
memory.

torch scales bytes, which gives what the reference (`CLIPImageProcessorPil`) gives to one grey level in a third of its
time, and JPEGs are decoded at a fraction of their size.
"""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from PIL import Image

from clipexplore.images import open_picture

if TYPE_CHECKING:
    import torch

Picture = Image.Image | bytes | Path  # opened, or the content or the path of a file
Item = TypeVar("Item")
T = TypeVar("T")
DECODERS = min(os.cpu_count() or 1, 16)
AHEAD = 2  # batches that are prepared before they are asked for
THIN = 8  # times as long as wide: of a longer picture only the middle is looked at before it is scaled
_MODES = {2: "bilinear", 3: "bicubic"}  # of PIL, by the names of torch


class Preparer:
    """What the image processor of a model does, without its detours; any number of threads may share it.

    Attributes
    ----------
    side
        Pixels of the square that the model sees.
    """

    def __init__(self, processor: Any, start: Callable[[float], int] = math.floor):
        self._processor, self._start = processor, start
        self._crops = bool(getattr(processor, "do_center_crop", False))
        seen = processor.crop_size if self._crops else processor.size
        self.side: int = seen["height"]
        self._shorter: int = (processor.size.get("shortest_edge") or 0) if self._crops else self.side
        steps = processor.do_resize and processor.do_rescale and abs(processor.rescale_factor * 255 - 1) < 1e-6
        square = seen["width"] == self.side <= self._shorter
        self._mode: str = _MODES.get(int(processor.resample), "")
        self._usual = bool(steps and square and self._mode)

    def __call__(self, picture: Picture) -> torch.Tensor:
        """One picture as the model's square: `(3, side, side)`, uint8; float32 and normalised where the processor is
        unusual.

        Raises
        ------
        InputError
            As `images.open_picture`, for a file.
        """
        import torch

        if not isinstance(picture, Image.Image):
            picture = open_picture(picture, least=2 * self._shorter or None)
        if self._crops:
            picture = _middle(picture)
        if not self._usual:
            return self._processor([picture], return_tensors="pt")["pixel_values"][0]
        rgb = np.array(picture if picture.mode == "RGB" else picture.convert("RGB"))
        pixels = torch.from_numpy(rgb).permute(2, 0, 1)[None]  # (1, 3, height, width), channels last in memory
        size = self._scaled(*pixels.shape[2:])
        scaled = torch.nn.functional.interpolate(pixels, size, mode=self._mode, antialias=True)[0]
        top, left = (self._start((length - self.side) / 2) for length in scaled.shape[1:])
        return scaled[:, top : top + self.side, left : left + self.side].contiguous()

    def normalized(self, pixels: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """A batch `(n, 3, side, side)` of such squares, on its device, as the model takes it."""
        import torch

        if pixels.dtype != torch.uint8:
            return pixels.to(dtype)
        if not self._processor.do_normalize:
            return (pixels.float() / 255).to(dtype)
        mean, std = (
            torch.tensor(each, dtype=torch.float32, device=pixels.device).view(3, 1, 1)
            for each in (self._processor.image_mean, self._processor.image_std)
        )
        return torch.addcmul(-mean / std, pixels.float(), 1 / (255 * std)).to(dtype)

    def _scaled(self, height: int, width: int) -> tuple[int, int]:
        """Height and width to scale to: the shorter one to the model's, or where nothing is cropped both."""
        if not self._crops:
            return self.side, self.side
        short, long = sorted((height, width))
        other = int(self._shorter * long / short)
        return (self._shorter, other) if height <= width else (other, self._shorter)


def _middle(picture: Image.Image) -> Image.Image:
    """The middle of a very thin picture, in which the square that a model sees lies: scaled whole, 2 × 20,000 pixels
    take 3 GB.
    """
    short, long = sorted(picture.size)
    keep = THIN * short
    if long <= keep:
        return picture
    start = (long - keep) // 2
    wide = picture.width == long
    return picture.crop((start, 0, start + keep, short) if wide else (0, start, short, start + keep))


def batches_ahead(items: Iterable[Item], prepare: Callable[[Item], T], size: int) -> Iterator[list[T]]:
    """Lists of `size` results, in order, prepared by threads while the one before is at work; an error comes at its
    place.

    Never more than `AHEAD` batches are waiting, so any number of items fits in memory.
    """
    source = iter(items)
    first = list(islice(source, size + 1))
    if len(first) <= 2 or DECODERS == 1:  # threads would cost more than they save
        chunk = first
        while chunk:
            yield [prepare(item) for item in chunk[:size]]
            chunk = chunk[size:] + list(islice(source, size))
        return
    with ThreadPoolExecutor(DECODERS, thread_name_prefix="decode") as pool:
        waiting = deque(pool.submit(prepare, item) for item in first)
        try:
            while waiting:
                waiting.extend(
                    pool.submit(prepare, item) for item in islice(source, max(0, (1 + AHEAD) * size - len(waiting)))
                )
                yield [waiting.popleft().result() for _ in range(min(size, len(waiting)))]
        finally:
            for task in waiting:
                task.cancel()
