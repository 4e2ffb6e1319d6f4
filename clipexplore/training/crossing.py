"""How a text crosses the modality gap before it is drawn, learned from scenes and their captions.

    python -m clipexplore.training.crossing assets/models/emoji/unclip --clip assets/models/emoji/clip

writes it beside a drawing model whose CLIP has a new text tower, in about five minutes on one core; the picture tower
must still be the one that the drawing model was trained on. A drawing model that is exported comes with it.
"""

import argparse
import json
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from ..draw.folders import FACTS, GAP
from ..models.embedder import Embedder
from ..models.revisions import WEIGHTS, revision_of
from ..settings import settings
from . import captions
from .evaluate import embed_scenes
from .scenes import scene

RIDGE = 1e-3
SCENES = 8_000
MODELS = settings().assets / "models/emoji"


def picture_map(texts: torch.Tensor, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """How texts cross the modality gap, learned from pairs `(n, dim)` of unit norm: the mean offset `(dim,)`, and a
    linear map with its constant in the last row `(dim + 1, dim)`, by ridge regression; see `carried`.
    """
    text_mean, picture_mean = texts.mean(0), pictures.mean(0)
    centred = texts - text_mean
    weighed = centred.T @ centred / len(texts) + RIDGE / texts.shape[1] * torch.eye(texts.shape[1])
    linear = torch.linalg.solve(weighed, centred.T @ (pictures - picture_mean) / len(texts))
    return picture_mean - text_mean, torch.cat([linear, (picture_mean - text_mean @ linear)[None]])


def carried(texts: torch.Tensor, map: torch.Tensor) -> torch.Tensor:
    """Text embeddings `(n, dim)` of unit norm where pictures lie, of unit norm."""
    return F.normalize(texts @ map[:-1] + map[-1], dim=-1)


def save_crossing(folder: Path, clip: Path, offset: torch.Tensor, map: torch.Tensor) -> None:
    """Writes beside a drawing model which CLIP it draws for, and how that one's texts cross."""
    facts = json.loads((folder / FACTS).read_text()) | {"clip": revision_of(clip / WEIGHTS)}
    (folder / FACTS).write_text(json.dumps(facts) + "\n")
    save_file({"gap": offset.contiguous(), "map": map.contiguous()}, folder / GAP)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=MODELS / "unclip")
    parser.add_argument("--clip", type=Path, default=MODELS / "clip")
    parser.add_argument("--scenes", type=int, default=SCENES)
    options = parser.parse_args()
    embedder, scenes = Embedder.load(options.clip), [scene(seed) for seed in range(options.scenes)]
    texts = embedder.embed_texts([captions.literal(one) for one in scenes])
    pictures = [torch.from_numpy(embed_scenes(embedder, scenes[row : row + 500])) for row in range(0, len(scenes), 500)]
    save_crossing(options.folder, options.clip, *picture_map(torch.from_numpy(texts), torch.cat(pictures)))


if __name__ == "__main__":
    main()
