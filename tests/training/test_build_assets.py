"""What is made for the product: a collection whose ids can be written down, and texts that answer the pages' first
views.
"""

import json

import numpy as np
import pandas as pd
import pytest

from clipexplore import links
from clipexplore.expression import Term, parse
from clipexplore.images import open_picture
from clipexplore.labs.lexicon import Lexicon
from clipexplore.labs.zeroshot import class_embeddings
from clipexplore.settings import settings
from clipexplore.store.collection import Collection
from clipexplore.training import build_assets, captions
from clipexplore.training.places import COLOURS, PLACES
from clipexplore.training.scenes import EYEWEAR, HEADWEAR, WEARERS, alone, draw, dressed
from clipexplore.training.things import things
from clipexplore.training.words import bank

EXPRESSIONS = ("q", "image", "points", "stops", "pairs")  # the keys that hold expressions, one a line


def states():
    """What every page can be asked without typing: its defaults, and each example on top of them."""
    examples = json.loads((settings().assets / "examples.json").read_text(encoding="utf-8"))
    return [
        defaults | example["set"]
        for page, defaults in links.PAGES.items()
        for example in [{"set": {}}, *examples.get(page, ())]
    ]


def terms(state):
    lines = [line for key in EXPRESSIONS for line in str(state.get(key, "")).splitlines()]
    return [term for line in lines for term in parse(line).terms]


