"""The training of the drawing model, end to end: autoencoder, cache, U-Net, export; some steps of models that are a thousand times smaller."""

import json
import shutil
import signal
from types import SimpleNamespace

import numpy as np
import pytest
from fixtures_models import MAX_TOKENS, build_tiny_clip

from clipexplore.errors import InputError
from clipexplore.renderer import Renderer

SHARD, BATCH, WIDTHS = 8, 4, (32, 32, 32)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return build_tiny_clip(tmp_path_factory.mktemp("clip") / "clip")


@pytest.fixture(scope="module")
def recipe(world):
    """The modules, small enough for a test; imported here, since they import what takes seconds."""
    pytest.importorskip("torch")
    from clipexplore.training import cache_scenes, runs, train_autoencoder, train_diffusion

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_autoencoder, "WIDTHS", (8, 8, 8, 8))
        patch.setattr(train_autoencoder, "LATENT_CHANNELS", 4)
        patch.setattr(cache_scenes, "SHARD", SHARD)
        patch.setattr(train_diffusion, "LAYERS", 1)
        patch.setattr(runs, "signal", SimpleNamespace(SIGTERM=signal.SIGTERM, signal=lambda *_: None))
        yield SimpleNamespace(runs=runs, ae=train_autoencoder, cache=cache_scenes, diffusion=train_diffusion)


