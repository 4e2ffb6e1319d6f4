"""Expressions and what lies near, in a world small enough to work out by hand, and in one of a real model."""

import json
import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fixtures_models import build_tiny_clip
from PIL import Image

from clipexplore.errors import InputError
from clipexplore.expression import Expression, Term
from clipexplore.images import encode
from clipexplore.models import catalog
from clipexplore.models.embedder import Embedder
from clipexplore.names import define
from clipexplore.settings import settings
from clipexplore.space import Space
from clipexplore.store import shelves
from clipexplore.store.collection import Collection
from clipexplore.vectors import normalize

ROOT = Path(__file__).parent.parent

WORLD = {
    "man": "a man",
    "man-top-hat": "a man with a top-hat",
    "lion-jungle": "a lion in the jungle",
    "lion-snow": "a lion in the snow",
    "dog": "Dog",
}
WORDS = ["man", "top-hat", "lion", "jungle", "snow", "dog"]
BACKGROUND = ["a dog in the snow", "a man in the jungle"]


class Asked:
    """The hand-computable embedder with tokens, one a word, and lists of what it was asked; pictures are of snow."""

    max_tokens = 6

    def __init__(self, axes):
        self.axes, self.texts, self.images = axes, [], []

    def embed_texts(self, texts):
        self.texts += texts
        return self.axes.embed_texts(texts)

    def embed_images(self, images):
        self.images += images
        return self.axes.embed_texts(["snow"] * len(images))

    def count_tokens(self, texts):
        return [len(text.split()) + 2 for text in texts]


def build_world(folder, embed_texts, revision="r1"):
    """The three bundled collections; a picture's vector is that of its caption."""
    banks = {"emoji-world": WORLD, "words": {word: word for word in WORDS}, "background": dict(enumerate(BACKGROUND))}
    for name, captions in banks.items():
        items = pd.DataFrame({"id": [str(id) for id in captions], "caption": list(captions.values())})
        pictures = [f"picture {id}".encode() for id in captions] if name == "emoji-world" else None
        bank = Collection.create(folder / "made" / name, name=name, title=name, items=items, pictures=pictures)
        for kind in ("pictures", "captions") if pictures else ("captions",):
            bank.add_embeddings("emoji", revision, kind, embed_texts(bank.captions))
        bank.publish(folder / "collections" / name)


def bundle(folder, monkeypatch):
    """Makes a folder the bundled one."""
    found = replace(settings(), assets=folder)
    for module in ("models.catalog", "store.shelves", "models.weights"):
        monkeypatch.setattr(f"clipexplore.{module}.settings", lambda: found)
    return folder


@pytest.fixture
def assets(tmp_path, monkeypatch):
    return bundle(tmp_path, monkeypatch)


@pytest.fixture
def asked(axes):
    return Asked(axes)


@pytest.fixture
def space(assets, axes, asked):
    build_world(assets, axes.embed_texts)
    return Space.open(embedder=asked)


def test_the_difference_of_two_pictures_is_what_they_differ_in(space, asked):
    point = space.point("@man-top-hat - @man")
    assert point.length == pytest.approx(np.hypot(1 - np.sqrt(0.5), np.sqrt(0.5)), abs=1e-3)
    assert np.linalg.norm(point.vector) == pytest.approx(1, abs=1e-6)
    first, *_, last = space.search(point.vector, "words", 10)
    assert (first.caption, first.rank, first.kind) == ("top-hat", 1, "words")
    assert first.cosine == pytest.approx(np.sqrt(0.5) / point.length, abs=1e-3)
    assert (last.caption, last.rank) == ("man", len(WORDS))
    assert asked.texts == []


def test_stored_texts_are_not_embedded_again(space, asked, axes):
    point = space.point('LION + "a  dog in the snow" - a man with a top-hat')
    assert asked.texts == []
    expected = axes.embed_texts(["lion", "a dog in the snow", "a man with a top-hat"])
    np.testing.assert_allclose([term.vector for term in point.terms], expected, atol=1e-3)
    assert [(term.tokens, term.truncated) for term in point.terms] == [(None, False)] * 3