class Counting:
    """An embedder whose vectors count letters, or the brightness of a picture's rows."""

    revision = "0123456789ab"

    def embed_texts(self, texts):
        return self._unit(
            [[text.lower().count(letter) + 0.01 for letter in "abcdefghijklmnopqrstuvwxyz"] for text in texts]
        )

    def embed_images(self, pictures):
        return self._unit([np.asarray(picture.convert("L").resize((1, 26)), float)[:, 0] + 1 for picture in pictures])

    def project_texts(self, texts):
        return self.embed_texts(texts) * np.array([[3.0 + len(text)] for text in texts])

    def project_images(self, pictures):
        return 2 * self.embed_images(pictures)

    def _unit(self, rows):
        rows = np.array(rows, np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_the_texts_of_all_first_views_are_stored():
    """So that they answer before any model is loaded: the texts of expressions, and whatever classifying embeds."""
    stored = set(build_assets.page_texts())
    assert {term.text for state in states() for term in terms(state) if not term.is_id} <= stored
    asked = []
    for state in (state for state in states() if "class_names" in state):
        embed = lambda texts: asked.extend(texts) or np.ones((len(texts), 2))  # noqa: E731
        class_embeddings(embed, state["class_names"].splitlines(), state["templates"].splitlines())
    assert asked and set(asked) <= stored


def test_each_text_of_a_page_is_stored_once():
    assert len(build_assets.page_texts()) == len(set(build_assets.page_texts()))


@pytest.mark.usefixtures("world")
class TestEmojiWorld:
    @pytest.fixture
    def world_by_id(self):
        return dict(build_assets.emoji_world())

    def test_ids_are_unique(self, world_by_id):
        assert len(world_by_id) == len(build_assets.emoji_world()) >= 1500

    def test_ids_can_be_written_in_an_expression(self, world_by_id):
        for id in world_by_id:
            assert parse(f"@{id} - @{id}-2").terms == (Term(id, 1.0, True), Term(f"{id}-2", -1.0, True))
            assert id == id.lower() and not id.startswith("up-")  # which are uploads

    def test_it_holds_what_pages_and_readme_speak_of(self, world_by_id):
        assert {"man-top-hat", "man", "lion-jungle-07", "lion-snow-07"} <= set(world_by_id)
        assert {term.text for state in states() for term in terms(state) if term.is_id} <= set(world_by_id)

    def test_ids_say_what_is_there(self, world_by_id):
        worn = world_by_id["man-top-hat"]
        assert (worn.worn("wearer"), worn.worn("headwear"), worn.place, worn.background) == (
            "man",
            "top hat",
            None,
            None,
        )
        assert captions.literal(world_by_id["lion-jungle-07"]) == "a lion in the jungle"
        assert captions.literal(world_by_id["red-automobile"]) == "a red automobile"

    def test_everybody_wears_everything_at_the_same_place(self, world_by_id):
        wearers = [one for one in world_by_id.values() if one.kind == "worn"]
        wanted = {(w, h, None) for w in WEARERS for h in (None, *HEADWEAR)} | {
            (w, None, e) for w in WEARERS for e in EYEWEAR
        }
        assert {(one.worn("wearer"), one.worn("headwear"), one.worn("eyewear")) for one in wearers} == wanted
        assert len({(one.items[0].name, one.items[0].box) for one in wearers}) == len(WEARERS)

    def test_every_thing_place_colour_count_and_relation_is_there(self, world_by_id):
        scenes = world_by_id.values()
        assert {item.name for one in scenes for item in one.items} == {thing.name for thing in things()}
        assert {one.place for one in scenes} == {None, *PLACES}
        assert {one.items[0].colour for one in scenes} == {None, *COLOURS}
        assert {one.count for one in scenes} == {1, 2, 3, 4, 5}
        assert {one.relation for one in scenes} == {None, "left", "right", "above", "below"}

    def test_the_same_thing_in_two_places_differs_in_the_place(self, world_by_id):
        for place in ("jungle", "snow"):
            assert sum(one.place == place and one.items[0].name == "lion" for one in world_by_id.values()) >= 8

    def test_it_is_the_same_every_time(self, world_by_id):
        assert world_by_id == dict(build_assets.emoji_world())

    def test_fields_describe_the_scene(self):
        one = dressed(1, "man", "top hat", "glasses", "snow", None, "red")
        row = build_assets.fields(one)
        assert (row["kind"], row["thing"], row["wearer"], row["headwear"], row["eyewear"]) == (
            "worn",
            "man",
            "man",
            "top hat",
            "glasses",
        )
        assert (row["group"], row["category"], row["place"], row["background"], row["count"]) == (
            "People & Body",
            "person",
            "snow",
            None,
            1,
        )
        boxes = [box.rsplit(" ", 4) for box in row["boxes"].split("; ")]
        assert [(name, tuple(map(int, numbers))) for name, *numbers in boxes] == [
            (item.name, item.box) for item in one.items
        ]

    def test_a_map_is_coloured_by_a_field_at_first(self):
        assert links.PAGES["map"]["color"] in build_assets.fields(alone(1, "lion"))


@pytest.mark.usefixtures("world")
class TestTexts:
    def test_background_captions_are_different_and_the_same_every_time(self):
        texts = build_assets.background_captions(300)
        assert len(texts) == len(set(texts)) == 300 and texts == build_assets.background_captions(300)
        assert build_assets.background_captions(100) == texts[:100]

    def test_they_are_sentences_mostly(self):
        known = set(captions.vocabulary())
        assert np.mean([text in known for text in build_assets.background_captions(500)]) < 0.3


@pytest.mark.usefixtures("world")
class TestCollections:
    @pytest.fixture
    def small_world(self, monkeypatch):
        world = [
            ("man-top-hat", dressed(1, "man", "top hat", None, None, None)),
            ("lion-jungle-01", alone(2, "lion", "jungle")),
            ("red-rose", alone(3, "rose", colour="red")),
        ]
        monkeypatch.setattr(build_assets, "emoji_world", lambda: world)
        return world

    def test_texts(self, tmp_path):
        build_assets.texts_collection(tmp_path, "words", "Words", ["cat", "dog"], Counting())
        made = Collection.open(tmp_path / "words")
        assert (made.name, made.title, made.captions, made.has_pictures) == ("words", "Words", ["cat", "dog"], False)
        np.testing.assert_allclose(
            made.embeddings("emoji", "captions"), Counting().embed_texts(["cat", "dog"]), atol=2e-3
        )
        assert made.revision("emoji") == Counting.revision and len(set(made.ids)) == 2

    def test_pictures(self, tmp_path, small_world):
        build_assets.pictures_collection(tmp_path, Counting())
        made = Collection.open(tmp_path / "emoji-world")
        assert made.ids == [id for id, _ in small_world]
        assert made.captions == ["a man with a top hat", "a lion in the jungle", "a red rose"]
        assert made.fields["place"].tolist()[1] == "jungle" and pd.isna(made.fields["place"][0])
        stored = [open_picture(made.picture(id)) for id in made.ids]
        for picture, (_, one) in zip(stored, small_world, strict=True):
            assert picture.size == (128, 128)
            assert np.abs(np.asarray(picture, float) - np.asarray(draw(one), float)).mean() < 6  # WebP loses a little
        np.testing.assert_allclose(made.embeddings("emoji", "pictures"), Counting().embed_images(stored), atol=2e-3)
        np.testing.assert_allclose(
            made.embeddings("emoji", "captions"), Counting().embed_texts(made.captions), atol=2e-3
        )
        np.testing.assert_allclose(made.lengths("emoji", "pictures"), 2, rtol=1e-6)
        np.testing.assert_allclose(
            made.lengths("emoji", "captions"), [3 + len(caption) for caption in made.captions], rtol=1e-6
        )

    def test_all_of_it(self, tmp_path, small_world, monkeypatch):
        monkeypatch.setattr(build_assets, "BACKGROUND_CAPTIONS", 60)
        monkeypatch.setattr(build_assets, "fit_umap", lambda vectors: vectors[:, :2].copy())
        monkeypatch.setattr(build_assets.Embedder, "load", lambda folder: Counting())
        monkeypatch.setattr("sys.argv", ["build_assets", "--assets", str(tmp_path)])
        (tmp_path / "collections" / "left-over").mkdir(parents=True)
        (judge := tmp_path / "training" / "judge").mkdir(parents=True)
        (judge / build_assets.WEIGHTS).write_bytes(b"the weights of the second model")
        build_assets.main()
        assert sorted(path.name for path in (tmp_path / "collections").iterdir()) == [
            "background",
            "emoji-world",
            "words",
        ]
        world, words, background = (
            Collection.open(tmp_path / "collections" / name) for name in ("emoji-world", "words", "background")
        )
        assert words.fields["source"].value_counts().to_dict() == {"captions": 2596, "emojilib": 1795}
        assert words.captions == bank() and set(build_assets.page_texts()) <= set(background.captions)
        assert len(background) == len(set(background.captions)) > 60
        np.testing.assert_allclose(
            background.coordinates("emoji", "umap"),
            background.embeddings("emoji", "captions")[:, :2],
            rtol=2e-3,
            atol=1e-6,
        )
        assert world.coordinates("emoji", "umap").shape == (len(small_world), 2)
        assert Lexicon.load(tmp_path / "lexicon.npz", background.captions).window == links.PAGES["words"]["window"]
        assert {each.revision("emoji") for each in (world, words, background)} == {Counting.revision}
