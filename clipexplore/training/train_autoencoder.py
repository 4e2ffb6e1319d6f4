"""Train the autoencoder between pictures of 128 pixels and the 16 × 16 latents that the drawing model works on.

    python -m clipexplore.training.train_autoencoder --hours 2 --cooldown          # starts or resumes runs/autoencoder
    python -m clipexplore.training.train_autoencoder --hours 1 --cooldown --decoder    # the decoder alone: latents stay
    python -m clipexplore.training.train_autoencoder --measure     # round trip of 256 held-out scenes, in decibels

With a GPU: `--hours 0.2 --cooldown --device cuda --workers 14 --batch 128`.

A `diffusers.AutoencoderKL` of factor 8, narrow where pictures are large, since a layer at full resolution costs 64
times one at the latents'. It learns the absolute and the squared error and, so that edges stay sharp, the absolute
error of neighbouring pixels' differences. Once a drawing model is trained on its latents, only the decoder may learn
on.
"""

import argparse
import hashlib
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from safetensors import safe_open
from torch.utils.data import DataLoader, Dataset

from ..settings import settings
from .runs import Run, arguments, layout
from .scenes import HELD_OUT, draw, scene

SIZE = 128  # pixels
WIDTHS, LATENT_CHANNELS = (16, 32, 96, 128), 8
RATE, KEEP = 1e-3, 0.999
KL = 1e-6  # keeps latents from growing, no more
ENCODER = ("encoder.", "quant_conv.")  # the parameters that latents depend on
RUN = Path("runs/autoencoder")
AUTOENCODER = settings().assets / "models/emoji/unclip/vae"  # what was trained and exported


def build_autoencoder() -> AutoencoderKL:
    """An autoencoder with fresh weights."""
    torch.manual_seed(0)
    blocks = len(WIDTHS)
    return AutoencoderKL(
        block_out_channels=WIDTHS,
        latent_channels=LATENT_CHANNELS,
        layers_per_block=1,
        norm_num_groups=8,
        sample_size=SIZE,
        down_block_types=("DownEncoderBlock2D",) * blocks,
        up_block_types=("UpDecoderBlock2D",) * blocks,
    )


def start(device: str, folder: Path = RUN) -> Run:
    """The run of the autoencoder, resumed if there is one."""
    return Run(folder, build_autoencoder(), device, RATE, KEEP)


def trained(folder: Path = AUTOENCODER, device: str = "cpu") -> AutoencoderKL:
    """The averaged autoencoder of a run, or the one in a pipeline's folder."""
    if is_exported(folder):
        model = AutoencoderKL.from_pretrained(folder, torch_dtype=torch.float32).eval().requires_grad_(False)
    else:
        model = start("cpu", folder).averaged(build_autoencoder())
    return model.to(device, memory_format=layout(device))


def is_exported(folder: Path) -> bool:
    """Whether a folder is one that `AutoencoderKL.from_pretrained` loads, and not a run."""
    return (folder / "config.json").exists()


def scaling(folder: Path) -> float | None:
    """What the latents of an exported autoencoder are multiplied with; of a run that is not settled yet."""
    return AutoencoderKL.load_config(folder)["scaling_factor"] if is_exported(folder) else None


def keep_encoder(run: Run) -> None:
    """From here on only the decoder learns, from the latents of the averaged encoder."""
    with torch.no_grad():
        for name, value in run.model.named_parameters():
            if name.startswith(ENCODER):
                value.copy_(run.average[name]).requires_grad_(False)


def encoder_revision(folder: Path) -> str:
    """A hash of an encoder, of a run the averaged one: latents of the same revision go together."""
    found = hashlib.blake2b(digest_size=6)
    file, prefix = (
        ("diffusion_pytorch_model.safetensors", "") if is_exported(folder) else ("state.safetensors", "average/")
    )
    with safe_open(folder / file, "np") as tensors:
        for name in sorted(tensors.keys()):
            if name.startswith(tuple(prefix + part for part in ENCODER)):
                found.update(tensors.get_tensor(name).tobytes())
    return found.hexdigest()


class Pictures(Dataset):
    """Batch number → pictures `(batch, 3, 128, 128)` uint8 of the scenes from seed number × batch on."""

    def __init__(self, batch: int):
        self.batch = batch

    def __len__(self) -> int:
        return 1 << 30

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        return {"pixels": as_pixels(scene(number * self.batch + i) for i in range(self.batch))}


def as_pixels(scenes) -> torch.Tensor:
    """Pictures of scenes, `(n, 3, 128, 128)` uint8."""
    return torch.from_numpy(np.stack([np.asarray(draw(one)) for one in scenes]).transpose(0, 3, 1, 2))


def as_input(pixels: torch.Tensor) -> torch.Tensor:
    """uint8 pictures as a network takes them, in [−1, 1]."""
    return pixels.float() / 127.5 - 1


def step_loss(model: AutoencoderKL, pixels: torch.Tensor) -> torch.Tensor:
    pictures = as_input(pixels)
    posterior = model.encode(pictures).latent_dist
    drawn = model.decode(posterior.sample()).sample.float()
    edges = sum(F.l1_loss(drawn.diff(dim=dim), pictures.diff(dim=dim)) for dim in (2, 3))
    return F.l1_loss(drawn, pictures) + F.mse_loss(drawn, pictures) + 0.5 * edges + KL * posterior.kl().mean()


def psnr(model: AutoencoderKL, scenes: int = 256, batch: int = 32) -> float:
    """Peak signal to noise of the round trip of held-out scenes, in decibels, from the mean squared error of all of
    them together.
    """
    device, errors = next(model.parameters()).device, []
    with torch.inference_mode():
        for first in range(0, scenes, batch):
            pictures = as_input(as_pixels(scene(HELD_OUT + first + i) for i in range(min(batch, scenes - first)))).to(
                device
            )
            drawn = model.decode(model.encode(pictures).latent_dist.mean).sample.clamp(-1, 1)
            errors.append(((drawn - pictures).double() / 2).square().mean((1, 2, 3)).cpu())
    return float(-10 * torch.cat(errors).mean().log10())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    arguments(parser)
    parser.add_argument("--run", type=Path, default=RUN)
    parser.add_argument("--batch", type=int, default=16, help="pictures a step")
    parser.add_argument(
        "--decoder", action="store_true", help="keep the encoder as it is: a drawing model stands on its latents"
    )
    parser.add_argument("--measure", action="store_true", help="print the round trip's PSNR")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.hours:
        run = start(options.device, options.run)
        if options.decoder:
            keep_encoder(run)
        loader = DataLoader(
            Pictures(options.batch),
            batch_size=None,
            sampler=range(run.step, 1 << 30),
            num_workers=options.workers,
            prefetch_factor=4 if options.workers else None,
        )
        run.train(loader, step_loss, options.hours, options.cooldown)
    if options.measure:
        print(f"round trip of held-out scenes: {psnr(trained(options.run, options.device)):.1f} dB (bar: 27)")


if __name__ == "__main__":
    main()
