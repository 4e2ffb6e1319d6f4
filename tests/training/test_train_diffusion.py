"""The training of the drawing model: its conditions against the pipeline's, its loss, what it exports."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from fixtures_drawing_recipe import BATCH, WIDTHS, train_steps
from fixtures_models import MAX_TOKENS, build_tiny_clip

from clipexplore.draw.renderer import Renderer
from clipexplore.errors import InputError


def test_conditions_are_those_of_the_pipeline(recipe, conditions, cache, small_clip):
    """What the U-Net is trained on is what the pipeline will give it: the states of a text, of the empty text, a noised
    embedding, whitened, zeros.
    """
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
    theirs[:, : conditions.dim] = theirs[:, : conditions.dim] / conditions.norm @ conditions.whitening
    torch.testing.assert_close(ours[0], theirs[0], atol=1e-4, rtol=1e-4)
    assert not ours[1].any() and conditions.norm == pytest.approx(unit.shape[1] ** 0.5)
    tokenizer = CLIPTokenizer.from_pretrained(small_clip)
    tokens = recipe.diffusion.padded(tokenizer, ["a cat", "two red apples"])
    states, texts = conditions.read(tokens, torch.tensor([True, False]))
    empty = tokenizer([""], padding="max_length", max_length=MAX_TOKENS, return_tensors="pt").input_ids
    for row, given in enumerate((tokens[:1], empty)):
        torch.testing.assert_close(states[row], conditions.tower(input_ids=given).last_hidden_state[0])
    torch.testing.assert_close(
        texts, recipe.diffusion.carried(conditions.embed(["a cat", "two red apples"]), conditions.picture_map)
    )


def test_whitening_makes_long_directions_as_long_as_others(recipe):
    import torch

    torch.manual_seed(0)
    given = torch.randn(4000, 6) * torch.tensor([10, 5, 1, 1, 0.1, 0.0]) + torch.tensor([0, 0, 0, 0, 0, 20.0])
    found = given @ recipe.diffusion.soft_whitening(given)
    spread = found.std(0)
    assert 0.9 < spread[0] < 1 and spread[0] > spread[1] > spread[2] > spread[4] and spread[5] < 0.2
    # the mean direction stays as it is
    torch.testing.assert_close(found.mean(0)[5], torch.tensor(20.0), atol=0.1, rtol=0)


def test_the_map_finds_how_pairs_were_made(recipe):
    """Pictures that are a turn and an offset of texts: the map finds both, an offset alone does not."""
    import torch

    torch.manual_seed(0)
    texts = torch.nn.functional.normalize(torch.randn(3000, 8) + 1)
    turn, offset = torch.linalg.qr(torch.randn(8, 8))[0], torch.randn(8)
    pictures = torch.nn.functional.normalize(texts @ turn + offset)
    gap, linear = recipe.diffusion.picture_map(texts[:2000], pictures[:2000])
    carried = recipe.diffusion.carried(texts[2000:], linear)
    moved = torch.nn.functional.normalize(texts[2000:] + gap)
    assert (carried * pictures[2000:]).sum(1).mean() > 0.99 > (moved * pictures[2000:]).sum(1).mean()
    torch.testing.assert_close(gap, pictures[:2000].mean(0) - texts[:2000].mean(0))


def test_the_loss_is_that_of_v_prediction(recipe, conditions, cache):
    """A network that knows the answer has no loss but that of its patches; one that says nothing has the weighted mean
    square of v, near 1.
    """
    import torch
    from diffusers import DDPMScheduler

    schedule = DDPMScheduler(**recipe.diffusion.SCHEDULE, prediction_type="v_prediction")
    batch = recipe.diffusion.Batches(cache, conditions.tokenizer, 64)[0]
    seen = torch.zeros(batch["patches"].shape[1], 1, 1)

    def oracle(noisy, times, *_):
        kept = schedule.alphas_cumprod[times].view(-1, 1, 1, 1)
        return (kept.sqrt() * noisy - batch["latents"]) / (1 - kept).sqrt(), batch["patches"]  # v from x₀

    assert recipe.diffusion.step_loss(conditions, schedule, seen, oracle, **batch).item() < 1e-3
    blind = lambda noisy, *_: (0 * noisy, -batch["patches"])  # noqa: E731
    silent = (
        recipe.diffusion.step_loss(conditions, schedule, seen, blind, **batch).item() - 2 * recipe.diffusion.ALIGNMENT
    )
    assert 0.2 < silent < 3


def test_an_error_on_a_thing_counts_more(recipe, conditions, cache):
    import torch
    from diffusers import DDPMScheduler

    schedule = DDPMScheduler(**recipe.diffusion.SCHEDULE, prediction_type="v_prediction")
    batch = recipe.diffusion.Batches(cache, conditions.tokenizer, 8)[0]
    batch["things"] = torch.zeros(8, 16, 16)
    batch["things"][:, :8] = 255

    def off(rows):
        def network(noisy, times, *_):
            kept = schedule.alphas_cumprod[times].view(-1, 1, 1, 1)
            v = (kept.sqrt() * noisy - batch["latents"]) / (1 - kept).sqrt()
            v[:, :, rows] += 1
            return v, batch["patches"]

        torch.manual_seed(0)
        return recipe.diffusion.step_loss(
            conditions, schedule, torch.zeros(batch["patches"].shape[1], 1, 1), network, **batch
        ).item()

    assert off(slice(0, 8)) == pytest.approx((1 + recipe.diffusion.FOREGROUND) * off(slice(8, 16)), rel=0.01)


def test_folding_the_whitening_in_and_out_changes_nothing(recipe, conditions, cache):
    """What the first layer makes of an embedding: given whitened in training, plain by a pipeline."""
    import copy

    import torch

    unet = recipe.diffusion.build_unet(WIDTHS, 4, 32, conditions.dim)
    unit = torch.from_numpy(cache.embeddings(4))
    levels = torch.randn(4, conditions.dim)
    plain = unet.class_embedding(torch.cat([unit * conditions.norm, levels], 1))
    within = recipe.diffusion.unfolded(copy.deepcopy(unet), conditions)
    torch.testing.assert_close(
        within.class_embedding(torch.cat([unit @ conditions.whitening, levels], 1)), plain, atol=1e-3, rtol=1e-3
    )
    torch.testing.assert_close(
        recipe.diffusion.folded(within, conditions).class_embedding.linear_1.weight,
        unet.class_embedding.linear_1.weight,
        atol=1e-3,
        rtol=1e-3,
    )


@pytest.fixture
def start(recipe, cache, conditions, tmp_path):
    return lambda name: recipe.diffusion.DrawingRun(tmp_path / name, cache, conditions, WIDTHS)


def steps(recipe, run, cache, conditions, number):
    train_steps(
        recipe, run, number, lambda hours: recipe.diffusion.train(run, cache, conditions, hours, BATCH, 0, False)
    )


def test_an_exported_folder_draws(recipe, start, cache, conditions, small_clip, autoencoder, tmp_path):
    run = start("run")
    steps(recipe, run, cache, conditions, 1)
    folder = tmp_path / "unclip"
    recipe.diffusion.export(run, conditions, recipe.ae.trained(autoencoder), cache.scale, small_clip, folder)
    renderer = Renderer.load(folder, small_clip, device="cpu")
    assert renderer.draws_embeddings and renderer.side == 128
    facts = json.loads((folder / "drawing.json").read_text())
    assert not any("_name_or_path" in path.read_text() for path in folder.rglob("config.json")), "a folder of ours"
    assert (
        renderer.num_inference_steps == facts["num_inference_steps"] <= 15
        and json.loads((folder / "training.json").read_text())["step"] == 1
    )
    one, two = renderer.render(embeddings=cache.rows(np.arange(2))["embeddings"], num_inference_steps=1)
    assert one.size == (128, 128) and renderer.gap.shape == (conditions.dim + 1, conditions.dim)
    assert renderer.pipeline.vae.config.scaling_factor == pytest.approx(cache.scale)
    weights = sum(path.stat().st_size for path in folder.rglob("*.safetensors"))
    numbers = sum(
        value.numel() for part in (renderer.pipeline.unet, renderer.pipeline.vae) for value in part.parameters()
    )
    assert weights == pytest.approx(2 * numbers, rel=0.2)  # float16
    with pytest.raises(InputError, match="draws the vectors of CLIP"):
        Renderer.load(folder, build_tiny_clip(tmp_path / "other", seed=1))


def test_a_run_goes_on_from_what_was_exported(recipe, start, cache, conditions, small_clip, autoencoder, tmp_path):
    import torch

    run = start("run")
    steps(recipe, run, cache, conditions, 2)
    recipe.diffusion.export(
        run, conditions, recipe.ae.trained(autoencoder), cache.scale, small_clip, tmp_path / "unclip"
    )
    again = recipe.diffusion.DrawingRun(tmp_path / "again", cache, conditions, weights=tmp_path / "unclip")
    assert (again.step, again.pictures) == (2, 2 * BATCH)
    for name, value in again.model.unet.named_parameters():
        torch.testing.assert_close(value.detach(), run.average[f"unet.{name}"], atol=2e-2, rtol=2e-2, msg=name)
    steps(recipe, again, cache, conditions, 1)


def test_muon_learns_the_inner_matrices_and_adamw_the_rest(recipe, start):
    run = start("run")
    names = {id(value): name for name, value in run.model.named_parameters()}
    adamw, muon = (
        {names[id(value)] for group in each.param_groups for value in group["params"]} for each in run.optimizers
    )
    assert not adamw & muon and adamw | muon == set(names.values())
    assert {
        "unet.conv_in.weight",
        "unet.class_embedding.linear_1.weight",
        "projector.0.weight",
        "unet.conv_norm_out.weight",
    } <= adamw
    assert {"unet.class_embedding.linear_2.weight", "unet.mid_block.resnets.0.conv1.weight"} <= muon


@pytest.mark.slow
def test_the_full_model_fits_its_limits(recipe):
    unet = recipe.diffusion.build_unet((128, 192, 320), 8, 256, 512)
    assert sum(value.numel() for value in unet.parameters()) < 36e6


@pytest.mark.long
def test_a_model_that_has_seen_two_scenes_draws_the_one_it_is_asked_for(
    recipe, cache, conditions, small_clip, autoencoder, tmp_path, monkeypatch
):
    """All of it together: what is learned from an embedding or a text comes out of the renderer for that embedding or
    text.
    """
    from functools import partial

    import torch
    from diffusers import DDPMScheduler
    from transformers import CLIPTokenizer

    monkeypatch.setattr(recipe.diffusion, "WARMUP", 20)
    monkeypatch.setattr(recipe.diffusion, "SHARES", (0.5, 0.0, 0.0, 0.5, 0.0))
    texts, rng = ["a photo of a cat", "two red apples"], np.random.default_rng(0)
    latents = torch.from_numpy(rng.normal(size=(2, 4, 1, 1)).repeat(16, 2).repeat(16, 3)).float()
    embeddings = torch.nn.functional.normalize(torch.from_numpy(rng.normal(size=(2, conditions.dim))).float())
    tokens = recipe.diffusion.padded(CLIPTokenizer.from_pretrained(small_clip), texts)
    run = recipe.diffusion.DrawingRun(tmp_path / "run", cache, conditions, (32, 32, 32))
    seen = torch.zeros(32, 1, 1)
    loss = partial(
        recipe.diffusion.step_loss,
        conditions,
        DDPMScheduler(**recipe.diffusion.SCHEDULE, prediction_type="v_prediction"),
        seen,
    )
    for step in range(250):
        chosen = torch.randint(2, (8,))
        shown = {"latents": latents[chosen], "embeddings": embeddings[chosen], "tokens": tokens[chosen]}
        run._update(loss, shown | {"patches": torch.randn(8, 32, 4, 4), "things": torch.zeros(8, 16, 16)}, 3.0)
        run.step = step + 1
    folder = tmp_path / "unclip"
    recipe.diffusion.export(run, conditions, recipe.ae.trained(autoencoder), cache.scale, small_clip, folder)
    renderer = Renderer.load(folder, small_clip, device="cpu", dtype=torch.float32)
    ended, decode = [], renderer._decoder.decode
    monkeypatch.setattr(
        renderer._decoder, "decode", lambda each, *numbers: ended.append(each.mean((2, 3))) or decode(each, *numbers)
    )
    for given in ({"embeddings": embeddings.numpy()}, {"prompt_embeds": renderer.encode_prompts(texts)}):
        ended.clear()
        renderer.render(**given, num_inference_steps=12, guidance_scale=1.0)
        errors = torch.cdist(torch.cat(ended), latents.mean((2, 3)))  # (drawn, wanted)
        assert errors[0, 0] < 0.7 * errors[0, 1] and errors[1, 1] < 0.7 * errors[1, 0], errors
