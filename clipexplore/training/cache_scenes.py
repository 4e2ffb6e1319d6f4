"""Write down, once, what the drawing model is trained on: for each scene its latents, its CLIP embedding, its patches
and where its things are.

    python -m clipexplore.training.cache_scenes --scenes 60000      # adds to runs/drawing/cache; stopped and resumed

A scene is drawn, encoded by the autoencoder and seen by the bundled CLIP, which together cost about a third of a
training step, and every scene is used several times. Captions are not kept: they follow from the scene's seed, and say
it in other words each time. A cache belongs to one picture tower and one encoder, whatever becomes of the text tower;
made with others it is refused.
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset
from transformers import CLIPModel

from ..models.revisions import revisions_of
from ..settings import settings
from .clip_model import MEAN, STD, small_pixels
from .scenes import DRAWING_SHARES, Scene, draw, scene
from .train_autoencoder import AUTOENCODER, SIZE, as_input, encoder_revision, scaling, trained

CACHE = Path("runs/drawing/cache")
CLIP = settings().assets / "models/emoji/clip"
SHARD = 500  # scenes a file
GRID = SIZE // 8  # latents a side
ALIGNED_LAYER = 5  # of the picture tower: what its patches are after this layer, the U-Net learns to see as well
KINDS = ("latents", "embeddings", "patches", "things")


def cached_scene(row: int) -> Scene:
    """The scene of a row of the cache."""
    return scene(row, DRAWING_SHARES)


class Shards(Dataset):
    """Shard number → pictures of its scenes, `(SHARD, 3, 128, 128)` and `(SHARD, 3, 72, 72)` uint8, and `(SHARD, 16,
    16)` uint8 where its things are.
    """

    def __len__(self) -> int:
        return 1 << 20

    def __getitem__(self, number: int) -> tuple[int, torch.Tensor, torch.Tensor, torch.Tensor]:
        scenes = [cached_scene(number * SHARD + i) for i in range(SHARD)]
        pictures = [draw(one) for one in scenes]
        large = np.stack([np.asarray(each) for each in pictures]).transpose(0, 3, 1, 2)
        arrays = large, np.stack([small_pixels(each) for each in pictures]), np.stack([boxes(one) for one in scenes])
        return number, *map(torch.from_numpy, arrays)


def boxes(one: Scene) -> np.ndarray:
    """The share of each latent's place that boxes of things cover, `(16, 16)` uint8, 255 for all of it."""
    covered = np.zeros((SIZE, SIZE), np.float32)
    for item in one.items:
        left, top, width, height = item.box
        covered[max(0, top) : max(0, top + height), max(0, left) : max(0, left + width)] = 255
    return covered.reshape(GRID, SIZE // GRID, GRID, SIZE // GRID).mean((1, 3)).round().astype(np.uint8)


class Cache:
    """The shards of a folder: `NNNN-latents.npy` `(SHARD, channels, 16, 16)`, `NNNN-embeddings.npy` `(SHARD, dim)` of
    unit norm and `NNNN-patches.npy` `(SHARD, width, 6, 6)`, all float16, and `NNNN-things.npy` `(SHARD, 16, 16)` uint8,
    see `boxes`.

    `scale` is what the latents were multiplied with, so that their standard deviation is about 1.

    Raises
    ------
    ValueError
        When it was made with another picture tower or encoder; and, asked for rows, when it is empty.
    """

    def __init__(self, folder: Path, clip: Path = CLIP, autoencoder: Path = AUTOENCODER):
        self.folder, about = folder, folder / "cache.json"
        if not about.exists():
            raise ValueError(f"{folder} is no cache; run clipexplore.training.cache_scenes first")
        self.about = json.loads(about.read_text())
        if {key: self.about[key] for key in ("pictures", "encoder")} != _sources(clip, autoencoder):
            raise ValueError(
                f"{folder} was made with another CLIP or encoder; "
                "delete it and run clipexplore.training.cache_scenes again"
            )
        self.scale: float = self.about["scale"]
        files = {kind: sorted(folder.glob(f"*-{kind}.npy")) for kind in KINDS}
        self._shards = {kind: [np.load(path, mmap_mode="r") for path in paths] for kind, paths in files.items()}

    def __len__(self) -> int:
        return len(self._shards[KINDS[-1]]) * SHARD  # written last

    def rows(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Latents, embeddings, patches and places of things of scenes `(n,)` int."""
        if not len(self):
            raise ValueError("the cache holds no scene yet; run clipexplore.training.cache_scenes first")
        return {
            kind: np.stack([shards[row // SHARD][row % SHARD] for row in rows]) for kind, shards in self._shards.items()
        }

    def embeddings(self, number: int) -> np.ndarray:
        """Those of the first scenes, `(number, dim)` float32, fewer if there are fewer."""
        return np.concatenate(self._shards["embeddings"][: -(-number // SHARD)])[:number].astype(np.float32)


def _sources(clip: Path, autoencoder: Path) -> dict[str, str]:
    return {"pictures": revisions_of(clip).pictures, "encoder": encoder_revision(autoencoder)}


def fill(
    folder: Path, scenes: int, workers: int, device: str, clip: Path = CLIP, autoencoder: Path = AUTOENCODER
) -> None:
    """Adds shards until the cache holds this many scenes."""
    folder.mkdir(parents=True, exist_ok=True)
    shards, encoder = Shards(), trained(autoencoder, device)
    model = CLIPModel.from_pretrained(clip, dtype=torch.float32).to(device).eval()
    if not (folder / "cache.json").exists():
        scale = scaling(autoencoder) or 1 / _encode(encoder, shards[0][1][:256]).std().item()
        (folder / "cache.json").write_text(json.dumps(_sources(clip, autoencoder) | {"scale": scale}))
    have = Cache(folder, clip, autoencoder)
    wanted = range(len(have) // SHARD, -(-scenes // SHARD))
    for number, large, small, things in DataLoader(
        shards, batch_size=None, sampler=wanted, num_workers=workers, prefetch_factor=1 if workers else None
    ):
        embeddings, patches = seen(model, small)
        latents = (_encode(encoder, large) * have.scale).half()
        for kind, array in zip(KINDS, (latents, embeddings.half(), patches.half(), things), strict=True):
            with open(folder / "new", "wb") as file:
                np.save(file, array.numpy())
            (folder / "new").replace(folder / f"{number:04d}-{kind}.npy")
        print(f"{(number + 1) * SHARD:,} of {scenes:,} scenes", flush=True)


def seen(model: CLIPModel, small: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Embeddings `(n, dim)` of unit norm and patches `(n, width, rows, columns)` after `ALIGNED_LAYER`, on the CPU, of
    pictures `(n, 3, side, side)` uint8.
    """
    embeddings, patches = [], []
    with torch.inference_mode():
        for some in small.split(16):
            pixels = ((some.float() / 255 - MEAN[0]) / STD[0]).to(model.device)
            found = model.vision_model(pixel_values=pixels, output_hidden_states=True)
            embeddings.append(F.normalize(model.visual_projection(found.pooler_output), dim=-1).cpu())
            seen = found.hidden_states[ALIGNED_LAYER][:, 1:].transpose(1, 2)
            patches.append(seen.unflatten(2, (math.isqrt(seen.shape[2]), -1)).cpu())
    return torch.cat(embeddings), torch.cat(patches)


def _encode(encoder, pixels: torch.Tensor) -> torch.Tensor:
    """The means of latents, on the CPU, of pictures on the CPU."""
    device = next(encoder.parameters()).device
    with torch.inference_mode():
        return torch.cat(
            [encoder.encode(as_input(some).to(device)).latent_dist.mean.cpu() for some in pixels.split(16)]
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1, help="threads a CPU encodes with")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw scenes")
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument(
        "--autoencoder", type=Path, default=AUTOENCODER, help="a run, or the folder `vae` of a pipeline"
    )
    parser.add_argument("--scenes", type=int, default=200_000)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    fill(options.cache, options.scenes, options.workers, options.device, autoencoder=options.autoencoder)


if __name__ == "__main__":
    main()
