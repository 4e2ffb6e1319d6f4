"""The safety checker of a Stable Diffusion folder: used when asked for, and what it finds is withheld."""

import numpy as np
import pytest
from fixtures_drawing import add_checker, tiny_diffusion  # noqa: F401
from PIL import Image

from clipexplore.models.safety import checked
from clipexplore.renderer import Renderer


@pytest.fixture(scope="module")
def with_checker(tiny_diffusion, tmp_path_factory):  # noqa: F811
    """A function: a folder whose checker finds everything (or nothing) unsafe."""
    return lambda threshold: add_checker(tiny_diffusion, tmp_path_factory.mktemp("checked") / "model", threshold)


@pytest.mark.parametrize(("threshold", "withheld"), [(-2.0, True), (2.0, False)])
def test_what_it_finds_is_withheld(with_checker, threshold, withheld):
    renderer = Renderer.load(with_checker(threshold), device="cpu", checker=True)
    states = renderer.encode_prompts(["a cat", "a dog"])
    pictures = renderer.render(prompt_embeds=states, num_inference_steps=2)
    assert [np.ptp(np.asarray(each)) == 0 for each in pictures] == [withheld] * 2


def test_without_being_asked_for_it_is_not_even_loaded(with_checker):
    folder = with_checker(-2.0)
    plain, strict = Renderer.load(folder, device="cpu"), Renderer.load(folder, device="cpu", checker=True)
    assert plain.pipeline.safety_checker is None and strict.pipeline.safety_checker is not None
    assert plain.revision != strict.revision  # what was drawn by one is not shown for the other
    picture = plain.render(prompt_embeds=plain.encode_prompts(["a cat"]), num_inference_steps=2)[0]
    assert np.ptp(np.asarray(picture)) > 0


def test_a_pipeline_without_one_lets_everything_pass(tiny_diffusion):  # noqa: F811
    renderer = Renderer.load(tiny_diffusion, device="cpu", checker=True)
    pictures = [Image.new("RGB", (8, 8))]
    assert checked(renderer.pipeline, pictures) is pictures
