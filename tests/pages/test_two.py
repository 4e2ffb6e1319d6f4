"""The page that compares two models."""

import numpy as np
import pytest
from helpers import captions, cloud, errors, examples, figure, follow, metrics, numbers, open_page, settled, values

from clipexplore import Space
from clipexplore.explore.two import agreement, in_both


@pytest.fixture(scope="module")
def page():
    return settled(open_page("two"))


def compared(app) -> list[str]:
    """The keys of the buttons below what the two disagree about, in order."""
    return [each.key.removeprefix("two-") for each in app.button if each.label == "Compare"]


def test_both_spaces_and_how_far_they_agree(page, space):
    both, found = in_both(space, "lion + snow"), agreement(space)
    assert f"**{both.shared}** of 12 are among the nearest of both" in captions(page)
    assert captions(page).count("**●** ") == 2 * both.shared + 1
    for hit in (*both.hits, *both.theirs):
        assert f"{hit.cosine:.3f}  \n@{hit.id}" in captions(page)
    shown = metrics(page)
    assert shown["shared neighbours"] == f"{found.neighbours:.0%}"
    assert shown["CKA, debiased"] == f"{found.alignment.debiased:.3f}" and shown["CKA"] == f"{found.alignment.cka:.3f}"
    assert shown["once turned, pictures"] == f"{found.turned.held_out['pictures']:.3f}"
    assert f"have cosine {found.unturned:.3f} as they are" in captions(page)
    table = page.table[0].value
    assert table.index.tolist() == ["Emoji World", "Emoji World, another training"]
    assert table["modality gap"].tolist() == [f"{each.gap:.3f}" for each in found.models]


def test_the_map_is_coloured_by_disagreement_and_the_list_begins_with_most(page, space):
    found, drawn = agreement(space), cloud(page)
    assert drawn["heat"]["title"] == "share of neighbours that the two do not share"
    wanted = np.rint((1 - found.shared - (1 - found.shared).min()) / np.ptp(found.shared) * 254)
    np.testing.assert_array_equal(drawn["colors"], wanted.astype(np.uint8))
    assert compared(page) == [str(row) for row in found.ranking[:12]]


def test_a_picture_of_the_list_is_compared_above(space):
    app = settled(open_page("two"))
    first = compared(app)[0]
    app = settled(app.button(key=f"two-{first}").click().run())
    id = space.collection.ids[int(first)]
    assert app.session_state["q"] == f"@{id}" and not errors(app)
    assert f"**{in_both(space, f'@{id}').shared}** of 12" in captions(app)


def test_a_region_of_the_map_keeps_the_list_to_what_is_in_it(space):
    app = settled(open_page("two", {"region": "-2 -2, 0 -2, 0 2, -2 2"}))
    held = set(np.flatnonzero(cloud(app)["places"][:, 0] < 0).tolist())
    shown = [int(row) for row in compared(app)]
    assert shown == [row for row in agreement(space).ranking.tolist() if row in held][:12]
    assert values(settled(follow(app, "two")), "two") == values(app, "two")


def test_words_and_the_other_way_round():
    app = settled(open_page("two", {"model": "emoji-2", "q": "kitten", "in": "words", "of": "captions"}))
    assert app.session_state["other"] == "emoji" and not errors(app)
    assert captions(app).count("has never learned “kitten”") == 1
    result = in_both(Space.open("emoji-2"), "kitten", "emoji", "words")
    for key, hits in (("two-emoji-2", result.hits), ("two-emoji", result.theirs)):
        np.testing.assert_allclose(numbers(figure(app, key)["values"]), [hit.cosine for hit in hits], atol=1e-6)


def test_a_model_that_is_not_here_is_told():
    app = open_page("two", {"other": "clip-b32"})
    assert [each.endswith("clipexplore models get clip-b32") for each in errors(app)] == [True] and not app.metric


@pytest.mark.slow
def test_every_example_is_compared():
    app = settled(open_page("two"))
    for number, _example in enumerate(examples("two")):
        app = settled(app.button(key=f"example-two-{number}").click().run())
        assert not errors(app) and len(compared(app)) == 12
