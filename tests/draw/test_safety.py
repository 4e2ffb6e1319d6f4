"""The safety checker of a Stable Diffusion folder: used when asked for, whatever draws; what it finds is withheld."""

import numpy as np
import pytest
from fixtures_drawing import DIM, add_checker

from clipexplore.draw.drawer import Drawn
from clipexplore.draw.folders import has_checker
from clipexplore.draw.renderer import Renderer
from clipexplore.errors import InputError

POINTS = np.eye(DIM, dtype=np.float32)[:2]


@pytest.fixture(scope="module")
def with_checker(tiny_diffusion, tmp_path_factory):
    """A function: a folder whose checker finds everything (or nothing) unsafe."""
    return lambda threshold: add_checker(tiny_diffusion, tmp_path_factory.mktemp("checked") / "model", threshold)


def withheld(pictures):
    return [np.ptp(np.asarray(each)) == 0 for each in pictures]


@pytest.mark.parametrize(("threshold", "expected"), [(-2.0, True), (2.0, False)])
def test_what_it_finds_is_withheld(with_checker, threshold, expected):
    folder = with_checker(threshold)
    renderer = Renderer.load(folder, device="cpu", checker=folder)
    states = renderer.encode_prompts(["a cat", "a dog"])
    pictures = renderer.render(prompt_embeds=states, num_inference_steps=2)
    assert withheld(pictures) == [expected] * 2
    assert Drawn(pictures).withheld == ([0, 1] if expected else [])  # so that a page can say so


def test_what_an_unclip_draws_is_seen_by_the_checker_beside_it(with_checker, tiny_unclip, tiny_clip):
    plain = Renderer.load(tiny_unclip, tiny_clip, device="cpu")
    strict = Renderer.load(tiny_unclip, tiny_clip, device="cpu", checker=with_checker(-2.0))
    assert withheld(plain.render(embeddings=POINTS, num_inference_steps=2)) == [False] * 2
    assert withheld(strict.render(embeddings=POINTS, num_inference_steps=2)) == [True] * 2


def test_without_being_asked_for_it_is_not_even_loaded(with_checker):
    folder = with_checker(-2.0)
    plain, strict = Renderer.load(folder, device="cpu"), Renderer.load(folder, device="cpu", checker=folder)
    assert plain.checker is None and plain.pipeline.safety_checker is None and strict.checker is not None
    assert plain.revision != strict.revision  # what was drawn by one is not shown for the other
    picture = plain.render(prompt_embeds=plain.encode_prompts(["a cat"]), num_inference_steps=2)[0]
    assert not withheld([picture])[0]


def test_a_folder_without_one_is_told(with_checker, tiny_diffusion):
    assert has_checker(with_checker(2.0)) and not has_checker(tiny_diffusion)
    with pytest.raises(InputError, match="safety checker in .* cannot be loaded"):
        Renderer.load(tiny_diffusion, device="cpu", checker=tiny_diffusion)
