"""Kandinsky 2.2 and its prior, on small models of the true classes: what the pipelines themselves give."""

import shutil

import numpy as np
import pytest
import torch
from fixtures_drawing import SIDE, build_tiny_prior
from fixtures_drawing import WIDTH as DIM

from clipexplore.draw.drawer import Drawer, drawer_of
from clipexplore.draw.prior import GUIDANCE, STEPS, Prior
from clipexplore.draw.renderer import Renderer
from clipexplore.errors import InputError
from clipexplore.models import catalog
from clipexplore.models.embedder import Embedder
from clipexplore.models.hub import choose
from clipexplore.models.weights import Weights
from clipexplore.vectors import normalize

POINTS = np.random.default_rng(0).normal(size=(9, DIM)).astype(np.float32)


@pytest.fixture(scope="module")
def prior_folder(wide_clip, tmp_path_factory):
    return build_tiny_prior(tmp_path_factory.mktemp("models") / "prior", wide_clip, DIM)


@pytest.fixture(scope="module")
def prior(wide_clip, prior_folder, tmp_path_factory):
    """Of what `models get` fetches of its repository alone."""
    fetched = tmp_path_factory.mktemp("models") / "fetched"
    names = [str(path.relative_to(prior_folder)) for path in prior_folder.rglob("*") if path.is_file()]
    for name in choose(names, "prior"):
        (fetched / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(prior_folder / name, fetched / name)
    assert {path.name for path in fetched.iterdir()} == {"prior", "scheduler", "model_index.json"}
    assert Weights("prior", "x", path=fetched).present
    return Prior.load(fetched, wide_clip, Embedder.load(wide_clip, device="cpu"))


def drawn(renderer, steps=4, **given):
    pictures = renderer.render(num_inference_steps=steps, guidance_scale=3.0, **given)
    return np.stack([np.asarray(picture) for picture in pictures]).astype(int)


@pytest.mark.parametrize(("scheduler", "kind"), [("own", "DPMSolverMultistepScheduler"), ("ddim", "DDIMScheduler")])
def test_pictures_are_those_of_the_pipeline_itself(kandinsky, tiny_kandinsky, prior_folder, scheduler, kind):
    """Without a point it is given what its own prior says stands for none: a blank picture, seen by its CLIP."""
    import diffusers

    theirs = diffusers.KandinskyV22Pipeline.from_pretrained(tiny_kandinsky)
    theirs.scheduler = getattr(diffusers, kind).from_config(kandinsky._own.config)
    blank = diffusers.KandinskyV22PriorPipeline.from_pretrained(prior_folder).get_zero_embed()
    for row, picture in enumerate(drawn(kandinsky, embeddings=POINTS[:2], seed=5, scheduler=scheduler)):
        (expected,) = theirs(
            image_embeds=torch.tensor(POINTS[row] / np.linalg.norm(POINTS[row]) * kandinsky.norm)[None],
            negative_image_embeds=blank,
            height=SIDE,
            width=SIDE,
            latents=torch.randn(1, 4, SIDE // 4, SIDE // 4, generator=torch.Generator().manual_seed(5)),
            guidance_scale=3.0,
            num_inference_steps=4,
            output_type="np",
        ).images
        assert np.abs(picture - expected * 255).max() <= 2


def test_memory_that_runs_out_decodes_one_by_one(tiny_kandinsky, wide_clip):
    fresh, decoded = Renderer.load(tiny_kandinsky, wide_clip, device="cpu", dtype=torch.float32), []
    fresh.pipeline.movq.decoder.register_forward_pre_hook(lambda module, given: decoded.append(len(given[0])))

    def too_much(module, given, named):
        if len(named["sample"]) > 4:
            raise torch.OutOfMemoryError("injected")

    fresh.pipeline.unet.register_forward_pre_hook(too_much, with_kwargs=True)
    assert len(drawn(fresh, embeddings=POINTS)) == len(POINTS) and max(decoded[1:]) == 1


def test_what_it_cannot_draw_is_a_sentence(kandinsky, tiny_kandinsky, tiny_clip):
    assert kandinsky.draws_embeddings and (kandinsky.side, kandinsky.guidance_scale) == (SIDE, 4.0)
    with pytest.raises(InputError, match="draws points of the joint space only"):
        kandinsky.encode_prompts(["a cat"])
    with pytest.raises(InputError, match="'pndm' and has to be one of own, ddim"):
        kandinsky.render(embeddings=POINTS, scheduler="pndm")
    for other, dim in ((tiny_clip, 24), (None, 0)):
        with pytest.raises(
            InputError, match=f"draws points of {DIM} dimensions, and those of the CLIP here have {dim}"
        ):
            Renderer.load(tiny_kandinsky, other, device="cpu", dtype=torch.float32)


def test_a_text_is_imagined_as_the_pipeline_itself_does(prior, prior_folder):
    import diffusers

    theirs = diffusers.KandinskyV22PriorPipeline.from_pretrained(prior_folder)
    theirs.set_progress_bar_config(disable=True)
    ours = prior.imagine(["a photo of a cat", "two red apples"], seed=3)
    for row, text in zip(ours, ["a photo of a cat", "two red apples"], strict=True):
        expected = theirs(
            text, num_inference_steps=STEPS, guidance_scale=GUIDANCE, generator=torch.Generator().manual_seed(3)
        ).image_embeds
        assert row @ normalize(expected.numpy())[0] > 0.99999
    other = prior.imagine(["a photo of a cat"], seed=4)
    assert ours[0] @ ours[1] < 0.999 and np.abs(ours[0] - other).max() > 1e-4
    np.testing.assert_array_equal(ours[1:], prior.imagine(["two red apples"], seed=3))


def test_the_prior_stops_within_a_step(prior):
    steps = []

    def step():
        steps.append(1)
        if len(steps) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prior.imagine(["a cat"], step=step)
    assert len(steps) == 3


def test_in_a_sum_each_text_counts_as_its_picture():
    from clipexplore import Space

    space = Space.open(names="place = jungle - snow")
    point = space.point("2*@lion-jungle-07 - cat + 0.5*@place")
    assert list(point.texts) == ["cat", "jungle", "snow"]
    same = {text: space.point(text).vector for text in point.texts}
    np.testing.assert_allclose(point.with_pictures(same), point.vector, atol=1e-6)
    picture = space.point("@man").vector
    moved = point.with_pictures({**same, "cat": picture})
    expected = point.vector * point.length + same["cat"] - picture
    np.testing.assert_allclose(moved, normalize(expected), atol=1e-6)


def test_the_catalogue_draws_with_both(home, wide_clip, tiny_kandinsky, prior_folder):
    entry = catalog.get("laion-bigg")
    assert (entry.draws_embeddings.kind, entry.prior.kind, entry.dim) == ("pipeline", "prior", 1280)
    table = {"key": "own", "clip": str(wide_clip), "draws_embeddings": str(tiny_kandinsky), "prior": str(prior_folder)}
    own = catalog._own_entry({**table, "folder": str(home)})
    drawer = drawer_of(own, "joint")
    assert drawer.prior == prior_folder and drawer_of(own, "tokens") is None
    found = drawer.imagine(["a photo of a cat"])["a photo of a cat"]
    assert found.shape == (DIM,) and Drawer(drawer.weights, drawer.clip).imagine(["a cat"]) == {}
    assert drawer.load().render(embeddings=found[None], num_inference_steps=1)[0].size == (SIDE, SIDE)


def test_a_prior_of_another_clip_is_refused(prior_folder, tiny_clip, tmp_path):
    with pytest.raises(InputError, match=f"imagines points of {DIM} dimensions, and those of the CLIP here have 24"):
        Prior.load(prior_folder, tiny_clip, Embedder.load(tiny_clip, device="cpu"))
    broken = shutil.copytree(prior_folder, tmp_path / "broken")
    (broken / "prior/diffusion_pytorch_model.safetensors").write_bytes(b"x")
    with pytest.raises(InputError, match="The prior in .* cannot be loaded"):
        Prior.load(broken, tiny_clip, Embedder.load(tiny_clip, device="cpu"))
