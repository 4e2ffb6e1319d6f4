"""The renderer on small models of the true classes: what it feeds them, that pixels depend on the recipe alone, and how
it stops.
"""

import gc
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from fixtures_drawing import DIM, SIDE, WIDTH
from fixtures_models import MAX_TOKENS

from clipexplore.errors import InputError

STEPS = 4
POINTS = np.random.default_rng(0).normal(size=(9, DIM)).astype(np.float32)


class Calls(list):
    """What a U-Net is called with, call by call; a function put into `before` runs first."""

    before = staticmethod(lambda sample: None)

    def look(self, module, given, named):
        named = {"sample": given[0], **named} if given else named
        self.before(named["sample"])
        self.append(named)


@contextmanager
def watched(renderer):
    calls = Calls()
    handle = renderer.pipeline.unet.register_forward_pre_hook(calls.look, with_kwargs=True)
    yield calls
    handle.remove()


@pytest.fixture
def seen(unclip):
    with watched(unclip) as calls:
        yield calls


@pytest.fixture(params=["unclip", "adapted", "kandinsky"])
def kind(request):
    """The renderer of each kind of pipeline that draws points, and points for it."""
    points = np.random.default_rng(0).normal(size=(9, WIDTH if request.param == "kandinsky" else DIM))
    return request.getfixturevalue(request.param), points.astype(np.float32)


def pixels(pictures):
    return np.stack([np.asarray(picture) for picture in pictures]).astype(int)


def drawn(renderer, **given):
    return pixels(renderer.render(num_inference_steps=STEPS, guidance_scale=3.0, **given))


# What is drawn


def test_token_states_are_those_of_the_text_tower(unclip):
    states = unclip.encode_prompts(["a photo of a cat", "a dog in the snow at night"])
    assert states.shape == (2, MAX_TOKENS, WIDTH) and states.dtype == np.float32
    pipe = unclip.pipeline
    ids = pipe.tokenizer(
        ["a photo of a cat"], padding="max_length", max_length=MAX_TOKENS, return_tensors="pt"
    ).input_ids
    np.testing.assert_allclose(states[0], pipe.text_encoder(ids).last_hidden_state[0].detach().numpy(), atol=1e-5)
    np.testing.assert_array_equal(states[1:], unclip.encode_prompts(["a dog in the snow at night"]))


