import pytest
from helpers import captions, click, errors, examples, figures, follow, labels, open_page, settled, values

from clipexplore import Space, links
from clipexplore.labs.semantics import cooccurrence, factorized, lsa, nearest_words, ppmi, term_document

BARS = ["words-lsa", "words-ppmi", "words-clip"]


@pytest.fixture(scope="module")
def learned():
    terms = term_document(Space.open().background.captions)
    return lsa(terms, 100).space, factorized(ppmi(cooccurrence(terms, 4)), terms.words, 100)


def test_the_default_view_is_that_of_the_library(learned):
    app, space = settled(open_page("words")), Space.open()
    assert values(app, "words") == links.PAGES["words"] and not errors(app)
    assert figures(app) == ["words-before", "words-after", *BARS]
    for vectors, key in zip(learned, BARS, strict=False):
        assert labels(app, key) == [
            near.text for near in nearest_words(vectors, [(1, "man"), (-1, "boy"), (1, "girl")], 10)
        ]
    point = space.point("man - boy + girl")
    assert labels(app, "words-clip") == [hit.caption for hit in space.search(point.vector, "words", 10, exclude=point)]
    assert f"{len(space.background):,} texts" in captions(app)


def test_the_default_view_answers_at_once():
    """From what is shipped: the lane is not asked. Another window, and a higher rank, are learned there."""
    app = open_page("words")
    assert figures(app) == ["words-before", "words-after", *BARS] and "fit-words" not in app.session_state
    assert "fit-words" not in open_page("words", {"rank": "30"}).session_state
    assert (
        "fit-words" in open_page("words", {"window": "5"}).session_state
        and "fit-words" in open_page("words", {"rank": "101"}).session_state
    )


def test_names_are_asked_by_what_they_stand_for():
    named, plain = (
        settled(open_page("words", link))
        for link in ({"q": "man - @young + girl", "names": "young = boy"}, {"q": "man - boy + girl"})
    )
    assert [labels(named, key) for key in BARS[:2]] == [labels(plain, key) for key in BARS[:2]]


@pytest.mark.parametrize("example", examples("words"), ids=lambda example: example["label"])
def test_examples(example):
    app = settled(click(open_page("words"), example["label"]))
    assert values(app, "words") == example["set"] and not errors(app)
    there = settled(follow(app, "words"))
    assert [labels(there, key) for key in BARS] == [labels(app, key) for key in BARS]


def test_window_and_rank_change_what_is_near():
    narrow, wide = (
        settled(open_page("words", {"q": "hat", "window": window, "rank": rank}))
        for window, rank in (("1", "20"), ("10", "100"))
    )
    assert labels(narrow, "words-ppmi") != labels(wide, "words-ppmi") and labels(narrow, "words-lsa") != labels(
        wide, "words-lsa"
    )


def test_a_word_that_the_texts_do_not_have_is_told_and_clip_still_answers():
    app = settled(open_page("words", {"q": "photosynthesis"}))
    assert errors(app) and all("does not occur" in each for each in errors(app)) and figures(app) == ["words-clip"]


def test_a_picture_is_no_word():
    app = settled(open_page("words", {"q": "@penguin"}))
    assert not errors(app) and any("no pictures" in each.value for each in app.info) and figures(app) == ["words-clip"]


def upload(app, data: bytes):
    return settled(app.file_uploader(key="texts").upload("texts.txt", data, "text/plain").run())


def test_own_texts_are_learned_from():
    lines = ["the car drives on the road", "an auto drives on the road", "the cat eats fish", "a kitten eats fish"] * 5
    app = upload(settled(open_page("words", {"q": "car", "rank": "2"})), "\n".join(lines).encode())
    assert "20 texts" in captions(app) and not errors(app)
    assert labels(app, "words-lsa")[:3] and set(labels(app, "words-lsa")[:3]) == {"auto", "drives", "road"}
    assert any("auto drives" in each.value for each in app.markdown)
    assert any("only read the background captions" in each.value for each in app.info)


@pytest.mark.parametrize("data", [b"", b"\xff\xfe\x00\x01", b"one two three"])
def test_a_file_that_says_nothing_is_told(data):
    app = upload(settled(open_page("words")), data)
    assert any("Fewer than two words" in each.value for each in app.warning) or errors(app)
