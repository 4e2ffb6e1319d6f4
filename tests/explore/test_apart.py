"""Points of the bundled world as sums of words."""

import numpy as np
import pytest

from clipexplore import Space
from clipexplore.errors import InputError
from clipexplore.explore.apart import apart, beside, centred
from clipexplore.expression import parse
from clipexplore.vectors import normalize


@pytest.fixture(scope="module")
def bank(space):
    """The words that captions are made of; others are only said of things."""
    return space.words.embeddings("emoji", "captions")[(space.words.fields["source"] == "captions").to_numpy()]


@pytest.mark.parametrize("q", ["@lion-snow-07", "@man-top-hat - @man", "@cat-face + crown", "man - boy + girl"])
def test_the_sum_is_an_expression_that_is_as_near_as_it_says(space, q):
    found = apart(space, q)
    assert parse(str(found.sum)) == found.sum and 1 <= len(found.sum.terms) <= 8
    assert all(term.weight > 0 and not term.is_id for term in found.sum.terms)
    assert beside(space, q, str(found.sum)).cosine == pytest.approx(found.cosines[-1], abs=2e-3)
    assert len(found.cosines) == len(found.sum.terms) == len(found.without)


def test_words_of_what_is_there_come_first(space):
    crowned = [term.text for term in apart(space, "@cat-face-crown").sum.terms[:5]]
    assert "crown" in crowned and {"cat", "kitty", "cat face"} & set(crowned)


def test_words_that_are_only_said_of_things_are_left_out(space):
    said = {space.words.captions[row] for row in np.flatnonzero(space.words.fields["source"] == "emojilib")}
    found = apart(space, "@penguin-snow-01", terms=16)
    assert len(said) > 1000 and not said & {term.text for term in found.sum.terms}
    assert not said.intersection(*[each.instead for each in found.without])


def test_a_word_of_the_bank_is_itself(space):
    found = apart(space, "lion")
    assert str(found.sum) == "lion" and found.cosines[-1] == pytest.approx(1) and not found.pictures
    assert found.without[0].instead and found.without[0].stay == 1


def test_signed_weights_come_nearer(space):
    positive, signed = (apart(space, "@lion-snow-07", signed=each) for each in (False, True))
    assert signed.cosines[-1] > positive.cosines[-1] and any(term.weight < 0 for term in signed.sum.terms)


def test_the_mean_of_its_kind_is_taken_from_each_term(space, bank):
    pictures = space.collection.embeddings("emoji", "pictures").mean(axis=0)
    words = bank.mean(axis=0)
    point = space.point("2*@lion - snow")
    np.testing.assert_allclose(
        centred(space, point) * point.length, point.vector * point.length - 2 * pictures + words, atol=1e-5
    )
    difference = space.point("@man-top-hat - @man")
    np.testing.assert_allclose(centred(space, difference), difference.vector, atol=1e-6)


def test_names_count_as_what_they_stand_for(space):
    named = space.with_names({"cold": parse("@lion-snow-07 - jungle"), "colder": parse("@cold + @cold - desert")})
    plain = centred(space, space.point("@lion-snow-07 + snow"))
    also = space.with_names({"it": parse("@lion-snow-07 + snow")})
    np.testing.assert_allclose(centred(also, also.point("@it")), plain, atol=1e-6)
    lengths = space.point("@lion-snow-07 - jungle").length * named.point("@cold + @cold - desert").length
    assert named.point("@colder + snow").weight_of_pictures == pytest.approx(2 / lengths)


def test_what_comes_in_for_a_word_was_not_there(space):
    found = apart(space, "@lion-snow-07")
    words = [term.text for term in found.sum.terms]
    for each in found.without:
        assert each.word in words and not {each.word, *words} & set(each.instead)
        assert 0 <= each.stay <= 1 and each.cosine <= 1
    assert found.stability == pytest.approx(np.mean([each.stay for each in found.without]))


def test_what_is_left_is_a_picture_that_can_be_drawn(space, bank):
    found = apart(space, "@lion-snow-07", terms=3)
    assert not found.remainder.of_texts.any() and found.remainder.weight_of_pictures == 1
    words = space.embed_texts([term.text for term in found.sum.terms]) - bank.mean(axis=0)
    pictures = space.collection.embeddings("emoji", "pictures")
    sum = np.array([term.weight for term in found.sum.terms]) @ words
    left = pictures[space.collection.row("lion-snow-07")] - pictures.mean(axis=0) - sum
    np.testing.assert_allclose(found.remainder.vector, normalize(pictures.mean(axis=0) + left), atol=0.02)
    cosines = pictures @ normalize(left)
    assert found.pictures[0].id == space.collection.ids[int(cosines.argmax())]
    assert found.pictures[0].cosine == pytest.approx(cosines.max(), abs=0.02)


def test_texts_alone_are_taken_apart_by_the_pictures_of_the_world():
    texts = Space.open(collection="background")
    found = apart(texts, "@lion-snow-07")
    assert found.sum == apart(texts, "@lion-snow-07").sum and found.remainder is None and not found.pictures
    assert beside(texts, "lion", "lion + snow").pictures == []


def test_what_has_no_direction_is_a_sentence(space):
    with pytest.raises(InputError, match="terms cancel out"):
        apart(space, "lion - lion")
    with pytest.raises(InputError, match="A sum of 0 terms is none"):
        apart(space, "lion", terms=0)
