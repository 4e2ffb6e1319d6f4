"""The training of the drawing model: its conditions against the pipeline's, its loss, what it exports."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from fixtures_drawing_recipe import BATCH, WIDTHS, train_steps
from fixtures_models import MAX_TOKENS, build_tiny_clip

from clipexplore.errors import InputError
from clipexplore.renderer import Renderer


def test_conditions_are_those_of_the_pipeline(recipe, conditions, cache, small_clip):
    """What the U-Net is trained on is what the pipeline will give it: the states of a text, of the empty text, a noised embedding, zeros."""
    import torch
    from diffusers import StableUnCLIPImg2ImgPipeline
    from transformers import CLIPTokenizer

    rows = cache.rows(np.arange(2))
    pipe = SimpleNamespace(image_normalizer=conditions.normalizer, image_noising_scheduler=conditions.noising)
    unit, level = torch.from_numpy(rows["embeddings"]).float(), torch.tensor([300, 300])
    torch.manual_seed(0)
    ours = conditions.classes(unit, level, torch.tensor([True, False]))
    torch.manual_seed(0)
    theirs = StableUnCLIPImg2ImgPipeline.noise_image_embeddings(pipe, unit * conditions.norm, 300)
    torch.testing.assert_close(ours[0], theirs[0])
    assert not ours[1].any() and conditions.norm == pytest.approx(unit.shape[1] ** 0.5)
    tokens = torch.from_numpy(rows["tokens"][:, 0]).long()
    states = conditions.states(tokens, torch.tensor([True, False]))
    empty = CLIPTokenizer.from_pretrained(small_clip)([""], padding="max_length", max_length=MAX_TOKENS, return_tensors="pt").input_ids
    torch.testing.assert_close(states[0], conditions.text(tokens).last_hidden_state[0])
    torch.testing.assert_close(states[1], conditions.text(empty).last_hidden_state[0])


def test_the_loss_is_that_of_v_prediction(recipe, conditions, cache):
    """A network that knows the answer has no loss; one that says nothing has the weighted mean square of v, somewhat below 1."""
    import torch
    from diffusers import DDPMScheduler

    schedule = DDPMScheduler(**recipe.diffusion.SCHEDULE, prediction_type="v_prediction")
    batch = recipe.diffusion.Batches(cache, 64)[0]

    def oracle(noisy, times, **_):
        kept = schedule.alphas_cumprod[times].view(-1, 1, 1, 1)
        return SimpleNamespace(sample=(kept.sqrt() * noisy - batch["latents"]) / (1 - kept).sqrt())  # v from x₀

    assert recipe.diffusion.step_loss(conditions, schedule, oracle, **batch).item() < 1e-4
    silent = recipe.diffusion.step_loss(conditions, schedule, lambda noisy, *_, **__: SimpleNamespace(sample=0 * noisy), **batch)
    assert 0.2 < silent.item() < 3 and torch.isfinite(silent)


def test_scenes_of_one_thing_are_shown_as_often_as_asked(recipe, cache):
    """Of all rows in the same measure without a word; with one, those of one thing that much more often."""
    from clipexplore.training.scenes import scene

    alone = np.array([scene(seed).kind == "single" for seed in range(len(cache))])
    for singles in (1.0, 4.0):
        expected = singles * alone.sum() / (singles * alone.sum() + (~alone).sum())
        assert shown(recipe, cache, alone, singles) == pytest.approx(expected, abs=0.03)


def shown(recipe, cache, alone, singles):
    """The share of scenes of one thing among 4,000 rows that batches are made of."""
    asked, batches = [], recipe.diffusion.Batches(cache, 400, singles)
    batches.cache = SimpleNamespace(rows=lambda rows: asked.extend(rows) or cache.rows(rows))
    for number in range(10):
        batches[number]
    return alone[asked].mean()


@pytest.fixture
def start(recipe, cache, conditions, tmp_path):
    return lambda name: recipe.diffusion.start(cache, conditions, WIDTHS, "cpu", tmp_path / name)


def steps(recipe, run, cache, conditions, number):
    train_steps(recipe, run, number, lambda hours: recipe.diffusion.train(run, cache, conditions, hours, BATCH, 0, False))


def test_an_exported_folder_draws(recipe, start, cache, conditions, small_clip, autoencoder, tmp_path):
    run = start("run")
    steps(recipe, run, cache, conditions, 1)
    folder = tmp_path / "unclip"
    recipe.diffusion.export(run, conditions, recipe.ae.trained(autoencoder), cache.scale, small_clip, folder)
    renderer = Renderer.load(folder, small_clip, device="cpu")
    assert renderer.draws_embeddings and renderer.side == 128
    facts = json.loads((folder / "drawing.json").read_text())
    assert renderer.num_inference_steps == facts["num_inference_steps"] <= 15 and json.loads((folder / "training.json").read_text())["step"] == 1
    one, two = renderer.render(embeddings=cache.rows(np.arange(2))["embeddings"], num_inference_steps=1)
    assert one.size == (128, 128) and renderer.gap.shape == (conditions.dim,)
    assert renderer.pipeline.vae.config.scaling_factor == pytest.approx(cache.scale)
    weights = sum(path.stat().st_size for path in folder.rglob("*.safetensors"))
    numbers = sum(value.numel() for part in (renderer.pipeline.unet, renderer.pipeline.vae) for value in part.parameters())
    assert weights == pytest.approx(2 * numbers, rel=0.2)  # float16
    with pytest.raises(InputError, match="draws the vectors of CLIP"):
        Renderer.load(folder, build_tiny_clip(tmp_path / "other", seed=1))


def test_the_gap_is_the_difference_of_the_means(recipe, small_clip):
    from clipexplore.embedder import Embedder
    from clipexplore.training import captions
    from clipexplore.training.scenes import draw, scene

    embedder = Embedder.load(small_clip, "cpu")
    pictures = np.mean([embedder.embed_images([draw(scene(seed))])[0] for seed in range(5)], 0)
    texts = np.mean([embedder.embed_texts([captions.literal(scene(seed))])[0] for seed in range(5)], 0)
    np.testing.assert_allclose(recipe.diffusion.mean_offset(embedder, 5), pictures - texts, atol=1e-5)


@pytest.mark.slow
def test_the_full_model_fits_its_limits(recipe):
    unet = recipe.diffusion.build_unet((128, 192, 320), 8, 256, 512)
    assert sum(value.numel() for value in unet.parameters()) < 36e6


@pytest.mark.long
def test_a_model_that_has_seen_two_scenes_draws_the_one_it_is_asked_for(recipe, cache, conditions, small_clip, autoencoder, tmp_path, monkeypatch):
    """All of it together: what is learned from an embedding or a text comes out of the renderer for that embedding or text."""
    from functools import partial

    import torch
    from diffusers import DDPMScheduler
    from transformers import CLIPTokenizer

    monkeypatch.setattr(recipe.runs, "WARMUP_STEPS", 20)
    monkeypatch.setattr(recipe.diffusion, "SHARES", (0.5, 0.5, 0.0, 0.0))
    texts, rng = ["a photo of a cat", "two red apples"], np.random.default_rng(0)
    latents = torch.from_numpy(rng.normal(size=(2, 4, 1, 1)).repeat(16, 2).repeat(16, 3)).float()
    embeddings = torch.nn.functional.normalize(torch.from_numpy(rng.normal(size=(2, conditions.dim))).float())
    tokens = recipe.cache.tokens(CLIPTokenizer.from_pretrained(small_clip), texts)
    run = recipe.diffusion.start(cache, conditions, (32, 32, 32), "cpu", tmp_path / "run")
    loss = partial(recipe.diffusion.step_loss, conditions, DDPMScheduler(**recipe.diffusion.SCHEDULE, prediction_type="v_prediction"))
    for step in range(150):
        chosen = torch.randint(2, (8,))
        run._update(loss, {"latents": latents[chosen], "embeddings": embeddings[chosen], "tokens": tokens[chosen]}, 6.0)
        run.step = step + 1
    folder = tmp_path / "unclip"
    recipe.diffusion.export(run, conditions, recipe.ae.trained(autoencoder), cache.scale, small_clip, folder)
    renderer = Renderer.load(folder, small_clip, device="cpu", dtype=torch.float32)
    ended, decode = [], renderer._latents.decode
    monkeypatch.setattr(renderer._latents, "decode", lambda each: ended.append(each.mean((2, 3))) or decode(each))
    for given in ({"embeddings": embeddings.numpy()}, {"prompt_embeds": renderer.encode_prompts(texts)}):
        ended.clear()
        renderer.render(**given, num_inference_steps=12, guidance_scale=1.0)
        errors = torch.cdist(torch.cat(ended), latents.mean((2, 3)))  # (drawn, wanted)
        assert errors[0, 0] < 0.7 * errors[0, 1] and errors[1, 1] < 0.7 * errors[1, 0], errors
