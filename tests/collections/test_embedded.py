"""A collection under a model that it does not bring vectors of: made once, kept by revision and content, shared by keys of the same model."""

import threading
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from fixtures_models import build_tiny_clip
from PIL import Image

from clipexplore import catalog
from clipexplore.catalog import Model
from clipexplore.collection import Collection
from clipexplore.collections.embedded import CHUNK, Embedded, embed, fit_maps, missing, open_embedded, vectors_folder
from clipexplore.embedder import Embedder
from clipexplore.errors import InputError
from clipexplore.images import encode
from clipexplore.models.weights import Weights
from clipexplore.settings import settings
from clipexplore.space import Space

COUNT = 150

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture(scope="module")
def model(tiny_clip):
    return Model("tiny", "Tiny", "Tiny.", Weights("clip", "x", path=tiny_clip), dim=24)


@pytest.fixture(scope="module")
def embedder(tiny_clip):
    return Embedder.load(tiny_clip, device="cpu")


def folder_of(tmp_path, name="world", count=COUNT, pictures=True):
    rng = np.random.default_rng(0)
    items = pd.DataFrame({"id": [f"{name}-{n}" for n in range(count)], "caption": [f"{n} red apples" for n in range(count)]})
    files = [encode(Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)), "PNG") for _ in range(count)] if pictures else None
    Collection.create(tmp_path / name, name=name, title=name.title(), items=items, pictures=files)
    return tmp_path / name


