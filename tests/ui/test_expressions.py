import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipexplore.errors import InputError
from clipexplore.expression import Expression, ExpressionError, Term, combine, parse
from clipexplore.ui.expressions import EXCERPT, _marked, reversed_sum

terms = st.builds(
    Term,
    text=st.text(st.characters(codec="utf-8"), min_size=1, max_size=20).filter(
        lambda text: text.strip() and text.strip().isprintable()
    ),
    weight=st.sampled_from([1.0, -1.0, 0.5, -0.3, 2.0]),
)
expressions = st.lists(terms, min_size=1, max_size=6).map(lambda each: Expression(tuple(each)))


@given(expressions)
def test_a_turned_sum_points_the_other_way_and_turns_back(expression):
    turned = parse(reversed_sum(expression))
    assert sorted(turned.terms, key=repr) == sorted(
        (Term(term.text, -term.weight, term.is_id) for term in expression.terms), key=repr
    )
    back = parse(reversed_sum(turned))
    assert sorted(back.terms, key=repr) == sorted(expression.terms, key=repr)


@pytest.mark.parametrize(
    ("typed", "turned"),
    [
        ("@a - @b", "@b - @a"),
        ("@b - @a", "@a - @b"),
        ("cat", "-cat"),
        ("-cat", "cat"),
        ("cat + dog", "-cat - dog"),
        ("0.5*a - 2*b + c", "2*b - 0.5*a - c"),
    ],
)
def test_turned_sums_as_one_would_write_them(typed, turned):
    assert reversed_sum(parse(typed)) == turned


def test_the_vector_of_a_turned_sum_is_the_negative():
    vectors = np.eye(3)
    plus, minus = (
        combine(parse(typed), rows)
        for typed, rows in (("a - 2*b", vectors[:2]), (reversed_sum(parse("a - 2*b")), vectors[[1, 0]]))
    )
    np.testing.assert_allclose(minus.vector, -plus.vector, atol=1e-6)


@given(st.text(st.characters(), min_size=1, max_size=300), st.data())
def test_the_mark_stands_under_the_character_at_fault(typed, data):
    position = data.draw(st.integers(0, len(typed)))
    shown, mark = _marked(typed, position).split("\n")
    assert mark.strip() == "^" and len(shown) <= EXCERPT and (shown.isprintable() or not shown)
    at = mark.index("^")
    if position < len(typed):
        assert shown[at] == (typed[position] if typed[position].isprintable() else " ")
        before = typed[max(0, position - 10) : position]
        assert shown[:at].endswith("".join(character if character.isprintable() else " " for character in before))
    else:
        assert at == len(shown)


@pytest.mark.parametrize("typed", ["cat +", '"cat', "a + + b", "@", "cat + " * 40, "x" * 2100])
def test_every_error_of_the_grammar_can_be_marked(typed):
    with pytest.raises(ExpressionError) as caught:
        parse(typed)
    assert issubclass(ExpressionError, InputError) and "^" in _marked(caught.value.text, caught.value.position)
