"""A collection under a model that it brings no vectors of: made once, kept by revision and content, shared by keys."""

import shutil
import threading
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from fixtures_imports import Toy, jpeg
from fixtures_models import build_tiny_clip
from PIL import Image

from clipexplore.__main__ import main
from clipexplore.errors import InputError
from clipexplore.explore.map import lay_out
from clipexplore.images import encode, open_picture
from clipexplore.models import catalog
from clipexplore.models.catalog import Model
from clipexplore.models.embedder import PREPARATION, Embedder
from clipexplore.models.revisions import Revisions
from clipexplore.models.weights import Weights
from clipexplore.settings import settings
from clipexplore.sources.recognise import open_source
from clipexplore.space import Space
from clipexplore.store import shelves
from clipexplore.store.collection import Collection
from clipexplore.store.embedding import AT_ONCE, cosines, embed, embed_missing, fit_maps, missing, ready_made, spaces_of
from clipexplore.store.items import Item, content_key
from clipexplore.store.opening import open_for
from clipexplore.store.stored import Stored

COUNT = 150

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture(scope="module")
def model(tiny_clip):
    return Model("tiny", "Tiny", "Tiny.", Weights("clip", "x", path=tiny_clip), dim=24)


@pytest.fixture(scope="module")
def embedder(tiny_clip):
    return Embedder.load(tiny_clip, device="cpu")


def folder_of(tmp_path, name="world", count=COUNT, pictures=True, published=True):
    rng = np.random.default_rng(0)
    items = pd.DataFrame(
        {"id": [f"{name}-{n}" for n in range(count)], "caption": [f"{n} red apples" for n in range(count)]}
    )
    files = (
        [encode(Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)), "PNG") for _ in range(count)]
        if pictures
        else None
    )
    made = Collection.create(tmp_path / "made" / name, name=name, title=name.title(), items=items, pictures=files)
    if not published:
        return made.store.folder
    made.publish(tmp_path / name)
    return tmp_path / name


