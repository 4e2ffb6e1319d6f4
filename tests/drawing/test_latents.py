import numpy as np
import pytest
from fixtures_drawing import SIDE

from clipexplore.drawing.latents import Latents
from clipexplore.drawing.pipelines import load_pipeline


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


@pytest.fixture(scope="module")
def pipeline(torch, tiny_unclip, tiny_clip):
    return load_pipeline(tiny_unclip, tiny_clip, "cpu", torch.float32)


def test_noise_is_that_of_its_seed(pipeline, torch):
    latents = Latents(pipeline)
    noise = latents.noise(7)
    torch.testing.assert_close(noise, torch.randn(1, 4, SIDE // 4, SIDE // 4, generator=torch.Generator().manual_seed(7)))
    assert not torch.equal(noise, latents.noise(8))


def test_decoding_is_that_of_the_autoencoder(pipeline, torch):
    with torch.inference_mode():
        noise = Latents(pipeline).noise(7).repeat(2, 1, 1, 1) * 0.3
        pictures = Latents(pipeline).decode(noise)
        expected = pipeline.image_processor.postprocess(pipeline.vae.decode(noise / pipeline.vae.config.scaling_factor).sample, output_type="np")
    np.testing.assert_allclose(np.stack([np.asarray(each) for each in pictures]), expected * 255, atol=0.51)


def test_what_is_no_number_is_black_and_no_error(pipeline, torch):
    with torch.inference_mode():
        (picture,) = Latents(pipeline).decode(torch.full((1, 4, SIDE // 4, SIDE // 4), float("nan")))
    assert not np.asarray(picture).any()


def test_a_preview_is_the_best_linear_guess_at_the_colours(pipeline, torch, monkeypatch):
    """An autoencoder whose latents are colours, mixed linearly: the guess is then exact."""
    from types import SimpleNamespace

    mixing = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))

    def encode(chart):
        small = torch.nn.functional.avg_pool2d(chart, pipeline.vae_scale_factor)
        mean = torch.einsum("lc,nchw->nlhw", mixing, small) + 0.3
        return SimpleNamespace(latent_dist=SimpleNamespace(mean=mean))

    monkeypatch.setattr(pipeline.vae, "encode", encode)
    latents = Latents(pipeline)
    colours = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    preview = latents.preview((torch.einsum("lc,nchw->nlhw", mixing, colours * 2 - 1) + 0.3) * pipeline.vae.config.scaling_factor)
    np.testing.assert_allclose(np.asarray(preview), colours[0].permute(1, 2, 0).numpy() * 255, atol=1)
