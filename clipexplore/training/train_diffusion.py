"""Train the drawing model: a Stable unCLIP on the tokens and the joint space of the bundled CLIP.

    python -m clipexplore.training.train_autoencoder --hours 2 --cooldown --threads 2        # first the autoencoder,
    python -m clipexplore.training.cache_scenes --scenes 200000 --threads 2                  # then what it and CLIP make of the scenes,
    python -m clipexplore.training.train_diffusion --hours 6 --cooldown --singles 3 --threads 2    # then this: starts or resumes runs/drawing
    python -m clipexplore.training.train_diffusion --export assets/models/emoji/unclip
    python -m clipexplore.training.train_diffusion --hours 0.4 --cooldown --device cuda --batch 512 --widths 128 192 320      # with a GPU at hand

A U-Net on 16 × 16 latents that reads the token states of a text by cross-attention and a noised embedding by its class projection. Either is left out at
random, a text as the empty text, an embedding as zeros, so that each draws alone and guidance has something to lean away from. It predicts v
(Salimans and Ho 2022) under a cosine schedule; steps with little noise, where everything is seen already, count less (after Hang et al. 2023), and those
with much, where only the condition tells what is there, in full: min-SNR as published would leave them out. What is exported is the average of the weights.
"""

import argparse
import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    StableUnCLIPImg2ImgPipeline,
    UNet2DConditionModel,
)
from diffusers.models.attention_processor import AttnProcessor
from diffusers.models.embeddings import get_timestep_embedding
from diffusers.pipelines.stable_diffusion.stable_unclip_image_normalizer import StableUnCLIPImageNormalizer
from safetensors.numpy import save_file
from torch.utils.data import DataLoader, Dataset
from transformers import CLIPModel

from ..drawing.pipelines import FACTS, GAP
from ..embedder import WEIGHTS, Embedder, revision_of
from . import captions
from .cache_scenes import CACHE, CLIP, Cache
from .runs import Run, arguments
from .scenes import scene
from .train_autoencoder import RUN as AUTOENCODER
from .train_autoencoder import SIZE, trained

RUN = Path("runs/drawing")
WIDTHS, LAYERS, HEADS = (96, 160, 256), 2, 4  # 23 M parameters: what two CPU cores can train; (128, 192, 320) has 35 M
RATE, KEEP = 4e-4, 0.9995
SNR_CAP = 5.0
# What a picture is drawn from, at random: shares of text only, embedding only, both, neither.
SHARES = (0.55, 0.3, 0.05, 0.1)
CLEAN, MOST_NOISE = 0.6, 600  # share of embeddings given as they are; the others are noised up to this level of 1,000
SCHEDULE = {"num_train_timesteps": 1000, "beta_schedule": "squaredcos_cap_v2"}
DEFAULTS = {"num_inference_steps": 12, "guidance_scale": 4.0}
SHARD_SIZE = "40MB"


def build_unet(widths: tuple[int, ...], channels: int, text_width: int, dim: int) -> UNet2DConditionModel:
    """A U-Net with fresh weights; it reads the text at 8 × 8 places and in its middle: with attention among 16 × 16, a step would take twice as long."""
    torch.manual_seed(0)
    read = [0 < level < len(widths) - 1 for level in range(len(widths))]
    return UNet2DConditionModel(
        sample_size=SIZE // 8, in_channels=channels, out_channels=channels, block_out_channels=widths, layers_per_block=LAYERS, cross_attention_dim=text_width,
        down_block_types=["CrossAttnDownBlock2D" if here else "DownBlock2D" for here in read],
        up_block_types=["CrossAttnUpBlock2D" if here else "UpBlock2D" for here in reversed(read)],
        attention_head_dim=HEADS,  # the number of heads, whatever its name says
        resnet_time_scale_shift="scale_shift",  # after normalising in groups: added before it, an embedding would be normalised away in good part
        class_embed_type="projection", projection_class_embeddings_input_dim=2 * dim,
    )  # fmt: skip