def test_what_is_missing_is_made_once_and_kept(tmp_path, model, embedder, home):
    folder = folder_of(tmp_path)
    collection, seen = open_for(folder, model), []
    assert missing(collection, model) == ["captions", "pictures"]
    with pytest.raises(
        InputError, match="The model tiny has not embedded World yet; the app does so in the background"
    ):
        collection.embeddings("tiny", "captions")
    embed([collection], model, embedder, lambda share, stage: seen.append((share, stage)))
    assert seen[-1] == (1.0, "World: pictures, 300 of 300") and len(seen) == 2 * -(-COUNT // AT_ONCE)
    again = open_for(folder, model)
    assert missing(again, model) == [] and again.revision("tiny") == model.clip.identity == embedder.revision
    np.testing.assert_allclose(again.embeddings("tiny", "captions"), embedder.embed_texts(again.captions), atol=1e-6)
    np.testing.assert_allclose(
        again.embeddings("tiny", "pictures"), embedder.embed_images([again.picture(id) for id in again.ids]), atol=1e-3
    )
    assert (home / "vectors").is_dir() and not (folder / "embeddings").exists()


def test_a_collection_that_brings_its_vectors_is_opened_as_it_is(tmp_path, model, embedder):
    made = Collection.open(folder_of(tmp_path, count=3, published=False))
    made.add_embeddings("tiny", embedder.revision, "captions", embedder.embed_texts(made.captions))
    opened = open_for(made.publish(tmp_path / "brought").store.folder, model)
    assert opened.embedded("tiny") == ["captions"] and missing(opened, model) == ["pictures"]


def test_a_stopped_embedding_goes_on_where_it_was(tmp_path, model, embedder):
    folder, asked = folder_of(tmp_path, count=300), []

    def stop(share, stage):
        asked.append(stage)
        if "pictures, 5" in stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed([open_for(folder, model)], model, embedder, stop)
    again = open_for(folder, model)
    assert missing(again, model) == ["captions", "pictures"], "what is not whole is not shown"
    asked.clear()
    embed([again], model, embedder, lambda share, stage: asked.append(stage))
    assert asked[-1] == "World: pictures, 300 of 300" if len(asked) > 2 else asked[-1].endswith("44 of 44")
    assert not [stage for stage in asked if "captions" in stage]


@pytest.mark.parametrize("published", [True, False])
def test_one_more_item_is_embedded_alone_under_each_model(tmp_path, model, embedder, published):
    other = replace(model, key="other", clip=Weights("clip", "x", path=build_tiny_clip(tmp_path / "other", seed=1)))
    by = {"tiny": embedder, "other": Embedder.load(tmp_path / "other", device="cpu")}
    folder = folder_of(tmp_path, count=40, published=published)
    before = {}
    for each in (model, other):
        opened = open_for(folder, each)
        embed([opened], each, by[each.key])
        before[each.key] = opened.embeddings(each.key, "pictures")
    if published:
        shutil.rmtree(folder)
        shutil.rmtree(tmp_path / "made")
        folder_of(tmp_path, count=41)
    else:
        store, image = Stored.open(folder), Image.new("RGB", (9, 9), "red")
        picture = encode(image, "PNG")
        item = Item("one-more", "one more", "{}", b"new", content_key(picture), content_key("one more"))
        store.append([item], [next(store.free_positions())], {item.picture: picture})
        store.show()
    for each in (model, other):
        opened, asked = open_for(folder, each), []
        assert len(opened) == 41 and missing(opened, each) == ["captions", "pictures"]
        embed([opened], each, by[each.key], lambda share, stage, asked=asked: asked.append(stage))
        assert asked == [f"World: {kind}, {number} of 2" for number, kind in ((1, "captions"), (2, "pictures"))]
        np.testing.assert_array_equal(opened.embeddings(each.key, "pictures")[:40], before[each.key])


def test_a_renamed_collection_and_one_that_shrank_find_their_vectors_again(tmp_path, model, embedder):
    folder = folder_of(tmp_path, count=10, published=False)
    opened = open_for(folder, model)
    embed([opened], model, embedder)
    before = opened.embeddings("tiny", "pictures")
    shelves.rename(folder, "Another name")
    left = open_for(folder, model).remove(opened.ids[:4])
    assert left.title == "Another name" and missing(left, model) == []
    np.testing.assert_array_equal(left.embeddings("tiny", "pictures"), before[4:])


def test_the_fields_of_a_published_collection_are_there_under_another_model(model, home):
    """Classify's labels, filters, colours: of the bundled world, which the model has not even embedded."""
    folder = shelves.folders(None)["emoji-world"]
    seen, plain = open_for(folder, model).fields, Collection.open(folder).fields
    pd.testing.assert_frame_equal(seen, plain, check_dtype=False)
    assert seen["place"].nunique() > 10


def test_another_revision_has_vectors_of_its_own(tmp_path, model, embedder):
    folder = folder_of(tmp_path, count=3)
    collection = open_for(folder, model)
    embed([collection], model, embedder)
    other = replace(model, clip=Weights("clip", "x", path=build_tiny_clip(tmp_path / "other", seed=1)))
    assert missing(open_for(folder, model), model) == []
    assert missing(open_for(folder, other), other) == ["captions", "pictures"]


class Towers:
    """An embedder whose towers have revisions of their own, and that counts."""

    def __init__(self, embedder, picture_revision, text_revision):
        self.revisions, self._embedder = Revisions("", picture_revision, text_revision), embedder
        self.images = self.texts = 0

    def embed_images(self, images):
        self.images += len(images)
        return self._embedder.embed_images(images)

    def embed_texts(self, texts):
        self.texts += len(texts)
        return self._embedder.embed_texts(texts)


def test_a_new_text_tower_leaves_the_vectors_of_pictures(tmp_path, embedder):
    store = Collection.open(folder_of(tmp_path, count=5, published=False)).store
    embed_missing(store, Towers(embedder, "p1", "t1"), "tiny", "r1", lambda share, stage: None)
    second = Towers(embedder, "p1", "t2")
    embed_missing(store, second, "tiny", "r2", lambda share, stage: None)
    assert (second.images, second.texts) == (0, 5)
    assert store.read("SELECT count(*) FROM vectors")[0][0] == 10, "those of the old text tower are gone"


def test_a_better_preparation_leaves_no_vector_of_the_old_one(tmp_path, embedder, monkeypatch):
    store = Collection.open(folder_of(tmp_path, count=5, published=False)).store
    for version, seen in ((1, 5), (1, 0), (2, 5)):
        monkeypatch.setitem(PREPARATION, "captions", version)
        assert ("captions" in store.embedded("tiny")) == (seen == 0)
        by = Towers(embedder, "p1", "t1")
        embed_missing(store, by, "tiny", "r1", lambda share, stage: None)
        assert by.texts == seen and store.embedded("tiny") == ["captions", "pictures"]


def test_ready_made_vectors_are_never_of_an_old_preparation(tmp_path, embedder, monkeypatch):
    made = folder_of(tmp_path, count=3, published=False)
    collection = Collection.open(made)
    collection.add_embeddings("brought", "r1", "captions", np.eye(3, 8))
    monkeypatch.setitem(PREPARATION, "captions", PREPARATION["captions"] + 1)
    assert collection.embedded("brought") == ["captions"]
    assert (
        spaces_of(collection.store, "brought", "r1")["captions"]
        == collection.store.facts["models"]["brought"]["spaces"]["captions"]
    )


def test_who_opened_it_before_sees_what_was_made_and_makes_it_not_again(tmp_path, model, embedder):
    folder = folder_of(tmp_path, count=3)
    first, second = open_for(folder, model), open_for(folder, replace(model, key="same"))
    embed([first], model, embedder)
    embed([second], replace(model, key="same"), None)  # has nothing to do, so needs nothing
    np.testing.assert_array_equal(second.embeddings("same", "captions"), first.embeddings("tiny", "captions"))


def test_maps_are_fitted_once(tmp_path, model, embedder, monkeypatch):
    world, background = (
        open_for(folder_of(tmp_path, name, 60, name == "world"), model) for name in ("world", "background")
    )
    embed([world, background], model, embedder)
    with pytest.raises(InputError, match="map of Background by the model tiny is not fitted yet"):
        lay_out(Space(model, world, background, background, embedder), "umap")
    seen = []
    fit_maps(world, background, model, lambda share, stage: seen.append(stage))
    assert background.coordinates("tiny", "umap").shape == (60, 2) == world.coordinates("tiny", "umap").shape and seen
    monkeypatch.setattr("clipexplore.maps.umap.fit_layout", lambda *args, **kwargs: pytest.fail("fitted twice"))
    fit_maps(world, background, model)
    np.testing.assert_array_equal(
        open_for(tmp_path / "world", model).coordinates("tiny", "umap"), world.coordinates("tiny", "umap")
    )


def test_a_space_works_while_its_background_is_still_to_come(tmp_path, model, embedder):
    world, words, background = (
        open_for(folder_of(tmp_path, name, 60, name == "world"), model) for name in ("world", "words", "background")
    )
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
    words = open_for(settings().assets / "collections/words", model)
    embed([words], model, embedder)
    assert missing(open_for(settings().assets / "collections/words", model), model) == []
    assert missing(open_for(settings().assets / "collections/words", catalog.get("emoji")), catalog.get("emoji")) == []


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


# Whose vectors they are


TEXTS = [f"text number {n}" for n in range(40)]


def vectors_in(path, vectors, **columns):
    np.savez(path, text_vectors=vectors, **columns)
    return open_source(path)


def test_the_vectors_of_captions_are_made_again(tmp_path):
    source, toy = vectors_in(tmp_path / "v.npz", Toy().embed_texts(TEXTS) * 7, caption=TEXTS), Toy()
    assert cosines(source, lambda: toy) == {"captions": pytest.approx(1)} and toy.texts == 16
    alone = vectors_in(tmp_path / "a.npz", Toy().embed_texts(TEXTS))
    assert cosines(alone, lambda: pytest.fail("there is nothing to embed")) == {}


def test_the_vectors_of_pictures_beside_are_made_again(tmp_path):
    for number in range(5):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg(number))
    vectors = Toy().embed_images([open_picture(jpeg(number)) for number in range(5)])
    table = pa.table({"file": [f"{n}.jpg" for n in range(5)], "vector": vectors.tolist()})
    pyarrow.parquet.write_table(table, tmp_path / "v.parquet")
    toy = Toy()
    assert cosines(open_source(tmp_path / "v.parquet"), lambda: toy) == {"pictures": pytest.approx(1)}


def test_those_of_another_model_are_refused(tmp_path, home, capsys):
    texts = ["lion", "a red car", "snow", "penguin", "a man with a hat", "guitar"]
    vectors = Space.open().embed_texts(texts)
    for turned, ends in ((0, 0), (1, 2)):
        vectors_in(tmp_path / f"{turned}.npz", np.roll(vectors, turned, axis=1), caption=texts)
        assert main(["index", str(tmp_path / f"{turned}.npz"), "--name", f"it{turned}", "--model", "emoji"]) == ends
    said = capsys.readouterr().err
    assert "no vectors of the model emoji: what it makes of the same captions has a cosine of" in said
    assert main(["index", str(tmp_path / "1.npz"), "--name", "it", "--model", "unnamed"]) == 0


def test_no_model_claims_nothing_and_another_size_is_refused(tmp_path):
    source = vectors_in(tmp_path / "v.npz", Toy().embed_texts(TEXTS), caption=TEXTS)
    assert ready_made(catalog.get("unnamed"), source, Toy) == "unnamed"
    with pytest.raises(InputError, match="16 dimensions and those of the model emoji 512"):
        ready_made(catalog.get("emoji"), source, Toy)