def train(recipe, run, steps, go):
    """`go(hours)` trains for that many steps: the clock goes one second on with each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipe.runs, "time", SimpleNamespace(time=lambda: float(run.step)))
        go((steps - 1e-3) / 3600)


@pytest.fixture(scope="module")
def autoencoder(recipe, tmp_path_factory):
    """The folder of a run of three steps."""
    folder = tmp_path_factory.mktemp("autoencoder")
    run = recipe.ae.start("cpu", folder)
    train(recipe, run, 3, lambda hours: run.train(map(recipe.ae.Pictures(2).__getitem__, range(9)), recipe.ae.step_loss, hours, False))
    assert run.step == 3
    return folder


@pytest.fixture(scope="module")
def cache(recipe, clip, autoencoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    recipe.cache.fill(folder, 2 * SHARD, 0, "cpu", clip, autoencoder)
    return recipe.cache.Cache(folder, clip, autoencoder)


@pytest.fixture(scope="module")
def conditions(recipe, clip, cache):
    return recipe.diffusion.Conditions(clip, cache.rows(np.arange(len(cache)))["embeddings"], "cpu")


def weights(run):
    return {name: value.detach().numpy().copy() for name, value in run.model.named_parameters()}


# The autoencoder and the cache


def test_the_round_trip_is_measured_as_it_is_defined(recipe, autoencoder):
    """PSNR against Pillow's and NumPy's own arithmetic on the same scenes."""
    import torch

    from clipexplore.training.scenes import HELD_OUT, draw, scene

    model, errors = recipe.ae.trained(autoencoder), []
    for seed in range(HELD_OUT, HELD_OUT + 3):
        picture = np.asarray(draw(scene(seed)), np.float64) / 255
        given = torch.from_numpy(picture).permute(2, 0, 1)[None].float() * 2 - 1
        drawn = model.decode(model.encode(given).latent_dist.mean).sample[0].permute(1, 2, 0).detach().numpy()
        errors.append(np.mean((np.clip(drawn / 2 + 0.5, 0, 1) - picture) ** 2))
    assert recipe.ae.psnr(model, scenes=3, batch=2) == pytest.approx(-10 * np.log10(np.mean(errors)), abs=0.01)


def test_the_autoencoder_learns(recipe, tmp_path):
    import torch

    run, pictures = recipe.ae.start("cpu", tmp_path), recipe.ae.Pictures(4)[0]
    torch.manual_seed(0)
    losses = [run._update(recipe.ae.step_loss, pictures, 1500.0) for _ in range(30)]  # at three times the full rate, which the first step is far from
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])


def test_a_cache_holds_what_the_models_make_of_the_scenes(recipe, clip, autoencoder, cache):
    import torch

    from clipexplore.embedder import Embedder
    from clipexplore.training import captions
    from clipexplore.training.scenes import draw, scene

    found = cache.rows(np.arange(2 * SHARD))
    scenes = [scene(seed) for seed in range(2 * SHARD)]
    np.testing.assert_allclose(found["embeddings"], Embedder.load(clip, "cpu").embed_images([draw(one) for one in scenes]), atol=2e-3)
    encoder = recipe.ae.trained(autoencoder)
    own = encoder.encode(recipe.ae.as_input(recipe.ae.as_pixels(scenes[9:10]))).latent_dist.mean[0].detach().numpy()
    np.testing.assert_allclose(found["latents"][9], own * cache.scale, rtol=0.01, atol=0.01)
    assert found["latents"][:SHARD].astype(np.float32).std() == pytest.approx(1, rel=0.05)
    from transformers import CLIPTokenizer

    literal = CLIPTokenizer.from_pretrained(clip)([captions.literal(scenes[9])], padding="max_length", max_length=MAX_TOKENS, truncation=True)["input_ids"]
    assert found["tokens"].shape == (2 * SHARD, recipe.cache.CAPTIONS, MAX_TOKENS) and found["tokens"][9, 0].tolist() == literal[0]
    assert torch.from_numpy(found["tokens"]).max() < 4096


def test_a_cache_goes_on_where_it_stopped_and_is_refused_for_another_clip(recipe, clip, autoencoder, cache, tmp_path):
    folder = shutil.copytree(cache._files["tokens"][0].parent, tmp_path / "cache")
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    recipe.cache.fill(folder, 3 * SHARD, 0, "cpu", clip, autoencoder)
    assert len(recipe.cache.Cache(folder, clip, autoencoder)) == 3 * SHARD
    assert before.items() <= {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}.items()
    other = build_tiny_clip(tmp_path / "other", seed=1)
    with pytest.raises(ValueError, match="another CLIP"):
        recipe.cache.Cache(folder, other, autoencoder)
    with pytest.raises(ValueError, match="is no cache"):
        recipe.cache.Cache(tmp_path, clip, autoencoder)


# The conditions


def test_conditions_are_those_of_the_pipeline(recipe, conditions, cache, clip):
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
    empty = CLIPTokenizer.from_pretrained(clip)([""], padding="max_length", max_length=MAX_TOKENS, return_tensors="pt").input_ids
    torch.testing.assert_close(states[0], conditions.text(tokens).last_hidden_state[0])
    torch.testing.assert_close(states[1], conditions.text(empty).last_hidden_state[0])


def test_the_loss_is_that_of_v_prediction(recipe, conditions, cache):
    """A network that knows the answer has no loss; one that says nothing has the weighted mean square of v, which is about 1."""
    import torch
    from diffusers import DDPMScheduler

    schedule = DDPMScheduler(**recipe.diffusion.SCHEDULE, prediction_type="v_prediction")
    latents, embeddings, tokens = recipe.diffusion.Batches(cache, 64)[0]

    def oracle(noisy, times, **_):
        kept = schedule.alphas_cumprod[times].view(-1, 1, 1, 1)
        return SimpleNamespace(sample=(kept.sqrt() * noisy - latents) / (1 - kept).sqrt())  # v from x₀

    assert recipe.diffusion.step_loss(conditions, schedule, oracle, latents, embeddings, tokens).item() < 1e-4
    silent = recipe.diffusion.step_loss(conditions, schedule, lambda noisy, *_, **__: SimpleNamespace(sample=0 * noisy), latents, embeddings, tokens)
    assert 0.3 < silent.item() < 3 and torch.isfinite(silent)


# The run


@pytest.fixture
def start(recipe, cache, conditions, tmp_path):
    return lambda name: recipe.diffusion.start(cache, conditions, WIDTHS, "cpu", tmp_path / name)


def steps(recipe, run, cache, conditions, number):
    train(recipe, run, number, lambda hours: recipe.diffusion.train(run, cache, conditions, hours, BATCH, 0, False))


def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(recipe, start, cache, conditions):
    import torch

    def seeded(run, number):
        torch.manual_seed(run.step)
        steps(recipe, run, cache, conditions, number)

    whole, part = start("whole"), start("part")
    seeded(whole, 2)
    seeded(whole, 2)
    seeded(part, 2)
    again = start("part")
    assert again.ledger() == part.ledger() == {"step": 2, "seconds": 2, "pictures": 2 * BATCH}
    seeded(again, 2)
    assert again.step == 4
    for ours, theirs in ((weights(again), weights(whole)), (again.average, whole.average)):
        for name in ours:
            np.testing.assert_array_equal(np.asarray(ours[name]), np.asarray(theirs[name]), err_msg=name)


def test_the_average_moves_and_lags(recipe, start, cache, conditions):
    run = start("run")
    first = weights(run)
    steps(recipe, run, cache, conditions, 3)
    moved = [np.abs(np.asarray(run.average[name]) - first[name]).max() for name in first]
    assert max(moved) > 0 and any(not np.array_equal(np.asarray(run.average[name]), value) for name, value in weights(run).items())


def test_an_exported_folder_draws(recipe, start, cache, conditions, clip, autoencoder, tmp_path):
    run = start("run")
    steps(recipe, run, cache, conditions, 1)
    folder = tmp_path / "unclip"
    recipe.diffusion.export(run, conditions, recipe.ae.trained(autoencoder), cache.scale, clip, folder)
    renderer = Renderer.load(folder, clip, device="cpu")
    assert renderer.draws_embeddings and renderer.side == 128
    facts = json.loads((folder / "drawing.json").read_text())
    assert renderer.num_inference_steps == facts["num_inference_steps"] <= 15 and json.loads((folder / "training.json").read_text())["step"] == 1
    one, two = renderer.render(embeddings=cache.rows(np.arange(2))["embeddings"], num_inference_steps=1)
    assert one.size == (128, 128) and renderer.gap.shape == (conditions.dim,)
    assert renderer._pipe.vae.config.scaling_factor == pytest.approx(cache.scale)
    weights = sum(path.stat().st_size for path in folder.rglob("*.safetensors"))
    numbers = sum(value.numel() for part in (renderer._pipe.unet, renderer._pipe.vae) for value in part.parameters())
    assert weights == pytest.approx(2 * numbers, rel=0.2)  # float16
    with pytest.raises(InputError, match="draws the vectors of CLIP"):
        Renderer.load(folder, build_tiny_clip(tmp_path / "other", seed=1))


def test_the_gap_is_the_difference_of_the_means(recipe, clip):
    from clipexplore.embedder import Embedder
    from clipexplore.training import captions
    from clipexplore.training.scenes import draw, scene

    embedder = Embedder.load(clip, "cpu")
    pictures = np.mean([embedder.embed_images([draw(scene(seed))])[0] for seed in range(5)], 0)
    texts = np.mean([embedder.embed_texts([captions.literal(scene(seed))])[0] for seed in range(5)], 0)
    np.testing.assert_allclose(recipe.diffusion.mean_offset(embedder, 5), pictures - texts, atol=1e-5)


@pytest.mark.slow
def test_the_full_model_fits_its_limits(recipe):
    unet = recipe.diffusion.build_unet((128, 256, 256), 8, 256, 512)
    assert sum(value.numel() for value in unet.parameters()) < 36e6
