"""Streams in groups."""

from hypothesis import given
from hypothesis import strategies as st

from clipexplore.collections.entries import groups


@given(st.lists(st.integers(), max_size=40), st.integers(1, 12))
def test_groups_are_the_stream_in_pieces(things, size):
    found = list(groups(iter(things), size))
    assert [each for group in found for each in group] == things
    assert all(len(group) == size for group in found[:-1]) and all(0 < len(group) <= size for group in found[-1:])


def test_groups_take_no_more_than_they_give():
    stream = iter(range(10))
    next(groups(stream, 3))
    assert next(stream) == 3