def test_pictures_are_those_of_the_pipeline_itself(unclip, tiny_unclip):
    """Text and embedding together, by the class as `diffusers` ships it, one picture at a time."""
    from diffusers import DPMSolverMultistepScheduler, StableUnCLIPImg2ImgPipeline

    ours = unclip.pipeline
    encoders = {
        name: getattr(ours, name) for name in ("tokenizer", "text_encoder", "image_encoder", "feature_extractor")
    }
    theirs = StableUnCLIPImg2ImgPipeline.from_pretrained(tiny_unclip, **encoders)
    theirs.scheduler = DPMSolverMultistepScheduler.from_config(ours.scheduler.config)
    states, points = unclip.encode_prompts(["a cat", "a dog"]), POINTS[:2]
    for row, picture in enumerate(drawn(unclip, prompt_embeds=states, embeddings=points, seed=5)):
        noise = torch.randn(1, 4, SIDE // 4, SIDE // 4, generator=torch.Generator().manual_seed(5))
        unit = points[row] / np.linalg.norm(points[row]) * DIM**0.5
        (expected,) = theirs(
            prompt_embeds=torch.tensor(states[row : row + 1]),
            image_embeds=torch.tensor(unit[None]),
            latents=noise,
            guidance_scale=3.0,
            num_inference_steps=STEPS,
            generator=torch.Generator().manual_seed(6),
            output_type="np",
        ).images
        assert np.abs(picture - expected * 255).max() <= 2


def test_the_condition_left_out_is_what_guidance_leaves_out(unclip, seen):
    """Text alone: no embedding, as zeros, in both halves; an embedding alone: the empty text in both halves."""
    states = unclip.encode_prompts(["a cat"])
    drawn(unclip, prompt_embeds=states)
    assert len(seen) == STEPS and not any(call["class_labels"].any() for call in seen)
    without, given = seen[0]["encoder_hidden_states"]
    assert np.allclose(given, states[0]) and not np.allclose(given, without)
    seen.clear()
    drawn(unclip, embeddings=POINTS[:1])
    without, given = seen[0]["class_labels"]
    assert not without.any() and given[:DIM].norm().item() == pytest.approx(DIM**0.5, rel=0.02)  # hardly any noise
    empty = unclip.encode_prompts([""])[0]
    assert all(np.allclose(half, empty) for half in seen[0]["encoder_hidden_states"])


def test_what_is_asked_for_is_seen(unclip, classic):
    """Other conditions and seeds give other pictures, on both kinds."""
    for renderer in (unclip, classic):
        cat, dog = drawn(renderer, prompt_embeds=renderer.encode_prompts(["a photo of a cat", "two red apples"]))
        (other,) = drawn(renderer, prompt_embeds=renderer.encode_prompts(["a photo of a cat"]), seed=1)
        assert np.abs(cat - dog).mean() > 2 and np.abs(cat - other).mean() > 2 and cat.shape == (SIDE, SIDE, 3)


def test_every_kind_shows_the_point_and_its_direction_alone(kind):
    renderer, points = kind
    one, two, opposite = drawn(renderer, embeddings=np.stack([points[0], points[1], -points[0]]))
    (other,) = drawn(renderer, embeddings=points[:1], seed=1)
    assert min(np.abs(one - each).mean() for each in (two, opposite, other)) > 2
    np.testing.assert_array_equal(drawn(renderer, embeddings=points[:1]), drawn(renderer, embeddings=8 * points[:1]))


def test_without_guidance_half_is_computed(kind):
    renderer, points = kind
    with watched(renderer) as seen:
        renderer.render(embeddings=points[:1], num_inference_steps=STEPS, guidance_scale=1)
    assert [len(call["sample"]) for call in seen] == [1] * STEPS


# The same recipe, the same pixels


def test_pixels_do_not_depend_on_what_else_is_drawn(kind):
    """A frame keeps its place in the schedule; its neighbours in the batch change."""
    renderer, points = kind
    walk = drawn(renderer, embeddings=points, seed=3)
    for row in (0, 2, 7):
        others = np.random.default_rng(row).normal(size=points.shape).astype(np.float32)
        others[row] = points[row]
        np.testing.assert_array_equal(drawn(renderer, embeddings=others, seed=3)[row], walk[row])
    np.testing.assert_array_equal(drawn(renderer, embeddings=points, seed=3), walk)
    alone = np.concatenate([drawn(renderer, embeddings=points[row : row + 1], seed=3) for row in range(len(points))])
    assert np.abs(walk - alone).max() <= 2, "batches of other sizes differ by two grey levels at most"


def test_every_frame_starts_from_the_same_noise(unclip, seen):
    drawn(unclip, embeddings=POINTS[:5], seed=3)
    starts = [each for call in (seen[0], seen[STEPS]) for each in call["sample"]]
    assert len(starts) == 10 and all((start == starts[0]).all() for start in starts)


# Looking on and stopping


def test_frames_come_coarse_to_fine_and_progress_rises(unclip):
    shares, previews, order = [], [], []
    unclip.render(
        embeddings=POINTS,
        num_inference_steps=STEPS,
        report=lambda share, preview: (shares.append(share), previews.append(preview)),
        shown=lambda number, picture: order.append(number),
    )
    assert order == [0, 8, 4, 2, 6, 1, 3, 5, 7]
    assert shares == sorted(shares) and shares[0] > 0 and shares[-1] < 1 and len(shares) == 3 * STEPS
    assert {preview.size for preview in previews if preview} == {(SIDE // 4, SIDE // 4)}


def test_it_stops_within_a_step(kind):
    class Enough(BaseException):
        pass

    renderer, points = kind
    shares, previews = [], []

    def report(share, preview):
        shares.append(share), previews.append(preview)
        if len(seen) == 3:
            raise Enough

    with watched(renderer) as seen, pytest.raises(Enough):
        renderer.render(embeddings=points, num_inference_steps=STEPS, report=report)
    assert len(seen) == 3 and shares == sorted(shares) and previews[2].size == (SIDE // 4, SIDE // 4)
    assert drawn(renderer, embeddings=points[:1]).shape == (1, SIDE, SIDE, 3)  # and draws again


def test_out_of_memory_halves_the_batch_once(kind):
    renderer, points = kind
    expected = drawn(renderer, embeddings=points, seed=3)

    def too_much(sample):
        if len(sample) > 4:  # two pictures with guidance fit
            raise torch.OutOfMemoryError("injected")

    with watched(renderer) as seen:
        seen.before = too_much
        assert np.abs(drawn(renderer, embeddings=points, seed=3) - expected).max() <= 2


def test_no_memory_at_all_is_a_sentence_and_the_next_job_draws(unclip, seen):
    def none(sample):
        torch.empty(2**60, dtype=torch.uint8)  # really more than there is

    seen.before = none
    with pytest.raises(InputError, match="too little memory"):
        drawn(unclip, embeddings=POINTS[:1])
    seen.before = lambda sample: None
    assert len(drawn(unclip, embeddings=POINTS[:1])) == 1


@pytest.mark.parametrize("step", [0, STEPS - 1])
def test_memory_that_runs_out_at_any_step_comes_back(unclip, seen, step):
    def none(sample):
        if len(seen) >= step:
            raise torch.OutOfMemoryError("injected")

    expected, before = drawn(unclip, embeddings=POINTS), held_by_tensors()
    seen.clear()
    seen.before = none
    with pytest.raises(InputError, match="close other programs or choose a smaller model"):
        drawn(unclip, embeddings=POINTS)
    seen.clear()
    assert held_by_tensors() <= 1.05 * before
    seen.before = lambda sample: None
    assert np.abs(drawn(unclip, embeddings=POINTS) - expected).max() <= 2


def held_by_tensors() -> int:
    """Bytes of everything that any tensor of this process still holds."""
    gc.collect()
    stores = (each.untyped_storage() for each in gc.get_objects() if issubclass(type(each), torch.Tensor))
    return sum({store.data_ptr(): store.nbytes() for store in stores}.values())


def test_any_other_error_is_not_taken_for_that(unclip, seen):
    def broken(sample):
        raise RuntimeError("something else")

    seen.before = broken
    with pytest.raises(RuntimeError, match="something else"):
        drawn(unclip, embeddings=POINTS[:1])


# What cannot be drawn


def test_a_picture_that_is_no_number_is_named(unclip, monkeypatch):
    """The second of the batch of four after the first, in 16 bits and again in 32: of five the middle one."""
    decode, sizes = unclip.pipeline.vae.decode, []

    def lose(latents):
        decoded = decode(latents)
        sizes.append(len(latents))
        if sizes[1:]:
            decoded.sample[-3 if len(latents) == 4 else 0] = float("inf")
        return decoded

    monkeypatch.setattr(unclip.pipeline.vae, "decode", lose)
    with pytest.raises(InputError, match="Picture 3 came out as no number"):
        unclip.render(embeddings=np.resize(POINTS, (5, DIM)), num_inference_steps=STEPS)
    assert sizes == [1, 4, 1]


def test_a_classic_pipeline_says_why_it_draws_no_point(classic):
    assert not classic.draws_embeddings and classic.gap is None
    with pytest.raises(InputError, match="token states, and a point of the joint space has none"):
        classic.render(embeddings=POINTS)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "nothing to draw"),
        ({"embeddings": POINTS[:, :-1]}, "do not fit"),
        ({"prompt_embeds": np.zeros((1, 3, WIDTH))}, "do not fit"),
        ({"embeddings": POINTS, "seed": -1}, "seed is -1"),
        ({"embeddings": POINTS, "num_inference_steps": 0}, "num_inference_steps is 0"),
        ({"embeddings": POINTS, "guidance_scale": float("nan")}, "guidance_scale is nan"),
        ({"embeddings": 0 * POINTS}, "no direction"),
    ],
)
def test_what_cannot_be_drawn_is_a_sentence(unclip, given, says):
    with pytest.raises(InputError, match=says):
        unclip.render(**given)