class Batches(Dataset):
    """Batch number → latents, embeddings and the tokens of one caption each, of scenes drawn from the cache by that number.

    `singles` is how much more often a scene of one thing alone is drawn than another: there are more than a thousand things to learn the looks of,
    and in a scene of several each is small.
    """

    def __init__(self, cache: Cache, batch: int, singles: float = 1.0):
        self.cache, self.batch = cache, batch
        shares = np.ones(len(cache)) if singles == 1 else [singles if scene(seed).kind == "single" else 1.0 for seed in range(len(cache))]
        self.ends = np.cumsum(shares)  # row i is drawn by numbers up to the i-th

    def __len__(self) -> int:
        return 1 << 30

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        rng = np.random.default_rng(number)
        found = self.cache.rows(np.searchsorted(self.ends, rng.random(self.batch) * self.ends[-1], side="right"))
        chosen = found["tokens"][np.arange(self.batch), rng.integers(found["tokens"].shape[1], size=self.batch)]
        rows = {"latents": found["latents"].astype(np.float32), "embeddings": found["embeddings"].astype(np.float32), "tokens": chosen.astype(np.int64)}
        return {name: torch.from_numpy(values) for name, values in rows.items()}


class Conditions:
    """What the U-Net is told: token states of the frozen text tower, and embeddings, scaled, noised and with their noise level beside them.

    Attributes
    ----------
    norm
        Of an embedding as the U-Net gets it: √dim, so that its numbers are of size 1 like those of the noise level.
    """

    def __init__(self, clip: Path, embeddings: np.ndarray, device: str):
        model = CLIPModel.from_pretrained(clip, dtype=torch.float32).eval().requires_grad_(False)
        self.text, self.end = model.text_model.to(device), model.config.text_config.eos_token_id
        self.dim, self.norm = embeddings.shape[1], float(embeddings.shape[1] ** 0.5)
        self.normalizer = StableUnCLIPImageNormalizer(self.dim).requires_grad_(False)
        scaled = torch.from_numpy(embeddings).float() * self.norm
        self.normalizer.mean.data, self.normalizer.std.data = scaled.mean(0, keepdim=True), scaled.std(0, keepdim=True)
        self.normalizer.to(device)
        self.noising = DDPMScheduler(**SCHEDULE)

    def states(self, tokens: torch.Tensor, given: torch.Tensor) -> torch.Tensor:
        """Token states `(n, context, width)`; of the empty text where `given` is False."""
        empty = torch.full_like(tokens, self.end)
        empty[:, 0] = tokens[:, 0]
        with torch.no_grad():
            return self.text(input_ids=torch.where(given[:, None], tokens, empty)).last_hidden_state

    def classes(self, embeddings: torch.Tensor, levels: torch.Tensor, given: torch.Tensor) -> torch.Tensor:
        """What the pipeline makes of embeddings `(n, dim)` of unit norm at noise levels `(n,)`: `(n, 2 dim)`; zeros where `given` is False."""
        scaled = self.normalizer.scale(embeddings * self.norm)
        noised = self.normalizer.unscale(self.noising.add_noise(scaled, torch.randn_like(scaled), levels))
        said = get_timestep_embedding(levels, self.dim, flip_sin_to_cos=True, downscale_freq_shift=0)
        return torch.cat([noised, said], 1) * given[:, None]


def step_loss(conditions: Conditions, schedule: DDPMScheduler, model: UNet2DConditionModel, latents: torch.Tensor, embeddings: torch.Tensor,
              tokens: torch.Tensor) -> torch.Tensor:  # fmt: skip
    count, device = len(latents), latents.device
    kind = torch.multinomial(torch.tensor(SHARES), count, replacement=True).to(device)
    levels = torch.randint(MOST_NOISE, (count,), device=device) * (torch.rand(count, device=device) > CLEAN)
    states = conditions.states(tokens, (kind == 0) | (kind == 2))
    classes = conditions.classes(embeddings, levels, (kind == 1) | (kind == 2))
    times, noise = torch.randint(schedule.config.num_train_timesteps, (count,), device=device), torch.randn_like(latents)
    predicted = model(schedule.add_noise(latents, noise, times), times, encoder_hidden_states=states, class_labels=classes).sample.float()
    weight = (SNR_CAP * (1 - schedule.alphas_cumprod.to(device)[times])).clamp(max=1)  # cap / (signal to noise + 1), at most 1
    errors = (predicted - schedule.get_velocity(latents, noise, times)).square().mean((1, 2, 3))
    return (weight * errors).mean()


