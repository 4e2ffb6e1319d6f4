"""The cache of what the drawing model is trained on, against the models that filled it."""

import shutil

import numpy as np
import pytest
from fixtures_drawing_recipe import SHARD, pixels_of
from fixtures_models import IMAGE_SIZE, build_tiny_clip


def test_a_cache_holds_what_the_models_make_of_the_scenes(recipe, small_clip, autoencoder, cache):
    import torch
    from transformers import CLIPModel

    from clipexplore.training.scenes import draw

    found = cache.rows(np.arange(2 * SHARD))
    scenes = [recipe.cache.cached_scene(seed) for seed in range(2 * SHARD)]
    pixels = torch.from_numpy(np.stack([pixels_of(IMAGE_SIZE)(draw(one)) for one in scenes])).float() / 127.5 - 1
    model = CLIPModel.from_pretrained(small_clip)
    with torch.no_grad():
        own = torch.nn.functional.normalize(model.get_image_features(pixels).pooler_output).numpy()
    np.testing.assert_allclose(found["embeddings"], own, atol=2e-3)
    encoder = recipe.ae.trained(autoencoder)
    latents = encoder.encode(recipe.ae.as_input(recipe.ae.as_pixels(scenes[9:10]))).latent_dist.mean[0].detach().numpy()
    np.testing.assert_allclose(found["latents"][9], latents * cache.scale, rtol=0.01, atol=0.01)
    assert found["latents"][:SHARD].astype(np.float32).std() == pytest.approx(1, rel=0.05)
    assert found["patches"].shape == (2 * SHARD, 32, 4, 4) and found["things"].shape == (2 * SHARD, 16, 16)
    np.testing.assert_array_equal(cache.embeddings(SHARD + 3), found["embeddings"][: SHARD + 3].astype(np.float32))


def test_things_are_where_their_boxes_are(recipe):
    from clipexplore.training.scenes import Item, Scene

    covered = recipe.cache.boxes(Scene(0, "single", (Item("lion", (-8, 16, 16, 12)),)))
    expected = np.zeros((16, 16))
    # two rows of eight pixels, the second half full; what is left of the picture does not count
    expected[2, 0], expected[3, 0] = (255, 128)
    np.testing.assert_array_equal(covered, expected)


def test_a_cache_goes_on_where_it_stopped_and_is_refused_for_another_clip(
    recipe, small_clip, autoencoder, cache, tmp_path
):
    folder = shutil.copytree(cache.folder, tmp_path / "cache")
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    recipe.cache.fill(folder, 3 * SHARD, 0, "cpu", small_clip, autoencoder)
    assert len(recipe.cache.Cache(folder, small_clip, autoencoder)) == 3 * SHARD
    assert before.items() <= {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}.items()
    other = build_tiny_clip(tmp_path / "other", seed=1)
    with pytest.raises(ValueError, match="another CLIP"):
        recipe.cache.Cache(folder, other, autoencoder)
    with pytest.raises(ValueError, match="is no cache"):
        recipe.cache.Cache(tmp_path, small_clip, autoencoder)


def test_another_text_tower_needs_no_other_cache(recipe, small_clip, autoencoder, cache, tmp_path):
    from safetensors.numpy import load_file, save_file

    folder = shutil.copytree(small_clip, tmp_path / "clip")
    weights = load_file(small_clip / "model.safetensors")
    for name in weights:
        if name.startswith("text"):
            weights[name] = np.array(weights[name] + 1)
    save_file(weights, folder / "model.safetensors")
    assert len(recipe.cache.Cache(cache.folder, folder, autoencoder)) == len(cache)


def test_an_empty_cache_says_what_to_do(recipe, small_clip, autoencoder, cache, tmp_path):
    (tmp_path / "cache.json").write_bytes((cache.folder / "cache.json").read_bytes())
    with pytest.raises(ValueError, match="run clipexplore.training.cache_scenes first"):
        recipe.cache.Cache(tmp_path, small_clip, autoencoder).rows(np.zeros(1, int))
