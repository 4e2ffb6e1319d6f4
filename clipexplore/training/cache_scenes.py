"""Write down, once, what the drawing model is trained on: for each scene its latents, its CLIP embedding and some of its captions.

    python -m clipexplore.training.cache_scenes --scenes 200000 --workers 1       # adds to runs/drawing/cache; stopped and resumed at any shard

A scene is drawn, encoded by the trained autoencoder and embedded by the bundled CLIP, which together cost about a third of a training step, and every
scene is used many times. Captions are kept as tokens: their states are sixteen times as large and quickly computed. A cache belongs to one CLIP and
one encoder; made with others it is refused.
"""

import argparse
import json
from pathlib import Path
from random import Random

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from transformers import CLIPTokenizer

from ..embedder import WEIGHTS, Embedder, revision_of
from ..settings import settings
from . import captions
from .scenes import scene
from .train_autoencoder import RUN as AUTOENCODER
from .train_autoencoder import as_input, as_pixels, encoder_revision, trained

CACHE = Path("runs/drawing/cache")
CLIP = settings().assets / "models/emoji/clip"
SHARD, CAPTIONS = 500, 4  # scenes a file; captions a scene, the first of them literal


class Shards(Dataset):
    """Shard number → pictures `(SHARD, 3, 128, 128)` uint8 and tokens `(SHARD, CAPTIONS, context)` of its scenes."""

    def __init__(self, tokenizer: CLIPTokenizer):
        self.tokenizer = tokenizer

    def __len__(self) -> int:
        return 1 << 20

    def __getitem__(self, number: int) -> tuple[int, torch.Tensor, torch.Tensor]:
        scenes, rng = [scene(number * SHARD + i) for i in range(SHARD)], Random(f"drawing {number}")
        texts = [text for one in scenes for text in (captions.literal(one), *(captions.caption(one, rng) for _ in range(CAPTIONS - 1)))]
        return number, as_pixels(scenes), tokens(self.tokenizer, texts).view(SHARD, CAPTIONS, -1)


def tokens(tokenizer: CLIPTokenizer, texts: list[str]) -> torch.Tensor:
    """`(n, context)` of texts, cut and padded to the full length, as the pipeline does it."""
    return tokenizer(texts, padding="max_length", max_length=tokenizer.model_max_length, truncation=True, return_tensors="pt").input_ids


class Cache:
    """The shards of a folder: `NNN-latents.npy` `(SHARD, channels, 16, 16)`, `NNN-embeddings.npy` `(SHARD, dim)` of unit norm, both float16, and
    `NNN-tokens.npy` `(SHARD, CAPTIONS, context)` int16.

    `scale` is what the latents were multiplied with, so that their standard deviation is 1.

    Raises
    ------
    ValueError
        When it was made with another CLIP or encoder; and, asked for rows, when it is empty.
    """

    def __init__(self, folder: Path, clip: Path = CLIP, autoencoder: Path = AUTOENCODER):
        about = folder / "cache.json"
        if not about.exists():
            raise ValueError(f"{folder} is no cache; run clipexplore.training.cache_scenes first")
        self.about = json.loads(about.read_text())
        if {key: self.about[key] for key in ("clip", "encoder")} != _sources(clip, autoencoder):
            raise ValueError(f"{folder} was made with another CLIP or encoder; delete it and run clipexplore.training.cache_scenes again")
        self.scale: float = self.about["scale"]
        self._files = {kind: sorted(folder.glob(f"*-{kind}.npy")) for kind in ("latents", "embeddings", "tokens")}
        self._shards = {kind: [np.load(path, mmap_mode="r") for path in paths] for kind, paths in self._files.items()}

    def __len__(self) -> int:
        return len(self._files["tokens"]) * SHARD  # written last of the three

    def rows(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Latents, embeddings and tokens of scenes `(n,)` int."""
        if not len(self):
            raise ValueError("the cache holds no scene yet; run clipexplore.training.cache_scenes first")
        return {kind: np.stack([shards[row // SHARD][row % SHARD] for row in rows]) for kind, shards in self._shards.items()}


def _sources(clip: Path, autoencoder: Path) -> dict[str, str]:
    return {"clip": revision_of(clip / WEIGHTS), "encoder": encoder_revision(autoencoder)}


def fill(folder: Path, scenes: int, workers: int, device: str, clip: Path = CLIP, autoencoder: Path = AUTOENCODER) -> None:
    """Adds shards until the cache holds this many scenes."""
    folder.mkdir(parents=True, exist_ok=True)
    embedder, encoder = Embedder.load(clip, device), trained(autoencoder, device)
    shards = Shards(CLIPTokenizer.from_pretrained(clip))
    if not (folder / "cache.json").exists():
        about = _sources(clip, autoencoder) | {"scale": 1 / _encode(encoder, shards[0][1][:256]).std().item()}
        (folder / "cache.json").write_text(json.dumps(about))
    have = Cache(folder, clip, autoencoder)
    wanted = range(len(have) // SHARD, -(-scenes // SHARD))
    for number, pixels, read in DataLoader(shards, batch_size=None, sampler=wanted, num_workers=workers, prefetch_factor=1 if workers else None):
        pictures = [Image.fromarray(each) for each in pixels.permute(0, 2, 3, 1).contiguous().numpy()]
        arrays = {"latents": (_encode(encoder, pixels) * have.scale).half().numpy(), "embeddings": embedder.embed_images(pictures).astype(np.float16)}
        for kind, array in (arrays | {"tokens": read.numpy().astype(np.int16)}).items():
            with open(folder / "new", "wb") as file:
                np.save(file, array)
            (folder / "new").replace(folder / f"{number:04d}-{kind}.npy")
        print(f"{(number + 1) * SHARD:,} of {scenes:,} scenes", flush=True)


def _encode(encoder, pixels: torch.Tensor) -> torch.Tensor:
    """The means of latents, on the CPU, of pictures on the CPU."""
    device = next(encoder.parameters()).device
    with torch.inference_mode():
        return torch.cat([encoder.encode(as_input(some).to(device)).latent_dist.mean.cpu() for some in pixels.split(50)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1, help="threads a CPU encodes with")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw scenes")
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--scenes", type=int, default=200_000)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    fill(options.cache, options.scenes, options.workers, options.device)


if __name__ == "__main__":
    main()
