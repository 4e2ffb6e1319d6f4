"""Walks that were drawn beforehand and are shipped beside the decoder that drew them, found by their recipe.

The last bits of vectors and pixels depend on the machine. So a recipe is plain values that are the same everywhere,
revisions of the weights among them, and beside it the walk's stops have to point the same way, up to rounding.

A file holds one walk: `frames`, the bytes of a lossless WebP of all its frames below each other; `stops` `(s, dim)`;
where frames are points, the `embeddings` `(n, dim)` of what was drawn; and a checksum of these. Vectors are float16, as
in collections.
"""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from clipexplore.errors import InputError
from clipexplore.images import contact_sheet, encode, open_picture
from clipexplore.paths import write_whole
from clipexplore.vectors import normalize

log = logging.getLogger(__name__)
FOLDER = "drawings"  # beside the decoder's
SAME = 1 - 1e-5  # the cosine of two vectors that differ by rounding is larger
Recipe = Mapping[str, object]


@dataclass(frozen=True, eq=False)
class Ready:
    """A walk as it lies in a file.

    Attributes
    ----------
    strip
        Its frames, which are squares, below each other.
    stops
        `(s, dim)` float32, unit rows.
    embeddings
        `(n, dim)` float32, unit rows; None for drawings of token states.
    """

    strip: Image.Image
    stops: np.ndarray
    embeddings: np.ndarray | None

    @property
    def pictures(self) -> list[Image.Image]:
        """Each frame, `n` of them."""
        side = self.strip.width
        return [self.strip.crop((0, top, side, top + side)) for top in range(0, self.strip.height, side)]

    def passes(self, stops: np.ndarray) -> bool:
        """Whether these are its stops `(s, dim)`."""
        same_shape = stops.shape == self.stops.shape
        return same_shape and bool(((normalize(stops) * self.stops).sum(axis=1) > SAME).all())


def find(decoder: Path, recipe: Recipe, stops: np.ndarray) -> Ready | None:
    """The walk of a recipe through stops `(s, dim)`, beside the folder of its decoder; None where none is shipped, or
    its file is damaged, which is logged once.
    """
    files = sorted((decoder.parent / FOLDER).glob(_file_name("*", recipe)))
    looked_at = ((path, path.stat().st_mtime_ns) for path in files)
    return next((held for each in looked_at if (held := _held(*each)) and held.passes(stops)), None)


def file_of(decoder: Path, name: str, recipe: Recipe) -> Path:
    """Where a walk lies that has a name beside the digest of its recipe."""
    return decoder.parent / FOLDER / _file_name(name, recipe)


def _file_name(name: str, recipe: Recipe) -> str:
    return f"{name}-{hashlib.blake2b(_written(recipe).encode(), digest_size=6).hexdigest()}.safetensors"


def write(
    path: Path, recipe: Recipe, stops: np.ndarray, pictures: Sequence[Image.Image], embeddings: np.ndarray | None
) -> None:
    """Writes a walk; the file is whole at every moment. A strip has at most 16,383 rows of pixels."""
    from safetensors.numpy import save

    frames = encode(contact_sheet(list(pictures), pictures[0].width, 1), "WEBP", lossless=True, quality=100, method=6)
    tensors: dict[str, np.ndarray] = {
        "frames": np.frombuffer(frames, np.uint8),
        "stops": normalize(stops).astype(np.float16),
    }
    if embeddings is not None:
        tensors["embeddings"] = embeddings.astype(np.float16)
    write_whole(path, save(tensors, {"recipe": _written(recipe), "checksum": _checksum(tensors)}))


@lru_cache(maxsize=16)
def _held(path: Path, changed: int) -> Ready | None:
    """What a file holds; None if it is damaged. `changed` tells when to look again."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            names: list[str] = list(file.keys())
            tensors: dict[str, np.ndarray] = {name: file.get_tensor(name) for name in names}
            checksum = (file.metadata() or {}).get("checksum")
        if _checksum(tensors) != checksum:
            raise InputError("It is not what was written.")
        strip = open_picture(tensors.pop("frames").tobytes(), least=1)
        vectors = {name: normalize(each.astype(np.float32)) for name, each in tensors.items()}
        return Ready(strip, vectors["stops"], vectors.get("embeddings"))
    except (SafetensorError, OSError, LookupError, InputError) as error:
        log.warning("The shipped drawing %s is damaged, so its walk is drawn anew: %s", path, error)
        return None


def _written(recipe: Recipe) -> str:
    return json.dumps(recipe, sort_keys=True)


def _checksum(tensors: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(tensors):
        digest.update(name.encode() + tensors[name].tobytes())
    return digest.hexdigest()