def test_new_texts_are_embedded_together_and_once(space, asked, axes):
    point = space.point("zebra + lion + 2*zebra - a red zebra in the very deep snow")
    assert asked.texts == ["zebra", "a red zebra in the very deep snow"]
    np.testing.assert_allclose(point.terms[0].vector, axes.embed_texts(["zebra"])[0])
    tokens = [(term.tokens, term.truncated) for term in point.terms]
    assert tokens == [(3, False), (None, False), (3, False), (10, True)]
    assert [term.term.weight for term in point.terms] == [1, 1, 2, -1]


def test_an_expression_need_not_be_text(space):
    expression = Expression((Term("lion"), Term("man", -0.5, is_id=True)))
    point = space.point(expression)
    assert point.expression is expression
    np.testing.assert_array_equal(point.vector, space.point("lion - 0.5*@man").vector)
    assert point.inputs == {"lion", "@man"}


def test_uploads_count_as_pictures_for_whoever_brings_them(space, asked):
    own = space.with_names({}, {"up-3fa9": encode(Image.new("RGB", (40, 30)), "PNG")})
    for _again in range(2):
        assert own.search(own.point("@up-3fa9").vector, "words", 1)[0].caption == "snow"
    assert [picture.size for picture in asked.images] == [(40, 30)], "each is embedded once"
    with pytest.raises(InputError, match=r"uploaded picture @up-3fa9 is not here, or no longer; upload it again"):
        space.point("@up-3fa9")


def test_pictures_of_the_bundled_world_stand_beside_those_of_any_collection(space, assets, axes):
    items = pd.DataFrame({"id": ["dog", "cap"], "caption": ["a lion", "a man with a top-hat"]})
    mine = Collection.create(
        assets / "collections/mine", name="mine", title="Mine", items=items, pictures=[b"mine", b"other"]
    )
    for kind in ("pictures", "captions"):
        mine.add_embeddings("emoji", "r1", kind, axes.embed_texts(mine.captions))
    here = Space.open(collection="mine")
    np.testing.assert_array_equal(here.point("@man-top-hat - @man").vector, space.point("@man-top-hat - @man").vector)
    assert here.picture("man") == b"picture man" and here.picture("dog") == b"mine", (
        "what the collection has comes first"
    )
    assert here.search(here.point("@dog").vector, "words", 1)[0].caption == "lion"
    assert {hit.id for hit in here.search(here.point("@man").vector, k=9)} == {"dog", "cap"}, (
        "only the collection is searched"
    )
    with pytest.raises(InputError, match="no @nobody in Mine"):
        here.point("@nobody")


def test_a_bundled_world_that_the_model_has_not_embedded_is_left_out(assets, axes):
    (assets / "models/emoji/clip").mkdir(parents=True)
    (assets / "models/emoji/clip/model.safetensors").write_bytes(b"its checksum tells where vectors would lie")
    revision = catalog.get("emoji").clip.identity
    items = pd.DataFrame({"id": ["dog"], "caption": ["a dog"]})
    for name in ("emoji-world", "words", "background", "mine"):
        found = Collection.create(
            assets / "collections" / name,
            name=name,
            title=name,
            items=items,
            pictures=[b"dog"] if name == "emoji-world" else None,
        )
        if name != "emoji-world":
            found.add_embeddings("emoji", revision, "captions", axes.embed_texts(found.captions))
    space = Space.open(collection="mine")
    assert space.world is None and space.point("@dog").terms[0].of_item  # its own text, and no picture of the world


def test_a_name_is_the_point_it_stands_for(space, asked):
    names = define("hatted = @man-top-hat - @man\nlion-hatted = lion + @hatted")
    direct, named = space.point("@man-top-hat - @man"), space.with_names(names).point("@hatted")
    np.testing.assert_allclose(named.vector, direct.vector, atol=1e-6)
    (term,) = named.terms
    assert (
        named.length == pytest.approx(1)
        and term.meaning.expression == names["hatted"]
        and not term.is_picture
        and direct.terms[0].is_picture
    )
    expected = normalize(space.point("lion").vector + direct.vector)
    np.testing.assert_allclose(space.with_names(names).point("@lion-hatted").vector, expected, atol=1e-6)
    assert asked.texts == []


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("x = @x + lion", "no @x"),
        ("x = @y\ny = lion", "no @y"),
        ("man = lion", "@man is both a name of yours and a picture of emoji-world; give your point another name"),
    ],
)
def test_a_name_that_means_nothing_or_two_things_is_told(space, lines, says):
    names = define(lines)
    with pytest.raises(InputError, match=says):
        space.with_names(names).point(f"dog - @{next(iter(names))}")


