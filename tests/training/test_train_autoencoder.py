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
    losses = [run._update(recipe.ae.step_loss, pictures, 1500.0) for _ in range(30)]  # at three times the full rate, which the first step is far from
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])
