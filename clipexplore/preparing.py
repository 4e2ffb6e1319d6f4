"""From files to what a CLIP sees: decoded, scaled and cropped by threads that work ahead of the model, in bounded memory.

Separate because it is as slow as the model itself if done one picture after the other; here torch scales bytes, which gives what the
reference (`CLIPImageProcessorPil`) gives to one grey level in a third of its time, and JPEGs are decoded at a fraction of their size.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from PIL import Image

from clipexplore.images import open_picture

if TYPE_CHECKING:
    import torch
    from transformers import CLIPImageProcessorPil

Picture = Image.Image | bytes | Path  # opened, or the content or the path of a file
T = TypeVar("T")
DECODERS = min(os.cpu_count() or 1, 16)
AHEAD = 2  # batches that are prepared before they are asked for
_BICUBIC = 3


class Preparer:
    """What the image processor of a model does, without its detours; any number of threads may share it.

    Attributes
    ----------
    side
        Pixels of the square that the model sees.
    """

    def __init__(self, processor: CLIPImageProcessorPil):
        self._processor = processor
        self.side: int = processor.crop_size["height"]
        self._shorter: int = processor.size.get("shortest_edge") or 0
        steps = all((processor.do_resize, processor.do_center_crop, processor.do_rescale, processor.do_normalize))
        square = processor.crop_size["width"] == self.side <= self._shorter
        self._usual = steps and square and processor.resample == _BICUBIC and abs(processor.rescale_factor * 255 - 1) < 1e-6

    def __call__(self, picture: Picture) -> torch.Tensor:
        """One picture as the model's square: `(3, side, side)`, uint8; float32 and normalised for a processor out of the ordinary.

        Raises
        ------
        InputError
            As `images.open_picture`, for a file.
        """
        import torch

        if not isinstance(picture, Image.Image):
            picture = open_picture(picture, least=2 * self._shorter or None)
        if not self._usual:
            return self._processor([picture], return_tensors="pt")["pixel_values"][0]
        pixels = torch.from_numpy(np.array(picture if picture.mode == "RGB" else picture.convert("RGB"))).permute(2, 0, 1)[None]  # (1, 3, height, width), channels last in memory
        scaled = torch.nn.functional.interpolate(pixels, self._scaled(*pixels.shape[2:]), mode="bicubic", antialias=True)[0]
        top, left = ((length - self.side) // 2 for length in scaled.shape[1:])
        return scaled[:, top : top + self.side, left : left + self.side].contiguous()

    def normalized(self, pixels: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """A batch `(n, 3, side, side)` of such squares, on its device, as the model takes it."""
        import torch

        if pixels.dtype != torch.uint8:
            return pixels.to(dtype)
        mean, std = (torch.tensor(each, dtype=torch.float32, device=pixels.device).view(3, 1, 1) for each in (self._processor.image_mean, self._processor.image_std))
        return torch.addcmul(-mean / std, pixels.float(), 1 / (255 * std)).to(dtype)

    def _scaled(self, height: int, width: int) -> tuple[int, int]:
        """Height and width with the shorter one scaled to that of the model."""
        short, long = sorted((height, width))
        other = int(self._shorter * long / short)
        return (self._shorter, other) if height <= width else (other, self._shorter)


def batches_ahead(items: Iterable, prepare: Callable[[object], T], size: int) -> Iterator[list[T]]:
    """Lists of `size` results, in order, prepared by threads while the one before is at work; an error comes at its place.

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
                waiting.extend(pool.submit(prepare, item) for item in islice(source, max(0, (1 + AHEAD) * size - len(waiting))))
                yield [waiting.popleft().result() for _ in range(min(size, len(waiting)))]
        finally:
            for left in waiting:
                left.cancel()
