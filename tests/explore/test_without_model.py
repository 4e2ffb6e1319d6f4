"""Collections with vectors of a model that is not here: what is asked of their own items is answered."""

import numpy as np
import pytest

from clipexplore import Space
from clipexplore.__main__ import main
from clipexplore.errors import InputError, MissingError
from clipexplore.explore import components
from clipexplore.explore.arithmetic import arithmetic
from clipexplore.explore.classify import classify
from clipexplore.explore.collections import duplicates, outliers
from clipexplore.explore.gap import gap
from clipexplore.explore.interpolate import walk
from clipexplore.explore.map import grouped, lay_out, region_of
from clipexplore.explore.match import match
from clipexplore.explore.search import search
from clipexplore.vectors import normalize

PAIRS, DIM = 60, 24


@pytest.fixture
def pairs(tmp_path, home):
    """A space of pairs without pictures, every third one without a caption; and the vectors of both kinds."""
    shared, pictures, texts = normalize(np.random.default_rng(0).normal(size=(3 * PAIRS, DIM))).reshape(3, PAIRS, DIM)
    pictures, texts = normalize(shared + 0.5 * pictures + 0.3), normalize(shared + 0.5 * texts - 0.3)
    captions = [f"caption {n}" if n % 3 else "" for n in range(PAIRS)]
    np.savez(
        tmp_path / "v.npz",
        image_vectors=pictures,
        text_vectors=texts,
        caption=captions,
        id=[f"n{n}" for n in range(PAIRS)],
    )
    assert main(["index", str(tmp_path / "v.npz"), "--name", "Pairs", "--model", "unnamed"]) == 0
    return Space.open("unnamed", "pairs"), pictures, texts


def test_items_search_and_are_found(pairs):
    space, pictures, texts = pairs
    assert (space.can_embed, space.searchable, space.kind, space.has_background) == (
        False,
        ["pictures", "captions"],
        "pictures",
        False,
    )
    for what, found in (("pictures", pictures), ("captions", texts)):
        difference = normalize(pictures[7] - pictures[2])
        expected = np.argsort(-(found @ difference))[:5]
        assert [hit.id for hit in search(space, "@n7 - @n2", what, 5).hits] == [f"n{row}" for row in expected]
    own = search(space, "caption 7", "captions", 1).hits[0]
    assert (own.id, own.name) == ("n7", "caption 7") and own.cosine == pytest.approx(1, abs=1e-6)
    assert arithmetic(space, "@n7 - @n2", bank="captions").pictures[0].kind == "pictures"
    assert [hit.kind for hit in walk(space, ["@n1", "@n2"], 5).captions] == ["captions"] * 5


def test_pairs_match_without_a_caption_too(pairs):
    space, pictures, texts = pairs
    whole = match(space, n=PAIRS)
    logits = 100 * pictures @ texts.T
    loss = -np.mean([np.diag(each - np.log(np.exp(each).sum(axis=1, keepdims=True))) for each in (logits, logits.T)])
    assert whole.loss == pytest.approx(loss, rel=1e-4) and len(whole.batch.images) == PAIRS
    assert gap(space).length == pytest.approx(np.linalg.norm(pictures.mean(0) - texts.mean(0)), abs=1e-5)


def test_maps_components_and_clusters(pairs):
    space, pictures, texts = pairs
    layout = lay_out(space)
    centred = pictures - pictures.mean(axis=0)
    right = np.linalg.svd(centred, full_matrices=False)[2]
    np.testing.assert_allclose(np.abs(layout.coordinates), np.abs(centred @ right[:2].T), atol=1e-4)
    groups, names = grouped(space, layout, "k-means", 4)
    assert {*groups} == {0, 1, 2, 3} and len({*names} & {*space.collection.captions} | {*space.collection.ids}) > 3
    assert region_of(space, layout, "@n3", np.arange(PAIRS)).row == 3
    assert components.clouds(space) == ["pictures", "captions", "both"]
    assert components.walk(space, "both").low_words[0].kind == "captions"
    assert len(outliers(space, 3).hits) == 3 and duplicates(space, 0.99).hits == []


@pytest.mark.parametrize(
    "ask",
    [
        lambda space: space.point("a dog in the snow"),
        lambda space: classify(space, ["@n1"], ["cat", "dog"]),
    ],
)
def test_what_needs_the_model_says_so(pairs, ask):
    with pytest.raises(InputError, match="Nobody has said which model"):
        ask(pairs[0])


