"""JSON read a value at a time: the same values as `json` gives, in any pieces, and what is too large or broken."""

import io
import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipexplore.errors import InputError
from clipexplore.sources import json_stream
from clipexplore.sources.json_stream import values_of

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=4), inside, max_size=3),
    max_leaves=12,
)


def values(text):
    return list(values_of(lambda: io.BytesIO(text.encode()), "a.json"))


def expected(whole):
    if isinstance(whole, list):
        return [("", "", value) for value in whole]
    found = []
    for key, value in whole.items():
        if isinstance(value, list):
            found += [(key, "", each) for each in value]
        elif isinstance(value, dict):
            found += [(key, inside, each) for inside, each in value.items()]
        else:
            found.append((key, "", value))
    return found


@given(st.lists(VALUES, max_size=6) | st.dictionaries(st.text(max_size=4), VALUES, max_size=6), st.integers(1, 7))
def test_the_values_are_those_of_json(whole, size):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "_CHUNK", size)
        for indent in (None, 1):
            assert values(json.dumps(whole, indent=indent, ensure_ascii=False)) == expected(whole)


def test_a_long_list_is_held_a_value_at_a_time():
    text = json.dumps({"images": [{"id": number, "file_name": f"{number:012}.jpg"} for number in range(200_000)]})
    data = text.encode()
    tracemalloc.start()
    assert sum(1 for _each in values_of(lambda: io.BytesIO(data), "a.json")) == 200_000
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "ends too early"),
        ('{"a": [1, 2', "no JSON that can be read"),
        ('{"a" 1}', "no JSON that can be read"),
        ("{1: 2}", "a key has no quotes"),
        ("[1 2]", "no JSON that can be read"),
        ("[" * 100_000, "no JSON that can be read"),
        ('["' + "x" * 6_000_000 + '"]', "A value in 'a.json' has more than 5,000,000 characters"),
    ],
)
def test_what_is_broken_or_too_large_is_told(text, message):
    with pytest.raises(InputError, match=message):
        values(text)
