"""The training of the drawing model, small enough for a test: a tiny CLIP, an autoencoder of three steps, a cache of
two shards.
"""

import signal
from types import SimpleNamespace

import numpy as np
import pytest
from fixtures_models import IMAGE_SIZE, build_tiny_clip

SHARD, BATCH, WIDTHS = 8, 4, (32, 32, 32)


@pytest.fixture(scope="session")
def small_clip(tmp_path_factory):
    return build_tiny_clip(tmp_path_factory.mktemp("clip") / "clip")


@pytest.fixture(scope="session")
def recipe(world):
    """The modules, small enough for a test; imported here, since they import what takes seconds."""
    from clipexplore.training import cache_scenes, captions, runs, train_autoencoder, train_diffusion

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_autoencoder, "WIDTHS", (8, 8, 8, 8))
        patch.setattr(train_autoencoder, "LATENT_CHANNELS", 4)
        patch.setattr(cache_scenes, "SHARD", SHARD)
        patch.setattr(cache_scenes, "ALIGNED_LAYER", 1)
        patch.setattr(cache_scenes, "small_pixels", pixels_of(IMAGE_SIZE))
        # it needs the sources of the words
        patch.setattr(train_diffusion, "reworded", lambda one, rng: (captions.literal(one),) * 2)
        patch.setattr(train_diffusion, "LAYERS", 1)
        patch.setattr(runs, "signal", SimpleNamespace(SIGTERM=signal.SIGTERM, signal=lambda *_: None))
        yield SimpleNamespace(runs=runs, ae=train_autoencoder, cache=cache_scenes, diffusion=train_diffusion)


def pixels_of(side):
    """Pictures as a CLIP of another size sees them."""
    return lambda picture: np.asarray(picture.resize((side, side))).transpose(2, 0, 1)


def train_steps(recipe, run, steps, go):
    """`go(hours)` trains for that many steps: the clock goes one second on with each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipe.runs, "time", SimpleNamespace(time=lambda: float(run.step)))
        go((steps - 1e-3) / 3600)


@pytest.fixture(scope="session")
def autoencoder(recipe, tmp_path_factory):
    """The folder of a run of three steps."""
    folder = tmp_path_factory.mktemp("autoencoder")
    run = recipe.ae.start("cpu", folder)
    train_steps(
        recipe,
        run,
        3,
        lambda hours: run.train(map(recipe.ae.Pictures(2).__getitem__, range(9)), recipe.ae.step_loss, hours, False),
    )
    assert run.step == 3
    return folder


@pytest.fixture(scope="session")
def cache(recipe, small_clip, autoencoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    recipe.cache.fill(folder, 2 * SHARD, 0, "cpu", small_clip, autoencoder)
    return recipe.cache.Cache(folder, small_clip, autoencoder)


@pytest.fixture(scope="session")
def conditions(recipe, small_clip, cache):
    return recipe.diffusion.Conditions(small_clip, cache, "cpu")
