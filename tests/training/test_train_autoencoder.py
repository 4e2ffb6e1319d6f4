"""The training of the autoencoder, of a model that is a thousand times smaller."""

import numpy as np
import pytest


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
    # at three times the full rate, which the first step is far from
    losses = [run._update(recipe.ae.step_loss, pictures, 1500.0) for _ in range(30)]
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])


def test_a_decoder_that_learns_on_leaves_latents_as_they_are(recipe, autoencoder, tmp_path):
    import shutil

    import torch

    folder = shutil.copytree(autoencoder, tmp_path / "run")
    before, revision = recipe.ae.trained(folder), recipe.ae.encoder_revision(folder)
    run, pictures = recipe.ae.start("cpu", folder), recipe.ae.Pictures(4)[0]
    recipe.ae.keep_encoder(run)
    for _ in range(3):
        run._update(recipe.ae.step_loss, pictures, 1500.0)
    run.save()
    after, given = recipe.ae.trained(folder), recipe.ae.as_input(pictures["pixels"])
    latents = before.encode(given).latent_dist.mean
    assert recipe.ae.encoder_revision(folder) == revision and torch.equal(after.encode(given).latent_dist.mean, latents)
    assert not torch.equal(after.decode(latents).sample, before.decode(latents).sample)
    run = recipe.ae.start("cpu", folder)  # without keep_encoder everything learns
    run._update(recipe.ae.step_loss, pictures, 1500.0)
    run.save()
    assert recipe.ae.encoder_revision(folder) != revision
