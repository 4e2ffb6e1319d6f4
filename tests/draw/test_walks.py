import numpy as np
import pytest
from PIL import Image

from clipexplore.draw.walks import changes, prompt_path
from clipexplore.errors import InputError
from clipexplore.expression import combine, parse
from clipexplore.points import Point, PointTerm, across_gap
from clipexplore.vectors import normalize, path

DIM = 6
RNG = np.random.default_rng(0)
VECTORS = {name: normalize(RNG.normal(size=DIM)) for name in ("man", "hat", "dog", "@man", "@hat")}
GAP = np.full(DIM, 0.2, np.float32)


def point(written):
    expression = parse(written)
    vectors = np.stack([VECTORS["@" * term.is_id + term.text] for term in expression.terms])
    combined = combine(expression, vectors)
    terms = tuple(PointTerm(term, vector) for term, vector in zip(expression.terms, vectors, strict=True))
    return Point(expression, combined.vector, combined.length, terms)


@pytest.mark.parametrize(
    ("written", "moved"),
    [
        ("man", VECTORS["man"] + GAP),
        ("@man", VECTORS["@man"]),
        ("hat - man + dog", VECTORS["hat"] - VECTORS["man"] + VECTORS["dog"] + GAP),
        ("hat - man", VECTORS["hat"] - VECTORS["man"]),
        ("@man + 0.5*hat", VECTORS["@man"] + 0.5 * (VECTORS["hat"] + GAP)),
        ("@man - man + hat", VECTORS["@man"] - VECTORS["man"] + VECTORS["hat"]),
        ("-man", -(VECTORS["man"] + GAP)),
    ],
)
def test_each_text_counts_as_the_picture_it_would_caption(written, moved):
    np.testing.assert_allclose(across_gap(point(written), GAP), moved / np.linalg.norm(moved), atol=1e-6)
    np.testing.assert_array_equal(across_gap(point(written), None), point(written).vector)


@pytest.mark.parametrize("written", ["man", "hat - man + dog", "@man - man + hat", "-2*man", "@man"])
def test_a_learned_map_carries_each_text_with_its_constant(written):
    map = RNG.normal(size=(DIM + 1, DIM)).astype(np.float32)
    summed = sum(
        term.weight * (VECTORS[f"@{term.text}"] if term.is_id else VECTORS[term.text] @ map[:-1] + map[-1])
        for term in parse(written).terms
    )
    np.testing.assert_allclose(across_gap(point(written), map), normalize(summed), atol=1e-6)
    np.testing.assert_allclose(across_gap(named(point(written)), map), normalize(summed), atol=1e-6)
    as_offset = np.concatenate([np.eye(DIM, dtype=np.float32), GAP[None]])
    np.testing.assert_allclose(across_gap(point(written), as_offset), across_gap(point(written), GAP), atol=1e-6)


def test_a_name_counts_as_its_texts():
    """And so does a name of a name: what is drawn is what the sum itself would give."""
    sum_itself = point("2*hat - @man")
    name, name_of_a_name = named(sum_itself), named(named(sum_itself))
    for each in (name, name_of_a_name):
        np.testing.assert_allclose(across_gap(each, GAP), across_gap(sum_itself, GAP), atol=1e-6)
        assert each.one_text is None


def test_names_behind_names_cost_what_they_are_not_what_they_stand_for():
    """Thirty lines that double are a thousand million terms, and three hundred that follow each other a deep chain."""
    doubled = chained = point("hat")
    for _ in range(30):
        written = parse("@before + @before")
        part = PointTerm(written.terms[0], doubled.vector, meaning=doubled)
        doubled = Point(written, doubled.vector, 2.0, (part, part))
    for _ in range(2000):
        chained = named(chained)
    for each in (doubled, chained):
        np.testing.assert_allclose(across_gap(each, GAP), across_gap(point("hat"), GAP), atol=1e-6)
        np.testing.assert_allclose(each.texts["hat"], each.of_texts, atol=1e-6)


def named(meaning):
    """The point @blueness, a name for another."""
    written = parse("@blueness")
    return Point(written, meaning.vector, 1.0, (PointTerm(written.terms[0], meaning.vector, meaning=meaning),))


def test_token_states_are_those_of_one_text():
    assert point("man").one_text == "man" and point("2*man").one_text == "man"
    assert point("@man").one_text is point("man + hat").one_text is point("-man").one_text is None


@pytest.mark.parametrize("curve", ["slerp", "lerp"])
def test_a_walk_over_token_states_walks_each_token(curve):
    states = RNG.normal(size=(3, 4, DIM)).astype(np.float32)
    walk = prompt_path(states, 7, curve)
    np.testing.assert_allclose(walk[[0, 3, 6]], states, rtol=1e-5)
    own = path(states[:, 2], 7, curve).points
    np.testing.assert_allclose(normalize(walk[:, 2]), normalize(own), atol=1e-5)
    lengths = np.linalg.norm(walk[:, 2], axis=1)
    if curve == "slerp":
        np.testing.assert_allclose(np.diff(lengths[:4]), np.diff(lengths[:4])[0], atol=1e-5)
    else:
        np.testing.assert_allclose(walk[1], states[0] * 2 / 3 + states[1] / 3, atol=1e-5)


def test_a_smooth_walk_keeps_its_stops():
    states = RNG.normal(size=(2, 4, DIM)).astype(np.float32)
    even, smooth = prompt_path(states, 5), prompt_path(states, 5, easing="smooth")
    np.testing.assert_allclose(smooth[[0, 2, 4]], even[[0, 2, 4]], atol=1e-5)
    assert np.linalg.norm(smooth[1] - smooth[0]) < np.linalg.norm(even[1] - even[0])


def test_changes_are_mean_differences_in_grey_levels():
    pictures = [Image.new("RGB", (2, 2), (value, value, 0)) for value in (0, 30, 30, 255)]
    np.testing.assert_allclose(changes(pictures), [20, 0, 150])
    assert changes(pictures[:1]).shape == (0,)
    with pytest.raises(InputError, match="different sizes"):
        changes([pictures[0], Image.new("RGB", (3, 2))])
