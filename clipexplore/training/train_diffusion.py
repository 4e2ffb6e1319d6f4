"""Train the drawing model: a Stable unCLIP on the tokens and the joint space of the bundled CLIP.

    python -m clipexplore.training.train_autoencoder --hours 2 --cooldown     # first the autoencoder,
    python -m clipexplore.training.cache_scenes --scenes 60000                # then what it and CLIP make of scenes,
    python -m clipexplore.training.train_diffusion --hours 6 --cooldown    # then this: begins or resumes runs/drawing
    python -m clipexplore.training.train_diffusion --export assets/models/emoji/unclip

A new run with `--weights assets/models/emoji/unclip` goes on from what is committed. With a GPU at hand:
`--hours 0.4 --cooldown --device cuda --batch 512 --widths 128 192 320`.

A U-Net on 16 × 16 latents that reads the token states of a text by cross-attention and an embedding by its class
projection. Either is left out at random, a text as the empty text, an embedding as zeros, so that each draws alone and
guidance has something to lean away from. It predicts v (Salimans and Ho 2022) under a cosine schedule; steps with
little noise, where everything is seen already, count less (after Hang et al. 2023), and those with much come more
often. What is exported is the average of the weights. Beside that,

- its middle shall see what CLIP's picture tower sees in the finished picture: patches that agree in direction (Yu et
  al. 2024, "Representation Alignment for Generation"); what maps the one to the other is not exported;
- an error where a thing is counts three times as much as one on the ground;
- matrices learn by Muon;
- embeddings are whitened softly before they are read, since a few directions of theirs are much longer than the rest;
  the export folds this into the first layer, so that a pipeline gives it plain embeddings;
- a text is read as its tokens, as its embedding carried over to pictures by a linear map (`picture_map`), or as both.
"""

import argparse
import json
import shutil
from functools import partial
from pathlib import Path
from random import Random

import numpy as np
import torch
import torch.nn.functional as F
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
from torch import nn
from torch.utils.data import DataLoader, Dataset
from transformers import CLIPTextModelWithProjection, CLIPTokenizer
from transformers.utils import logging

from ..draw.folders import FACTS
from . import captions
from .cache_scenes import CACHE, CLIP, Cache, cached_scene
from .crossing import carried, picture_map, save_crossing
from .muon import Muon
from .runs import Run, arguments, grouped
from .train_autoencoder import AUTOENCODER, SIZE, trained
from .train_text import reworded

RUN = Path("runs/drawing")
WIDTHS, LAYERS, HEADS = (96, 160, 256), 2, 4  # 23 M parameters: what two CPU cores can train; (128, 192, 320) has 35 M
RATE, KEEP, DECAY, BETAS, WARMUP = 8e-4, 0.999, 0.01, (0.9, 0.99), 60
SNR_CAP = 5.0
# What a picture is drawn from, at random: a text's tokens; these and its embedding, carried over; that alone; the
# picture's embedding; nothing.
SOURCES, SHARES = ("tokens", "text", "carried", "picture", "nothing"), (0.08, 0.3, 0.17, 0.37, 0.08)
CLEAN, MOST_NOISE = (
    0.9,
    600,
)  # share of pictures' embeddings given as they are; the others are noised up to this level of 1,000
HIGH_NOISE = 0.6  # steps are drawn as 1,000 u^this: below 1, those with much noise come more often
FOREGROUND = 2.0  # what an error on a thing counts more than one on the ground
ALIGNMENT = 0.5  # weight of what patches differ in direction, 1 − cosine
SOFTNESS = 0.3  # of the whitening: this share of the mean variance is added to each
FITTED = 8_000  # scenes that whitening, normaliser and map are fitted on
SCHEDULE = {"num_train_timesteps": 1000, "beta_schedule": "squaredcos_cap_v2"}
DEFAULTS = {"num_inference_steps": 12, "guidance_scale": 4.0}
SHARD_SIZE = "40MB"
CLASS_LAYER = "class_embedding.linear_1"
ADAMW = ("conv_in", "conv_out", CLASS_LAYER, "time_embedding.linear_1")  # the first and last layers learn by it