def test_an_unknown_id_is_told(space):
    with pytest.raises(InputError, match="no @lion-snwo in emoji-world; did you mean @lion-snow"):
        space.point("@lion-snwo")


def test_what_cancels_out_is_told(space):
    with pytest.raises(InputError, match="cancel"):
        space.point("lion - lion")


def test_each_bank_is_searched(space):
    vector = space.point("a lion in the snow").vector
    assert [space.search(vector, what, 1)[0].id for what in ("pictures", "captions")] == ["lion-snow", "lion-snow"]
    assert {hit.caption for hit in space.search(vector, "words", 2)} == {"lion", "snow"}
    with pytest.raises(InputError, match="'sounds' cannot be searched; choose one of: pictures, captions, words"):
        space.search(vector, "sounds")


def test_inputs_can_be_left_out_by_id_and_by_caption(space):
    point = space.point("@lion-snow + DOG")
    assert {hit.id for hit in space.search(point.vector)} == set(WORLD)
    hits = space.search(point.vector, exclude=point)
    assert {hit.id for hit in hits} == set(WORLD) - {"lion-snow", "dog"}
    assert [hit.rank for hit in hits] == [1, 2, 3]
    assert {hit.id for hit in space.search(point.vector, "words", exclude=point)} == set(WORDS) - {"dog"}


def test_the_context_is_that_of_the_whole_bank(space):
    vector = space.point("lion + 0.5*snow").vector
    context, hits = space.context(vector, "words"), space.search(vector, "words", 99)
    cosines = [hit.cosine for hit in hits]
    np.testing.assert_allclose(sorted(space.cosines(vector, "words"), reverse=True), cosines, atol=1e-6)
    assert context.count == len(WORDS) and context.counts.sum() == len(WORDS)
    assert replace(context.best, z=0) == replace(hits[0], z=0) and context.best.z == pytest.approx(hits[0].z, abs=1e-5)
    assert context.mean == pytest.approx(np.mean(cosines), abs=1e-6)
    assert context.std == pytest.approx(np.std(cosines), abs=1e-6)
    assert [hit.z for hit in hits] == pytest.approx((cosines - np.mean(cosines)) / np.std(cosines), abs=1e-4)


def test_texts_for_other_uses_come_from_the_same_places(space, asked, axes):
    texts = ["zebra", "lion", "zebra", "dog"]
    np.testing.assert_allclose(space.embed_texts(texts), axes.embed_texts(texts), atol=1e-3)
    assert asked.texts == ["zebra"]


def test_only_some_rows_are_searched_and_judged_by(space):
    vector = space.point("snow").vector
    every = space.search(vector, "pictures", 100)
    rows = np.array(sorted(space.collection.row(hit.id) for hit in every[::2]))
    some, context = space.search(vector, "pictures", 100, among=rows), space.context(vector, "pictures", rows)
    assert [hit.id for hit in some] == [hit.id for hit in every if space.collection.row(hit.id) in rows]
    assert context.count == len(rows) and context.best.id == some[0].id
    np.testing.assert_allclose(context.mean, space.cosines(vector, "pictures")[rows].mean(), atol=1e-6)
    assert space.search(vector, "pictures", 5, among=rows[:0]) == []


def test_a_collection_of_texts_has_no_pictures(assets, axes, asked):
    build_world(assets, axes.embed_texts)
    words = Space.open(collection="words", embedder=asked)
    with pytest.raises(InputError, match="words holds texts only"):
        words.search(words.point("lion").vector)
    named = words.point("@lion")
    assert named.vector.tolist() == words.point("lion").vector.tolist() and not named.terms[0].is_picture


def test_unknown_names_are_told_and_never_become_paths(assets, axes):
    build_world(assets, axes.embed_texts)
    (assets / "collections" / "no-collection").mkdir()
    assert list(shelves.folders()) == ["background", "emoji-world", "words"]
    for name in ("", "..", "../collections/words", "no-collection"):
        with pytest.raises(InputError, match="choose one of: background, emoji-world, words"):
            Space.open(collection=name)
    with pytest.raises(InputError, match="no model 'other'"):
        Space.open(model="other")


