"""The two bundled models, compared."""

import numpy as np
import pytest

from clipexplore import Space
from clipexplore.errors import InputError
from clipexplore.explore.two import agreement, in_both
from clipexplore.images import small_copy
from clipexplore.names import define


@pytest.fixture(scope="module")
def found(space):
    return agreement(space)


def test_two_trainings_find_the_same_geometry_turned(found):
    assert abs(found.unturned) < 0.1 and found.turned.held_out["pictures"] > 0.6
    assert found.neighbours > 20 * found.chance and 0.5 < found.alignment.debiased <= found.alignment.cka < 1
    for figures in found.models:
        assert figures.dim == 512 and figures.gap > 0.3 and min(figures.by_picture, figures.by_caption) > 0.9
    assert [figures.model for figures in found.models] == ["emoji", "emoji-2"]


def test_the_ranking_leads_from_what_they_disagree_about_to_what_they_agree_about(found, space):
    assert len(found.rows) == len(space.collection) and sorted(found.ranking) == found.rows.tolist()
    shared = dict(zip(found.rows, found.shared, strict=True))
    assert (np.diff([shared[row] for row in found.ranking]) >= 0).all()


def test_both_ways_the_neighbours_are_the_same_ones(found):
    back = agreement(Space.open("emoji-2"), "emoji")
    np.testing.assert_allclose(back.shared, found.shared)
    assert back.alignment.debiased == pytest.approx(found.alignment.debiased, abs=1e-6)


def test_one_expression_in_both_spaces(space):
    found = in_both(space, "@man-top-hat - @man", k=5, what="words")
    assert found.hits[0].caption == "top hat" == found.theirs[0].caption
    assert found.shared == len({hit.id for hit in found.hits} & {hit.id for hit in found.theirs}) >= 1
    theirs = Space.open("emoji-2")
    np.testing.assert_array_equal(found.points[1].vector, theirs.point("@man-top-hat - @man").vector)


def test_names_and_uploads_are_those_of_both(space):
    pictures = {"up-0123456789ab": small_copy(space.picture("penguin"))}
    own = space.with_names(define("cold = snow - desert"), pictures)
    theirs = own.seen_by("emoji-2")
    again = theirs.point("@up-0123456789ab").vector
    assert again @ Space.open("emoji-2").point("@penguin").vector > 0.99
    np.testing.assert_allclose(theirs.point("@cold").vector, Space.open("emoji-2").point("snow - desert").vector)


def test_a_model_that_has_not_embedded_it_is_told(space):
    with pytest.raises(InputError, match="clip-b32"):
        in_both(space, "lion", "clip-b32")
