"""How noise is taken away: by name, and the same as `diffusers` itself does it."""

import numpy as np
import pytest
import torch
from fixtures_drawing import SIDE

from clipexplore.draw.schedulers import OWN, SCHEDULERS, chosen_scheduler, common_name, own_scheduler
from clipexplore.errors import InputError

STEPS = 6


def drawn(renderer, scheduler, steps=STEPS, **given):
    return np.stack(
        renderer.render(
            prompt_embeds=renderer.encode_prompts(["a photo of a cat", "two red apples"]),
            num_inference_steps=steps,
            guidance_scale=7.5,
            scheduler=scheduler,
            seed=3,
            **given,
        )
    ).astype(int)


@pytest.mark.parametrize("name", ["pndm", "ddim"])
def test_pictures_are_those_of_the_pipeline_with_the_scheduler_it_was_saved_with(classic, tiny_diffusion, name):
    """Though another took its place when it was loaded; Stable Diffusion 1.5 comes with PNDM, whose settings DDIM
    shares.
    """
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    theirs = StableDiffusionPipeline.from_pretrained(tiny_diffusion)
    assert type(theirs.scheduler).__name__ == "PNDMScheduler"
    if name == "ddim":
        theirs.scheduler = DDIMScheduler.from_config(theirs.scheduler.config)
    noise = torch.randn(1, 4, SIDE // 4, SIDE // 4, generator=torch.Generator().manual_seed(3))
    expected = theirs(
        prompt_embeds=torch.tensor(classic.encode_prompts(["a photo of a cat"])),
        negative_prompt_embeds=torch.tensor(classic.encode_prompts([""])),
        latents=noise,
        num_inference_steps=STEPS,
        guidance_scale=7.5,
        output_type="np",
    ).images[0]
    assert np.abs(drawn(classic, name)[0] - expected * 255).max() <= 2


def test_each_draws_differently_and_leaves_the_others_as_they_were(classic, unclip):
    for renderer in (classic, unclip):
        found = {name: drawn(renderer, name) for name in SCHEDULERS}
        assert len({pictures.tobytes() for pictures in found.values()}) == len(SCHEDULERS)
        np.testing.assert_array_equal(drawn(renderer, OWN), found[OWN])


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_few_steps_draw_too_and_progress_stays_below_all(unclip, name, steps):
    shares = []
    drawn(unclip, name, steps, report=lambda share, preview: shares.append(share))
    assert shares == sorted(shares) and shares[0] > 0 and shares[-1] <= 1


def test_only_known_names_and_for_few_step_models_only_their_own(classic):
    from diffusers import LCMScheduler

    with pytest.raises(InputError, match="scheduler is 'euler' and has to be one of own, pndm, ddim"):
        classic.render(prompt_embeds=classic.encode_prompts(["a cat"]), scheduler="euler")
    own = own_scheduler(classic.pipeline.scheduler.config, few_steps=True)
    assert isinstance(own, LCMScheduler) and chosen_scheduler(own, OWN) is own
    with pytest.raises(InputError, match="choose own instead of pndm"):
        chosen_scheduler(own, "pndm")


def test_the_names_are_those_of_other_programs():
    assert [common_name(name) for name in SCHEDULERS] == ["DPM++ 2M", "PLMS", "DDIM"] and common_name(
        OWN, few_steps=True
    ) == "LCM"
