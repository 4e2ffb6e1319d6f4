"""A column of texts is as a list of them, and found in as in a dictionary."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipexplore.expression import folded
from clipexplore.store.texts import Lookup, Texts

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


def texts(given, part=3):
    """In several parts, as files have them."""
    return Texts(pa.chunked_array([given[start : start + part] for start in range(0, len(given), part)], pa.string()))


@given(st.lists(TEXTS, max_size=12), st.slices(12))
def test_it_is_as_a_list_of_them(given, some):
    found = texts(given)
    assert (len(found), [*found], [found[row] for row in range(len(given))]) == (len(given), given, given)
    assert found == given and given == found and found == texts(given, part=5) and found != [*given, ""]
    assert found[some] == given[some] and type(found[some]) is list
    assert all(text in found for text in given)


def test_it_is_gone_through_some_at_a_time():
    given = [f"text {number}" for number in range(20_000)]
    found = texts(given, part=7_000)
    assert [*found] == given and found[-1] == given[-1] and found[19_999] != found[0]
    with pytest.raises(IndexError):
        found[20_000]


@given(st.lists(TEXTS, max_size=12), TEXTS)
def test_rows_are_found_by_what_counts_as_one(given, other):
    for key in (str, folded):
        lookup = Lookup(texts(given), key)
        for text in [*given, other, " A ", "ss"]:
            assert lookup.rows(text) == [row for row, each in enumerate(given) if key(each) == key(text)]


class Colliding(str):
    """Texts whose hashes are all the same."""

    __slots__ = ()

    def __hash__(self):
        return 7


def test_texts_of_the_same_hash_are_told_apart():
    lookup = Lookup(["b", "a", "b"], Colliding)
    assert lookup.rows("b") == [0, 2] and lookup.rows("a") == [1] and not lookup.rows("c")