def test_the_pictures_are_not_here(pairs):
    space, _pictures, _texts = pairs
    assert space.said_of("n1") == "caption 1" and space.said_of("n3") == "@n3"
    with pytest.raises(MissingError, match="only vectors of them"):
        space.picture("n1")


def test_vectors_of_texts_alone_are_items_too(tmp_path, home):
    vectors = np.random.default_rng(1).normal(size=(40, DIM)).astype(np.float32)
    np.save(tmp_path / "v.npy", vectors)
    main(["index", str(tmp_path / "v.npy"), "--name", "alone", "--model", "unnamed"])
    space = Space.open("unnamed", "alone")
    assert (space.kind, space.searchable) == ("captions", ["captions"])
    point = space.point("@v-000003 - @v-000009")
    np.testing.assert_allclose(point.vector, normalize(normalize(vectors)[2] - normalize(vectors)[8]), atol=1e-6)
    assert not point.terms[0].is_picture and point.weight_of_pictures == 0
    assert search(space, "@v-000003", "captions", 1).hits[0].name == "@v-000003"
    assert lay_out(space).coordinates.shape == (40, 2)
    assert lay_out(space, "own", fit="collection").coordinates.shape == (40, 2)
    with pytest.raises(InputError, match="texts only"):
        match(space)


def test_a_model_that_left_is_explored_by_its_key_and_as_unnamed(tmp_path, home):
    np.savez(tmp_path / "v.npz", text_vectors=np.random.default_rng(1).normal(size=(30, 512)), text=["x", ""] * 15)
    main(["index", str(tmp_path / "v.npz"), "--name", "b32", "--model", "clip-b32"])
    one, other = (Space.open(model, "b32") for model in ("clip-b32", "unnamed"))
    assert one.revision == other.revision and one.searchable == other.searchable == ["captions"]
    np.testing.assert_array_equal(one.point("@v-000002").vector, other.point("@v-000002").vector)
    with pytest.raises(MissingError, match="models get clip-b32"):
        one.point("y")
    with pytest.raises(MissingError, match="Emoji World has no vectors of an unnamed model"):
        Space.open("unnamed", "emoji-world")


def test_genuine_pairs_have_the_gap_that_others_have_computed(test_data, home):
    source = test_data / "genuine_vitb16_coco_pairs.npz"
    main(["index", str(source), "--name", "Pairs", "--model", "unnamed"])
    found, given = gap(Space.open("unnamed", "pairs")), np.load(source)
    images, texts = (
        each / np.linalg.norm(each, axis=1, keepdims=True) for each in (given["image_vectors"], given["text_vectors"])
    )
    cosines, right = images @ texts.T, np.arange(len(images))
    assert found.length == pytest.approx(np.linalg.norm(images.mean(0) - texts.mean(0)), abs=1e-5)
    assert (
        found.by_picture == (cosines.argmax(1) == right).mean()
        and found.by_caption == (cosines.argmax(0) == right).mean()
    )
    assert (round(found.length, 3), round(found.loss, 3)) == (0.850, 1.389)


def test_vectors_said_to_be_of_a_sigmoid_are_matched_by_one(pairs, tmp_path):
    """The catalogue knows how SigLIP was trained, under its key and where the collection is explored as unnamed."""
    assert (pairs[0].scale.logit_scale, pairs[0].scale.logit_bias, pairs[0].scale.learned) == (100, None, False)
    vectors = normalize(np.random.default_rng(0).normal(size=(2 * PAIRS, 768))).reshape(2, PAIRS, 768)
    captions, ids = [f"caption {n}" for n in range(PAIRS)], [f"n{n}" for n in range(PAIRS)]
    np.savez(tmp_path / "s.npz", image_vectors=vectors[0], text_vectors=vectors[1], caption=captions, id=ids)
    assert main(["index", str(tmp_path / "s.npz"), "--name", "Sigmoid", "--model", "siglip2-b16"]) == 0
    for key in ("siglip2-b16", "unnamed"):
        space = Space.open(key, "sigmoid")
        assert not space.can_embed and tuple(space.scale) == (10.0, -10.0, False)
        signs = 2 * np.eye(PAIRS) - 1
        loss = np.log1p(np.exp(-signs * (10 * vectors[0] @ vectors[1].T - 10))).sum(axis=1).mean()
        assert match(space, n=PAIRS).loss == pytest.approx(loss, rel=1e-3)
