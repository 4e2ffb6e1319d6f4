import numpy as np
import pytest
import torch
from fixtures_drawing import SIDE

from clipexplore.draw.decoders import Unclip
from clipexplore.draw.pipelines import load_pipeline
from clipexplore.errors import InputError


@pytest.fixture(scope="module")
def pipeline(tiny_unclip, tiny_clip):
    return load_pipeline(tiny_unclip, tiny_clip, "cpu", torch.float32)


def test_noise_is_that_of_its_seed(pipeline):
    latents = Unclip(pipeline)
    noise = latents.noise(7)
    torch.testing.assert_close(
        noise, torch.randn(1, 4, SIDE // 4, SIDE // 4, generator=torch.Generator().manual_seed(7))
    )
    assert not torch.equal(noise, latents.noise(8))


def test_decoding_is_that_of_the_autoencoder(pipeline):
    with torch.inference_mode():
        noise = Unclip(pipeline).noise(7).repeat(2, 1, 1, 1) * 0.3
        pictures = Unclip(pipeline).decode(noise)
        expected = pipeline.image_processor.postprocess(
            pipeline.vae.decode(noise / pipeline.vae.config.scaling_factor).sample, output_type="np"
        )
    np.testing.assert_allclose(np.stack([np.asarray(each) for each in pictures]), expected * 255, atol=0.51)


def test_what_overflows_in_16_bits_is_decoded_again_in_32(pipeline, monkeypatch):
    """A float16 decoder that overflows gave black pictures without a word."""
    latents, decode, seen = Unclip(pipeline), pipeline.vae.decode, []

    def overflows_once(given):
        decoded = decode(given)
        if not seen:
            decoded.sample[1] = float("inf")
        seen.append((len(given), given.dtype))
        return decoded

    with torch.inference_mode():
        noise = torch.cat([latents.noise(seed) for seed in (1, 2, 3)]) * 0.3
        expected = latents.decode(noise)
        monkeypatch.setattr(pipeline.vae, "decode", overflows_once)
        pictures = latents.decode(noise)
    assert [count for count, _ in seen] == [3, 1] and seen[1][1] is torch.float32
    for picture, other in zip(pictures, expected, strict=True):
        np.testing.assert_allclose(np.asarray(picture), np.asarray(other), atol=1)


def test_what_is_no_number_is_said(pipeline):
    with torch.inference_mode(), pytest.raises(InputError, match="Picture 2 came out as no number, in float32"):
        good = Unclip(pipeline).noise(1)
        Unclip(pipeline).decode(torch.cat([good, torch.full_like(good, float("nan"))]))


def test_a_preview_is_the_best_linear_guess_at_the_colours(pipeline, monkeypatch):
    """An autoencoder whose latents are colours, mixed linearly: the guess is then exact."""
    from types import SimpleNamespace

    mixing = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))

    def encode(chart):
        small = torch.nn.functional.avg_pool2d(chart, pipeline.vae_scale_factor)
        mean = torch.einsum("lc,nchw->nlhw", mixing, small) + 0.3
        return SimpleNamespace(latent_dist=SimpleNamespace(mean=mean))

    monkeypatch.setattr(pipeline.vae, "encode", encode)
    latents = Unclip(pipeline)
    colours = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    preview = latents.preview(
        (torch.einsum("lc,nchw->nlhw", mixing, colours * 2 - 1) + 0.3) * pipeline.vae.config.scaling_factor
    )
    np.testing.assert_allclose(np.asarray(preview), colours[0].permute(1, 2, 0).numpy() * 255, atol=1)