def start(cache: Cache, conditions: Conditions, widths: tuple[int, ...], device: str, folder: Path = RUN) -> Run:
    """The run of the U-Net, resumed with the shape it has if there is one."""
    if (folder / "config.json").exists():
        model = UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(folder))
    else:
        channels = cache.rows(np.zeros(1, int))["latents"].shape[1]
        model = build_unet(widths, channels, conditions.text.config.hidden_size, conditions.dim)
        model.save_config(folder)
    print(f"{sum(value.numel() for value in model.parameters()) / 1e6:.1f} M parameters", flush=True)
    if device == "cpu":  # there torch's fused attention learns so slowly that a step takes half as long again
        model.set_attn_processor(AttnProcessor())
    return Run(folder, model, device, RATE, KEEP)


def train(run: Run, cache: Cache, conditions: Conditions, hours: float, batch: int, workers: int, cooldown: bool, singles: float = 1.0) -> None:
    loader = DataLoader(Batches(cache, batch, singles), batch_size=None, sampler=range(run.step, 1 << 30), num_workers=workers, prefetch_factor=4 if workers else None)
    schedule = DDPMScheduler(**SCHEDULE, prediction_type="v_prediction")
    run.train(loader, partial(step_loss, conditions, schedule), hours, cooldown)


def export(run: Run, conditions: Conditions, autoencoder: AutoencoderKL, scale: float, clip: Path, folder: Path) -> None:
    """The averaged weights in float16 as a folder that `StableUnCLIPImg2ImgPipeline.from_pretrained` loads with the encoders of its CLIP passed in."""
    unet = run.averaged(UNet2DConditionModel.from_config(run.model.config)).half().to(memory_format=torch.contiguous_format)
    autoencoder = autoencoder.half()
    autoencoder.register_to_config(scaling_factor=scale)
    shutil.rmtree(folder, ignore_errors=True)
    StableUnCLIPImg2ImgPipeline(
        unet=unet, vae=autoencoder, scheduler=DPMSolverMultistepScheduler(**SCHEDULE, prediction_type="v_prediction", lambda_min_clipped=-5.1),
        image_normalizer=conditions.normalizer.to("cpu"), image_noising_scheduler=conditions.noising,
        tokenizer=None, text_encoder=None, image_encoder=None, feature_extractor=None,
    ).save_pretrained(folder, max_shard_size=SHARD_SIZE)  # fmt: skip
    (folder / FACTS).write_text(json.dumps({"clip": revision_of(clip / WEIGHTS), "norm": conditions.norm, **DEFAULTS}) + "\n")
    save_file({"gap": mean_offset(Embedder.load(clip))}, folder / GAP)
    (folder / "training.json").write_text(json.dumps(run.ledger()) + "\n")


def mean_offset(embedder: Embedder, scenes: int = 2_000) -> np.ndarray:
    """The mean picture minus the mean text embedding `(dim,)` of scenes and their literal captions, all of unit norm."""
    from .evaluate import embed_scenes

    some = [scene(seed) for seed in range(scenes)]
    return embed_scenes(embedder, some).mean(0) - embedder.embed_texts([captions.literal(one) for one in some]).mean(0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    arguments(parser)
    parser.add_argument("--run", type=Path, default=RUN)
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--clip", type=Path, default=CLIP)
    parser.add_argument("--autoencoder", type=Path, default=AUTOENCODER)
    parser.add_argument("--batch", type=int, default=32, help="pictures a step")
    parser.add_argument("--singles", type=float, default=1.0, help="how much more often scenes of one thing alone are shown than others")
    parser.add_argument("--widths", type=int, nargs="+", default=WIDTHS, help="of a new run's U-Net, each a multiple of 32")
    parser.add_argument("--export", type=Path, help="write the averaged weights as a pipeline folder")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cache = Cache(options.cache, options.clip, options.autoencoder)
    conditions = Conditions(options.clip, cache.rows(np.arange(min(len(cache), 20_000)))["embeddings"], options.device)
    run = start(cache, conditions, tuple(options.widths), options.device, options.run)
    if options.hours:
        train(run, cache, conditions, options.hours, options.batch, options.workers, options.cooldown, options.singles)
    if options.export:
        export(run, conditions, trained(options.autoencoder), cache.scale, options.clip, options.export)


if __name__ == "__main__":
    main()
