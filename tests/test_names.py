"""Names are lines that a visitor types, so whatever stands there is names or one sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipexplore.errors import InputError
from clipexplore.expression import Expression, Term, parse
from clipexplore.names import MAX_CHARACTERS, add, define, ids_like

WORD = st.from_regex(r"[a-z0-9]([a-z0-9._-]{0,14}[a-z0-9])?", fullmatch=True).filter(
    lambda name: not name.startswith("up-")
)
TERMS = st.builds(
    Term,
    st.text(min_size=1, max_size=12).filter(lambda text: text.split() and text.isprintable()),
    st.sampled_from([1.0, -1.0, 0.5]),
)
EXPRESSIONS = st.lists(TERMS, min_size=1, max_size=3).map(lambda terms: Expression(tuple(terms)))


def test_lines_become_names_in_their_order():
    found = define("blueness = a blue rose - a red rose\n\n  cold.1=@lion-snow-07 - @blueness \n")
    assert list(found) == ["blueness", "cold.1"]
    assert found["blueness"] == parse("a blue rose - a red rose") and found["cold.1"].terms[1] == Term(
        "blueness", -1.0, True
    )
    assert define("") == define(" \n ") == {}


@given(st.dictionaries(WORD, EXPRESSIONS, max_size=4))
def test_what_was_named_is_defined(named):
    text = ""
    for name, meaning in named.items():
        text = add(text, name, str(meaning))
    assert define(text) == named


def test_a_name_given_again_replaces_the_older_one():
    text = add(add(add("", "x", "cat"), "y", "dog"), "x", "lion")
    assert define(text) == {"y": parse("dog"), "x": parse("lion")}


def test_what_an_id_cannot_hold_becomes_a_dash():
    assert list(define(add("", " red → blue! ", "cat"))) == ["red-blue"]
    assert add("x = cat", " → ", "dog") == "x = cat"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("cat", "Line 1 of the names is 'cat'; write name = expression"),
        ("x = cat\ntwo words = dog", "Line 2 of the names is 'two words = dog'"),
        ("= cat", "write name = expression"),
        ("x = cat -", "Line 1 of the names is no expression: Nothing follows"),
        ("x =", "Line 1 of the names is no expression: The expression is empty"),
        ("x = cat\nx = dog", "Line 2 of the names gives 'x' a second time"),
        ("up-1 = cat", "begins with 'up-' is an upload"),
        ("a" * 41 + " = cat", "write name = expression"),
        ("x" * (MAX_CHARACTERS + 1), "4001 characters"),
    ],
)
def test_what_names_nothing_is_told(text, says):
    with pytest.raises(InputError) as told:
        define(text)
    assert says in str(told.value) and "\n" not in str(told.value)


@given(st.text(max_size=80))
def test_any_text_is_names_or_a_sentence(text):
    try:
        assert all(parse(str(meaning)) == meaning for meaning in define(text).values())
    except InputError as error:
        assert str(error).startswith("Line ")


def test_ids_that_begin_like_a_text_come_before_those_that_hold_it():
    ids = ["a-lion", "lion-2", "cat", "Lion-1", "sea-lion", "lion-3"]
    assert ids_like(ids, "LION", 4) == ["lion-2", "Lion-1", "lion-3", "a-lion"]
    assert ids_like(ids, "lion-1", 4) == ["Lion-1"] and ids_like([*ids, "lion"], "lion", 2) == ["lion", "lion-2"]
    assert ids_like(ids, "", 2) == ["a-lion", "lion-2"] and not ids_like(ids, "dog", 3)
