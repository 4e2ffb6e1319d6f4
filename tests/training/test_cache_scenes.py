"""The cache of what the drawing model is trained on, against the models that filled it."""

import shutil

import numpy as np
import pytest
from fixtures_drawing_recipe import SHARD
from fixtures_models import MAX_TOKENS, build_tiny_clip


def test_a_cache_holds_what_the_models_make_of_the_scenes(recipe, small_clip, autoencoder, cache):
    import torch

    from clipexplore.embedder import Embedder
    from clipexplore.training import captions
    from clipexplore.training.scenes import draw, scene

    found = cache.rows(np.arange(2 * SHARD))
    scenes = [scene(seed) for seed in range(2 * SHARD)]
    np.testing.assert_allclose(found["embeddings"], Embedder.load(small_clip, "cpu").embed_images([draw(one) for one in scenes]), atol=2e-3)
    encoder = recipe.ae.trained(autoencoder)
    own = encoder.encode(recipe.ae.as_input(recipe.ae.as_pixels(scenes[9:10]))).latent_dist.mean[0].detach().numpy()
    np.testing.assert_allclose(found["latents"][9], own * cache.scale, rtol=0.01, atol=0.01)
    assert found["latents"][:SHARD].astype(np.float32).std() == pytest.approx(1, rel=0.05)
    from transformers import CLIPTokenizer

    literal = CLIPTokenizer.from_pretrained(small_clip)([captions.literal(scenes[9])], padding="max_length", max_length=MAX_TOKENS, truncation=True)["input_ids"]
    assert found["tokens"].shape == (2 * SHARD, recipe.cache.CAPTIONS, MAX_TOKENS) and found["tokens"][9, 0].tolist() == literal[0]
    assert torch.from_numpy(found["tokens"]).max() < 4096


def test_a_cache_goes_on_where_it_stopped_and_is_refused_for_another_clip(recipe, small_clip, autoencoder, cache, tmp_path):
    folder = shutil.copytree(cache._files["tokens"][0].parent, tmp_path / "cache")
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    recipe.cache.fill(folder, 3 * SHARD, 0, "cpu", small_clip, autoencoder)
    assert len(recipe.cache.Cache(folder, small_clip, autoencoder)) == 3 * SHARD
    assert before.items() <= {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}.items()
    other = build_tiny_clip(tmp_path / "other", seed=1)
    with pytest.raises(ValueError, match="another CLIP"):
        recipe.cache.Cache(folder, other, autoencoder)
    with pytest.raises(ValueError, match="is no cache"):
        recipe.cache.Cache(tmp_path, small_clip, autoencoder)


def test_an_empty_cache_says_what_to_do(recipe, small_clip, autoencoder, cache, tmp_path):
    (tmp_path / "cache.json").write_bytes((cache._files["tokens"][0].parent / "cache.json").read_bytes())
    with pytest.raises(ValueError, match="run clipexplore.training.cache_scenes first"):
        recipe.cache.Cache(tmp_path, small_clip, autoencoder).rows(np.zeros(1, int))