def test_banks_of_different_revisions_do_not_mix(assets, axes):
    build_world(assets, axes.embed_texts)
    words = Collection.open(assets / "made/words")
    words.add_embeddings("emoji", "r2", "captions", axes.embed_texts(WORDS))
    shutil.rmtree(assets / "collections/words")
    words.publish(assets / "collections/words")
    with pytest.raises(InputError, match="emoji-world is embedded by revision r1 .*, and words has r2; embed all"):
        Space.open()


def test_a_bank_that_is_not_embedded_is_told(assets, axes):
    build_world(assets, axes.embed_texts)
    other = replace(catalog.get("emoji"), key="other")
    banks = [Collection.open(assets / "collections" / name) for name in ("emoji-world", "words", "background")]
    with pytest.raises(InputError, match="emoji-world is not embedded by the model other; it is by: emoji"):
        Space(other, *banks)


# From here on with a real model, as the app has it.


@pytest.fixture(scope="module")
def real_assets(tmp_path_factory):
    """An assets folder with a small CLIP and collections embedded by it."""
    folder = tmp_path_factory.mktemp("assets")
    embedder = Embedder.load(build_tiny_clip(folder / "models/emoji/clip"), device="cpu")
    build_world(folder, embedder.embed_texts, embedder.revision)
    return folder


def run_elsewhere(script, **environment):
    """What a script prints last, as JSON, in a process of its own."""
    environment = {**os.environ, **environment}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True, timeout=120
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_stored_terms_answer_without_torch_and_new_ones_with_it(real_assets):
    script = """
import json, sys
from clipexplore import Space
space = Space.open()
point = space.point("@man-top-hat - @man + lion")
words = [hit.caption for hit in space.search(point.vector, "words", exclude=point)]
space.context(point.vector), space.search(point.vector), space.embed_texts(["dog", "a dog in the snow"])
heavy = ["torch", "transformers", "sklearn", "umap"]
before = [name for name in heavy if name in sys.modules]
new = space.point("a zebra in the night at the left of a lion in the deep dark jungle in the snow")
print(json.dumps([words, before, "torch" in sys.modules, new.terms[0].truncated]))
"""
    words, before, torch_then, truncated = run_elsewhere(script, CLIPEXPLORE_ASSETS=str(real_assets))
    assert sorted(words) == sorted(set(WORDS) - {"man", "lion"})  # @man is a word's id too
    assert before == []
    assert torch_then
    assert truncated


def test_the_model_is_loaded_once_for_all_threads(real_assets, monkeypatch):
    bundle(real_assets, monkeypatch)
    space, loads, load = Space.open(), [], Embedder.load
    monkeypatch.setattr(
        Embedder, "load", lambda folder, **more: (loads.append(threading.get_ident()), load(folder, **more))[1]
    )
    with ThreadPoolExecutor(4) as pool:
        points = list(pool.map(space.point, ["zebra"] * 8))
    assert len(loads) == 1
    for point in points:
        np.testing.assert_allclose(point.vector, points[0].vector, atol=2e-6)


def test_a_model_that_did_not_make_the_vectors_is_told(real_assets, assets, axes):
    build_world(assets, axes.embed_texts, "r1")
    (assets / "models/emoji").mkdir(parents=True)
    (assets / "models/emoji/clip").symlink_to(real_assets / "models/emoji/clip")
    space = Space.open()
    with pytest.raises(InputError, match="emoji-world is embedded by revision r1 .*, and the model in .* has"):
        space.point("zebra")
    assert space.point("lion").length == pytest.approx(1, abs=1e-6)


def test_each_name_is_worked_out_once_however_often_it_is_used(space, asked):
    names = "n0 = zebra\n" + "\n".join(f"n{n} = @n{n - 1} + @n{n - 1}" for n in range(1, 200))
    point = space.with_names(define(names)).point("@n199 + yak")
    assert asked.texts == ["zebra", "yak"]
    np.testing.assert_allclose(point.terms[0].vector, asked.axes.embed_texts(["zebra"])[0], atol=1e-6)


def test_many_vectors_are_searched_in_one_pass(space):
    vectors = np.stack([space.point(each).vector for each in ("lion", "snow", "man")])
    assert space.search(vectors, "words", 3) == [space.search(vector, "words", 3) for vector in vectors]


def test_what_was_computed_is_remembered(space, asked):
    first = space.point("zebra + lion")
    np.testing.assert_array_equal(space.with_names({}).point("zebra + lion").vector, first.vector)
    assert asked.texts == ["zebra"] and first.terms[0].tokens == 3