def build_unet(widths: tuple[int, ...], channels: int, text_width: int, dim: int) -> UNet2DConditionModel:
    """A U-Net with fresh weights; it reads the text at 8 × 8 places and in its middle: with attention among 16 × 16, a
    step would take twice as long.
    """
    torch.manual_seed(0)
    read = [0 < level < len(widths) - 1 for level in range(len(widths))]
    return UNet2DConditionModel(
        sample_size=SIZE // 8,
        in_channels=channels,
        out_channels=channels,
        block_out_channels=widths,
        layers_per_block=LAYERS,
        cross_attention_dim=text_width,
        down_block_types=["CrossAttnDownBlock2D" if here else "DownBlock2D" for here in read],
        up_block_types=["CrossAttnUpBlock2D" if here else "UpBlock2D" for here in reversed(read)],
        attention_head_dim=HEADS,  # the number of heads, whatever its name says
        # After normalising in groups: added before it, an embedding would be normalised away in good part.
        resnet_time_scale_shift="scale_shift",
        class_embed_type="projection",
        projection_class_embeddings_input_dim=2 * dim,
    )


class Drawing(nn.Module):
    """The U-Net, and what maps its middle to the patches of CLIP's picture tower; the latter is for training alone."""

    def __init__(self, unet: UNet2DConditionModel, patch_width: int):
        super().__init__()
        self.unet = unet
        width = unet.config.block_out_channels[-1]
        self.projector = nn.Sequential(
            nn.Conv2d(width, patch_width, 1), nn.SiLU(), nn.Conv2d(patch_width, patch_width, 1)
        )
        unet.up_blocks[0].register_forward_hook(lambda module, given, found: setattr(self, "_middle", found))

    def forward(
        self, noisy: torch.Tensor, times: torch.Tensor, states: torch.Tensor, classes: torch.Tensor, side: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """v, like `noisy`, and what patches are taken to be, `(n, patch width, side, side)`."""
        predicted = self.unet(noisy, times, encoder_hidden_states=states, class_labels=classes).sample.float()
        middle = F.interpolate(self._middle.float(), size=(side, side), mode="bilinear", align_corners=False)
        return predicted, self.projector(middle)


class Batches(Dataset):
    """Batch number → latents, embeddings, patches, places of things and the tokens of a caption, of scenes drawn from
    the cache by that number.
    """

    def __init__(self, cache: Cache, tokenizer: CLIPTokenizer, batch: int):
        self.cache, self.tokenizer, self.batch = cache, tokenizer, batch

    def __len__(self) -> int:
        return 1 << 30

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        chosen, rng = (
            np.random.default_rng(number).integers(len(self.cache), size=self.batch),
            Random(f"captions {number}"),
        )
        found = {name: torch.from_numpy(values.astype(np.float32)) for name, values in self.cache.rows(chosen).items()}
        return found | {"tokens": padded(self.tokenizer, [said_of(row, rng) for row in chosen])}


def said_of(row: int, rng: Random) -> str:
    """A caption of a scene of the cache: mostly the literal one, in which a thing now and then goes by another name."""
    one, chance = cached_scene(int(row)), rng.random()
    if chance < 0.45:
        return captions.literal(one)
    return reworded(one, rng)[1] if chance < 0.75 else captions.caption(one, rng)


def padded(tokenizer: CLIPTokenizer, texts: list[str]) -> torch.Tensor:
    """Tokens `(n, context)` of texts, cut and padded to the full length, as the pipeline does it."""
    return tokenizer(
        texts, padding="max_length", max_length=tokenizer.model_max_length, truncation=True, return_tensors="pt"
    ).input_ids


class Conditions:
    """What the U-Net is told: token states of the frozen text tower, and embeddings, noised, whitened and with their
    noise level beside them.

    Attributes
    ----------
    norm
        Of an embedding as the pipeline gives it: √dim, so that its numbers are of size 1 like those of the noise level.
    whitening
        `(dim, dim)`: an embedding of unit norm times this is what the U-Net reads in training. Zeros stay zeros: the
        mean is not subtracted.
    picture_map
        `(dim + 1, dim)`: see `picture_map`.
    """

    def __init__(self, clip: Path, cache: Cache, device: str):
        logging.set_verbosity_error()  # it warns of the picture tower, which is left out
        self.tower = (
            CLIPTextModelWithProjection.from_pretrained(clip, dtype=torch.float32)
            .eval()
            .requires_grad_(False)
            .to(device)
        )
        self.tokenizer, embeddings = CLIPTokenizer.from_pretrained(clip), torch.from_numpy(cache.embeddings(FITTED))
        self.dim, self.norm, self.width = (
            embeddings.shape[1],
            float(embeddings.shape[1] ** 0.5),
            self.tower.config.hidden_size,
        )
        self.normalizer = StableUnCLIPImageNormalizer(self.dim).requires_grad_(False)
        self.normalizer.mean.data = embeddings.mean(0, keepdim=True) * self.norm
        self.normalizer.std.data = embeddings.std(0, keepdim=True) * self.norm
        self.normalizer.to(device)
        self.noising, self.whitening = DDPMScheduler(**SCHEDULE), soft_whitening(embeddings).to(device)
        texts = [captions.literal(cached_scene(row)) for row in range(len(embeddings))]
        self.gap, self.picture_map = picture_map(self.embed(texts), embeddings)
        self.picture_map = self.picture_map.to(device)

    def embed(self, texts: list[str], batch: int = 64) -> torch.Tensor:
        """Embeddings `(n, dim)` of texts, of unit norm, on the CPU."""
        found, device = [], self.tower.device
        for first in range(0, len(texts), batch):
            tokens = self.tokenizer(
                texts[first : first + batch],
                padding=True,
                truncation=True,
                max_length=self.tokenizer.model_max_length,
                return_tensors="pt",
            )
            with torch.no_grad():
                found.append(F.normalize(self.tower(input_ids=tokens.input_ids.to(device)).text_embeds, dim=-1).cpu())
        return torch.cat(found)

    def read(self, tokens: torch.Tensor, given: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Token states `(n, context, width)`, of the empty text where `given` is False; and the texts' embeddings
        carried over to pictures, `(n, dim)`.
        """
        empty = torch.full_like(tokens[:1], self.tokenizer.eos_token_id)
        empty[:, 0] = tokens[0, 0]
        with torch.no_grad():
            found = self.tower(input_ids=torch.cat([tokens, empty]))
        states = torch.where(given[:, None, None], found.last_hidden_state[:-1], found.last_hidden_state[-1:])
        return states, carried(F.normalize(found.text_embeds[:-1], dim=-1), self.picture_map)

    def classes(self, embeddings: torch.Tensor, levels: torch.Tensor, given: torch.Tensor) -> torch.Tensor:
        """What the pipeline makes of embeddings `(n, dim)` of unit norm at noise levels `(n,)`, whitened: `(n, 2 dim)`;
        zeros where `given` is False.
        """
        scaled = self.normalizer.scale(embeddings * self.norm)
        noised = self.normalizer.unscale(self.noising.add_noise(scaled, torch.randn_like(scaled), levels)) / self.norm
        said = get_timestep_embedding(levels, self.dim, flip_sin_to_cos=True, downscale_freq_shift=0)
        return torch.cat([noised @ self.whitening, said], 1) * given[:, None]


def soft_whitening(embeddings: torch.Tensor) -> torch.Tensor:
    """`(dim, dim)`: makes directions of embeddings `(n, dim)` about equally long, short ones not quite; their mean
    direction is left as it is.
    """
    mean = embeddings.double().mean(0)
    centred = embeddings.double() - mean
    lengths, directions = torch.linalg.eigh(centred.T @ centred / len(centred))
    lengths = lengths.clamp(min=0)
    whitening = (directions / (lengths + SOFTNESS * lengths.mean()).sqrt()) @ directions.T
    along = F.normalize(mean, dim=0)
    return (whitening + torch.outer(along, along - along @ whitening)).float()


def step_loss(
    conditions: Conditions,
    schedule: DDPMScheduler,
    seen: torch.Tensor,
    model: Drawing,
    latents: torch.Tensor,
    embeddings: torch.Tensor,
    patches: torch.Tensor,
    things: torch.Tensor,
    tokens: torch.Tensor,
) -> torch.Tensor:
    """The weighted error of v, and what patches differ in direction from those of the picture tower, less their mean
    `seen` `(width, 1, 1)`.
    """
    count, device = len(latents), latents.device
    source = torch.multinomial(torch.tensor(SHARES), count, replacement=True).to(device)
    tokens_only, text, carried_only, picture = (source == number for number in range(4))
    states, texts = conditions.read(tokens, tokens_only | text)
    levels = torch.randint(MOST_NOISE, (count,), device=device) * (torch.rand(count, device=device) > CLEAN) * picture
    classes = conditions.classes(
        torch.where(picture[:, None], embeddings, texts), levels, text | carried_only | picture
    )
    times, noise = (
        (1000 * torch.rand(count, device=device) ** HIGH_NOISE).long().clamp(max=999),
        torch.randn_like(latents),
    )
    predicted, aligned = model(schedule.add_noise(latents, noise, times), times, states, classes, patches.shape[-1])
    weight = (SNR_CAP * (1 - schedule.alphas_cumprod.to(device)[times])).clamp(
        max=1
    )  # cap / (signal to noise + 1), at most 1
    where = 1 + FOREGROUND * things / 255
    errors = (predicted - schedule.get_velocity(latents, noise, times)).square().mean(1) * where / where.mean()
    apart = 1 - F.cosine_similarity(aligned, patches - seen, dim=1).mean()
    return (weight * errors.mean((1, 2))).mean() + ALIGNMENT * apart


class DrawingRun(Run):
    """The U-Net in training, resumed with the shape it has if there is a run; a new run starts from the U-Net of a
    pipeline's folder, or from scratch.
    """

    def __init__(
        self,
        folder: Path,
        cache: Cache,
        conditions: Conditions,
        widths: tuple[int, ...] = WIDTHS,
        device: str = "cpu",
        weights: Path | None = None,
    ):
        fresh = not self.begun(folder)
        row = cache.rows(np.zeros(1, int))
        if not fresh:
            unet = UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(folder))
        elif weights:
            unet = unfolded(
                UNet2DConditionModel.from_pretrained(weights / "unet", torch_dtype=torch.float32), conditions
            )
        else:
            unet = build_unet(widths, row["latents"].shape[1], conditions.width, conditions.dim)
        unet.save_config(folder)
        if device == "cpu":  # there torch's fused attention learns so slowly that a step takes half as long again
            unet.set_attn_processor(AttnProcessor())
        print(f"{sum(value.numel() for value in unet.parameters()) / 1e6:.1f} M parameters", flush=True)
        super().__init__(folder, Drawing(unet, row["patches"].shape[1]), device, RATE, KEEP, DECAY, BETAS, WARMUP)
        if fresh and weights:
            self.begin_at(json.loads((weights / "training.json").read_text()))

    def optimizers_of(self, decay: float, betas: tuple[float, float]) -> list[torch.optim.Optimizer]:
        """Muon for what multiplies inside the U-Net, AdamW for the rest."""
        prefixes = tuple(f"unet.{name}" for name in ADAMW) + ("projector",)
        inner = {
            name for name, value in self.model.named_parameters() if value.ndim >= 2 and not name.startswith(prefixes)
        }
        rest = [(name, value) for name, value in self.model.named_parameters() if name not in inner]
        matrices = [value for name, value in self.model.named_parameters() if name in inner]
        return [
            torch.optim.AdamW(grouped(rest, decay), lr=self.rate, betas=betas, fused=True),
            Muon(matrices, self.rate, decay=decay),
        ]


def folded(unet: UNet2DConditionModel, conditions: Conditions) -> UNet2DConditionModel:
    """The same U-Net for embeddings as a pipeline gives them, `norm` long and not whitened."""
    return _with_class_layer(unet, lambda weight: weight @ conditions.whitening.T.cpu() / conditions.norm)


def unfolded(unet: UNet2DConditionModel, conditions: Conditions) -> UNet2DConditionModel:
    """The same U-Net for whitened embeddings."""
    return _with_class_layer(
        unet, lambda weight: conditions.norm * weight @ torch.linalg.inv(conditions.whitening.cpu()).T
    )


def _with_class_layer(unet: UNet2DConditionModel, change) -> UNet2DConditionModel:
    with torch.no_grad():
        weight = unet.get_submodule(CLASS_LAYER).weight
        half = weight.shape[1] // 2  # the other half reads the noise level
        weight[:, :half] = change(weight[:, :half])
    return unet


def train(
    run: DrawingRun, cache: Cache, conditions: Conditions, hours: float, batch: int, workers: int, cooldown: bool
) -> None:
    loader = DataLoader(
        Batches(cache, conditions.tokenizer, batch),
        batch_size=None,
        sampler=range(run.step, 1 << 30),
        num_workers=workers,
        prefetch_factor=4 if workers else None,
    )
    schedule = DDPMScheduler(**SCHEDULE, prediction_type="v_prediction")
    some = cache.rows(np.arange(min(len(cache), 500)))["patches"].astype(np.float32)
    seen = torch.from_numpy(some.mean((0, 2, 3))).view(-1, 1, 1).to(run.device)
    run.train(loader, partial(step_loss, conditions, schedule, seen), hours, cooldown)


def export(
    run: DrawingRun, conditions: Conditions, autoencoder: AutoencoderKL, scale: float, clip: Path, folder: Path
) -> None:
    """The averaged weights in float16 as a folder that `StableUnCLIPImg2ImgPipeline.from_pretrained` loads with the
    encoders of its CLIP passed in.
    """
    unet = run.averaged(
        Drawing(UNet2DConditionModel.from_config(run.model.unet.config), run.model.projector[-1].out_channels)
    ).unet
    unet = folded(unet, conditions).half().to(memory_format=torch.contiguous_format)
    autoencoder = autoencoder.half()
    autoencoder.register_to_config(scaling_factor=scale)
    shutil.rmtree(folder, ignore_errors=True)
    StableUnCLIPImg2ImgPipeline(
        unet=unet,
        vae=autoencoder,
        scheduler=DPMSolverMultistepScheduler(**SCHEDULE, prediction_type="v_prediction", lambda_min_clipped=-5.1),
        image_normalizer=conditions.normalizer.to("cpu"),
        image_noising_scheduler=conditions.noising,
        tokenizer=None,
        text_encoder=None,
        image_encoder=None,
        feature_extractor=None,
    ).save_pretrained(folder, max_shard_size=SHARD_SIZE)
    for path in folder.rglob("config.json"):  # which would name the folders that its parts were read from
        config = json.loads(path.read_text())
        config.pop("_name_or_path", None)
        path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    (folder / FACTS).write_text(json.dumps({"norm": conditions.norm, "reads_both": True, **DEFAULTS}))
    save_crossing(folder, clip, conditions.gap, conditions.picture_map.cpu())
    (folder / "training.json").write_text(json.dumps(run.ledger()) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    arguments(parser)
    parser.add_argument("--run", type=Path, default=RUN)
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--clip", type=Path, default=CLIP)
    parser.add_argument("--autoencoder", type=Path, default=AUTOENCODER)
    parser.add_argument("--batch", type=int, default=64, help="pictures a step")
    parser.add_argument(
        "--widths", type=int, nargs="+", default=WIDTHS, help="of a new run's U-Net, each a multiple of 32"
    )
    parser.add_argument("--weights", type=Path, help="a pipeline's folder that a new run starts from")
    parser.add_argument("--export", type=Path, help="write the averaged weights as a pipeline folder")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cache = Cache(options.cache, options.clip, options.autoencoder)
    conditions = Conditions(options.clip, cache, options.device)
    run = DrawingRun(options.run, cache, conditions, tuple(options.widths), options.device, options.weights)
    if options.hours:
        train(run, cache, conditions, options.hours, options.batch, options.workers, options.cooldown)
    if options.export:
        export(run, conditions, trained(options.autoencoder), cache.scale, options.clip, options.export)


if __name__ == "__main__":
    main()