def test_what_is_missing_is_made_once_and_kept(tmp_path, model, embedder, home):
    folder = folder_of(tmp_path)
    collection, seen = open_embedded(folder, model), []
    assert isinstance(collection, Embedded) and missing(collection, model) == ["captions", "pictures"]
    with pytest.raises(InputError, match="The model tiny has not embedded World yet; the app does so in the background"):
        collection.embeddings("tiny", "captions")
    embed([collection], model, embedder, lambda share, stage: seen.append((share, stage)))
    assert seen[-1] == (1.0, "World: pictures, 150 of 150") and len(seen) == 2 * -(-COUNT // CHUNK)
    again = open_embedded(folder, model)
    assert missing(again, model) == [] and again.revision("tiny") == model.clip.identity == embedder.revision
    np.testing.assert_allclose(again.embeddings("tiny", "captions"), embedder.embed_texts(again.captions), atol=1e-3)  # float16 on disk
    np.testing.assert_allclose(again.embeddings("tiny", "pictures"), embedder.embed_images([again.picture(id) for id in again.ids]), atol=1e-3)
    assert (home / "vectors" / model.clip.identity).is_dir() and not (folder / "embeddings").exists()


def test_a_collection_that_brings_its_vectors_is_opened_as_it_is(tmp_path, model, embedder):
    folder = folder_of(tmp_path, count=3)
    Collection.open(folder).add_embeddings("tiny", embedder.revision, "captions", embedder.embed_texts(["a", "b", "c"]))
    opened = open_embedded(folder, model)
    assert not isinstance(opened, Embedded) and missing(opened, model) == ["pictures"]


def test_a_stopped_embedding_goes_on_with_the_kind_it_was_at(tmp_path, model, embedder):
    folder, asked = folder_of(tmp_path), []

    def stop(share, stage):
        asked.append(stage)
        if "pictures" in stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed([open_embedded(folder, model)], model, embedder, stop)
    again = open_embedded(folder, model)
    assert missing(again, model) == ["pictures"]
    asked.clear()
    embed([again], model, embedder, lambda share, stage: asked.append(stage))
    assert asked and not [stage for stage in asked if "captions" in stage]


def test_another_revision_and_another_content_have_vectors_of_their_own(tmp_path, model, embedder):
    folder = folder_of(tmp_path, count=3)
    collection = open_embedded(folder, model)
    other = replace(model, clip=Weights("clip", "x", path=build_tiny_clip(tmp_path / "other", seed=1)))
    assert vectors_folder(collection, model) != vectors_folder(collection, other)
    embed([collection], model, embedder)
    assert vectors_folder(open_embedded(folder, model), model) == vectors_folder(collection, model)
    assert missing(open_embedded(folder, other), other) == ["captions", "pictures"]
    assert vectors_folder(open_embedded(folder_of(tmp_path / "b", count=4), model), model) != vectors_folder(collection, model)


def test_who_opened_it_before_sees_what_was_made_and_makes_it_not_again(tmp_path, model, embedder):
    folder = folder_of(tmp_path, count=3)
    first, second = open_embedded(folder, model), open_embedded(folder, replace(model, key="same"))
    embed([first], model, embedder)
    embed([second], replace(model, key="same"), None)  # has nothing to do, so needs nothing
    np.testing.assert_array_equal(second.embeddings("same", "captions"), first.embeddings("tiny", "captions"))


def test_maps_are_fitted_once(tmp_path, model, embedder, monkeypatch):
    world, background = (open_embedded(folder_of(tmp_path, name, 60, name == "world"), model) for name in ("world", "background"))
    embed([world, background], model, embedder)
    with pytest.raises(InputError, match="map of Background by the model tiny is not fitted yet"):
        background.coordinates("tiny", "umap")
    seen = []
    fit_maps(world, background, model, lambda share, stage: seen.append(stage))
    assert background.coordinates("tiny", "umap").shape == (60, 2) == world.coordinates("tiny", "umap").shape and seen
    monkeypatch.setattr("clipexplore.maps.layout.fit_layout", lambda *args, **kwargs: pytest.fail("fitted twice"))
    fit_maps(world, background, model)
    np.testing.assert_array_equal(open_embedded(tmp_path / "world", model).coordinates("tiny", "umap"), world.coordinates("tiny", "umap"))


def test_a_space_works_while_its_background_is_still_to_come(tmp_path, model, embedder):
    world, words, background = (open_embedded(folder_of(tmp_path, name, 60, name == "world"), model) for name in ("world", "words", "background"))
    with pytest.raises(InputError, match="The model tiny has not embedded"):
        Space(model, world, words, background, embedder)
    embed([world, words], model, embedder)
    here = Space(model, world, words, background, embedder)
    point = here.point("3 red apples + a man with a top hat - @world-5")
    assert len(here.search(point.vector, "pictures", 5)) == 5 and here.context(point.vector, "words").count == 60
    thread = threading.Thread(target=embed, args=([background], model, embedder))
    thread.start()
    thread.join()
    assert here.background.embeddings("tiny", "captions").shape == (60, 24)  # the same object, now with vectors


def test_the_bundled_collection_under_another_model(tiny_clip, model, embedder, monkeypatch, home):
    entries = {**catalog.models(), "tiny": model}
    monkeypatch.setattr(catalog, "models", lambda: entries)
    with pytest.raises(InputError, match="The model tiny has not embedded Emoji World yet"):
        Space.open("tiny", embedder=embedder)
    words = open_embedded(settings().assets / "collections/words", model)
    embed([words], model, embedder)
    assert missing(open_embedded(settings().assets / "collections/words", model), model) == []
    assert missing(open_embedded(settings().assets / "collections/words", catalog.get("emoji")), catalog.get("emoji")) == []


def test_the_library_embeds_what_is_missing_when_asked(tmp_path, model, embedder, monkeypatch):
    for name in ("emoji-world", "words", "background"):
        folder_of(tmp_path / "assets/collections", name, 70, name == "emoji-world")
    monkeypatch.setenv("CLIPEXPLORE_ASSETS", str(tmp_path / "assets"))
    settings.cache_clear()
    entries = {"tiny": model}
    monkeypatch.setattr(catalog, "models", lambda: entries)
    here = Space.open("tiny", embed=True)
    assert here.revision == embedder.revision and len(here.search(here.point("a cat").vector, "pictures", 3)) == 3
    assert Space.open("tiny").background.embeddings("tiny", "captions").shape == (70, 24)  # kept
