"""Points drawn by an IP-Adapter on a Stable Diffusion, as the pipeline itself draws."""

import numpy as np
import pytest
import torch
from fixtures_drawing import DIM, SIDE, write_adapter

from clipexplore.draw.drawer import drawer_of, drawing_vectors
from clipexplore.draw.renderer import Renderer
from clipexplore.errors import InputError
from clipexplore.jobs import run_through
from clipexplore.models import catalog
from clipexplore.models.catalog import Model
from clipexplore.models.embedder import Embedder
from clipexplore.models.hub import choose
from clipexplore.models.weights import Weights

POINTS = np.random.default_rng(0).normal(size=(9, DIM)).astype(np.float32)
STEPS = 4


def drawn(renderer, **given):
    pictures = renderer.render(num_inference_steps=STEPS, guidance_scale=3.0, **given)
    return np.stack([np.asarray(picture) for picture in pictures]).astype(int)


def test_pictures_are_those_of_the_pipeline_itself(adapted, tiny_diffusion, adapter):
    """By the class and the call that `diffusers` documents, one picture at a time, with the zeros of its own encoding
    in the half without a picture.
    """
    from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline

    theirs = StableDiffusionPipeline.from_pretrained(tiny_diffusion, safety_checker=None)
    theirs.load_ip_adapter(
        adapter, subfolder="models", weight_name="ip-adapter_sd15.safetensors", image_encoder_folder=None
    )
    theirs.scheduler = DPMSolverMultistepScheduler.from_config(adapted.pipeline.scheduler.config)
    assert adapted.norm > 1
    for row, picture in enumerate(drawn(adapted, embeddings=POINTS[:2], seed=5)):
        seen = torch.tensor(POINTS[row] / np.linalg.norm(POINTS[row]) * adapted.norm)[None, None]
        (expected,) = theirs(
            prompt="",
            negative_prompt="",
            ip_adapter_image_embeds=[torch.cat([torch.zeros_like(seen), seen])],
            latents=torch.randn(1, 4, SIDE // 4, SIDE // 4, generator=torch.Generator().manual_seed(5)),
            guidance_scale=3.0,
            num_inference_steps=STEPS,
            output_type="np",
        ).images
        assert np.abs(picture - expected * 255).max() <= 2


def test_a_text_beside_a_point_is_seen(adapted):
    text = adapted.encode_prompts(["two red apples"])
    (both,) = drawn(adapted, embeddings=POINTS[:1], prompt_embeds=text)
    assert np.abs(both - drawn(adapted, embeddings=POINTS[:1])).mean() > 0.5


def test_points_are_as_long_as_the_clip_makes_pictures(adapted, tiny_clip):
    """To a tenth, of pictures that are not those it was measured on."""
    from clipexplore.images import open_picture
    from clipexplore.settings import settings
    from clipexplore.store.collection import Collection

    world = Collection.open(settings().assets / "collections/emoji-world")
    pictures = [open_picture(world.picture(id)) for id in world.ids[5:200:13]]
    lengths = np.linalg.norm(Embedder.load(tiny_clip, device="cpu").project_images(pictures), axis=1)
    assert adapted.norm == pytest.approx(lengths.mean(), rel=0.1)


def test_an_adapter_of_another_clip_is_refused(tiny_diffusion, tiny_clip, tmp_path):
    with pytest.raises(InputError, match=f"points of 30 dimensions, and those of the CLIP here have {DIM}"):
        Renderer.load(tiny_diffusion, tiny_clip, adapter=write_adapter(tmp_path / "ip", tiny_diffusion, dim=30))
    (tmp_path / "none/models").mkdir(parents=True)
    (tmp_path / "none/models/ip-adapter_sd15.safetensors").write_bytes(b"x")
    with pytest.raises(InputError, match="IP-Adapter in .* cannot be used"):
        Renderer.load(tiny_diffusion, tiny_clip, adapter=tmp_path / "none")


def test_the_catalogue_draws_its_points_once_both_are_here(home, tiny_clip, tiny_diffusion, adapter):
    entry = catalog.get("laion-h14")
    assert (entry.draws_embeddings.kind, entry.adapts.kind, entry.draws_prompts) == ("adapter", "pipeline", None)
    assert entry.draws_embeddings in entry.parts and entry.adapts in entry.parts
    clip, diffusion = Weights("clip", "x", path=tiny_clip), Weights("pipeline", "x", path=tiny_diffusion)
    ip, missing = Weights("adapter", "x", path=adapter), Weights("adapter", "x", path=home / "none")
    half = Model("a", "A", "", clip, draws_embeddings=missing, adapts=diffusion)
    assert drawer_of(half, "joint") is None and half.drawn_by("joint") == missing
    whole = Model("a", "A", "", clip, draws_embeddings=ip, adapts=diffusion)
    assert drawer_of(whole, "tokens") is None and whole.drawn_by("joint") == ip
    drawer = drawer_of(whole, "joint")
    assert drawer.folder == tiny_diffusion and drawer.adapter == adapter and str(adapter) in drawer.name

    class Space:
        embedder = Embedder.load(tiny_clip, device="cpu")

    done = run_through(drawing_vectors(Space(), drawer, POINTS[:2], num_inference_steps=2))
    assert done.embeddings.shape == (2, DIM)


def test_of_the_repository_one_file_is_fetched():
    wanted = "models/ip-adapter_sd15.safetensors"
    others = [
        "models/ip-adapter_sd15.bin",
        "models/ip-adapter-plus_sd15.safetensors",
        "models/image_encoder/config.json",
    ]
    assert choose([wanted, *others], "adapter") == {wanted} and not choose(others, "adapter")


def test_an_operator_adds_one(home, tiny_clip, tiny_diffusion, adapter, tmp_path):
    table = {"key": "own", "clip": str(tiny_clip), "adapts": str(tiny_diffusion), "draws_embeddings": str(adapter)}
    own = catalog._own_entry({**table, "folder": str(tmp_path)})
    assert own.draws_embeddings.kind == "adapter" and own.present and drawer_of(own, "joint").adapter == adapter
