import copy
import unicodedata

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from clipexplore.errors import InputError
from clipexplore.expression import (
    MAX_CHARACTERS,
    MAX_TERMS,
    MAX_WEIGHT,
    MIN_WEIGHT,
    Expression,
    ExpressionError,
    Term,
    combine,
    notice,
    parse,
)


def is_text(text: str) -> bool:
    """Whether something is left of a text without what cannot be seen."""
    try:
        return bool(Term(text))
    except InputError:
        return False


AWKWARD = 'ab ""“”„@@**+-−–—0.7,3eE\'\t\n\0\u00a0\u200b\u200d\u3000\ud800🧢'

awkward_texts = st.text(st.one_of(st.sampled_from(AWKWARD), st.characters()), max_size=16)
sizes = st.one_of(st.sampled_from([1, 2, 0.5, 0.1 + 0.2, MIN_WEIGHT, MAX_WEIGHT]), st.floats(MIN_WEIGHT, MAX_WEIGHT))
weights = st.builds(lambda size, sign: size * sign, sizes, st.sampled_from([1, -1]))
texts = st.builds(Term, awkward_texts.filter(is_text), weights)
ids = st.builds(Term, st.from_regex(r"[^\W_][\w.-]{0,12}", fullmatch=True), weights, st.just(True))
expressions = st.builds(Expression, st.lists(st.one_of(texts, ids), min_size=1, max_size=8).map(tuple))


def read(text: str) -> list[tuple]:
    """Weight and text of each term, an id with its "@"."""
    return [(term.weight, ("@" if term.is_id else "") + term.text) for term in parse(text).terms]


# The grammar, by example


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("cat", [(1, "cat")]),
        ("man with hat - man", [(1, "man with hat"), (-1, "man")]),
        ("@man-top-hat - @man", [(1, "@man-top-hat"), (-1, "@man")]),
        ("@lion-jungle-07 - jungle + snow", [(1, "@lion-jungle-07"), (-1, "jungle"), (1, "snow")]),
        ("0.7*cat + 0.3*dog", [(0.7, "cat"), (0.3, "dog")]),
        ('"rock - paper - scissors" + neon', [(1, "rock - paper - scissors"), (1, "neon")]),
        # signs
        ("cat − dog", [(1, "cat"), (-1, "dog")]),
        ("cat – dog", [(1, "cat"), (-1, "dog")]),
        ("cat — dog", [(1, "cat — dog")]),
        ("  cat   -\t dog\n", [(1, "cat"), (-1, "dog")]),
        ("cat\u00a0-\u3000dog", [(1, "cat"), (-1, "dog")]),
        ("-cat", [(-1, "cat")]),
        ("- @man", [(-1, "@man")]),
        ("−@man + hat", [(-1, "@man"), (1, "hat")]),
        ("+ cat", [(1, "cat")]),
        ("-5 degrees", [(-1, "5 degrees")]),  # a leading minus is always a sign
        ("-0.5*cat", [(-0.5, "cat")]),
        # what is no operator
        ("t-shirt", [(1, "t-shirt")]),
        ("hello+world", [(1, "hello+world")]),
        ("cat -dog", [(1, "cat -dog")]),
        ("C++ code", [(1, "C++ code")]),
        ("made of -3 parts", [(1, "made of -3 parts")]),
        # weights
        ("2*@lion-jungle-07", [(2, "@lion-jungle-07")]),
        ("2 * cat", [(2, "cat")]),
        ('.5*"3*4"', [(0.5, "3*4")]),
        ("3*4", [(3, "4")]),
        ("1e3*cat", [(1000, "cat")]),
        ("cat - 2*dog", [(1, "cat"), (-2, "dog")]),
        ("M*A*S*H", [(1, "M*A*S*H")]),
        ("4 cats", [(1, "4 cats")]),
        ("a 5* hotel", [(1, "a 5* hotel")]),
        # quotes
        ('"3*4"', [(1, "3*4")]),
        ('"@home"', [(1, "@home")]),
        ('"a ""b"" c"', [(1, 'a "b" c')]),
        ('""""', [(1, '"')]),
        ("“rock - paper” - hat", [(1, "rock - paper"), (-1, "hat")]),
        ('“a "b" c”', [(1, 'a "b" c')]),
        ("„Fels - Blatt“", [(1, "Fels - Blatt")]),
        ('a sign that says "stop" - rain', [(1, 'a sign that says "stop"'), (-1, "rain")]),
        ('a 5" nail', [(1, 'a 5" nail')]),
        # ids
        ("@up-3fa9._x", [(1, "@up-3fa9._x")]),
        ("cat @home", [(1, "cat @home")]),
        # characters that cannot be seen; a joiner makes one astronaut of two emoji
        ("c\0at\u200b - \ufeffdog", [(1, "c at"), (-1, "dog")]),
        ("\ud800cat", [(1, "cat")]),
        ("👩\u200d🚀 - 🚀", [(1, "👩\u200d🚀"), (-1, "🚀")]),
    ],
)
def test_reads(text, terms):
    assert read(text) == terms


@pytest.mark.parametrize(
    ("text", "at", "message"),
    [
        ("", 0, "is empty"),
        (" \t\0 ", 0, "is empty"),
        ("-", 0, "Nothing follows the last '-'"),
        ("cat +", 4, "Nothing follows the last '+'"),
        ("cat + ", 4, "Nothing follows the last '+'"),
        ("cat − ", 4, "Nothing follows the last '−'"),
        ("  2*  ", 3, "Nothing follows the last '*'"),
        ("cat + + dog", 6, "not another '+'"),
        ("cat + -dog", 6, "not another '-'"),
        ("--cat", 1, "not another '-'"),
        ("2*-cat", 2, "not another '-'"),
        ("2* + cat", 3, "not another '+'"),
        ("cat - 2*3*4", 8, "another weight"),
        ("0,7*cat", 0, "'0,7' is no weight"),
        ("cat + 1.2.3*dog", 6, "'1.2.3' is no weight"),
        ("cat - 0*dog", 6, "weight -0 is out of range"),
        ("1e999*cat", 0, "weight inf is out of range"),
        ("@", 0, "id after '@'"),
        ("cat - @ home", 6, "id after '@'"),
        ("@-man", 0, "id after '@'"),
        ("@man hat", 5, "not 'hat'"),
        ("@man, hat", 4, "not ','"),
        ("@man-@hat", 5, "not '@hat'"),
        ("@a +@b", 3, "not '+@b'"),
        ('"open', 0, "not closed"),
        ('cat - "open', 6, "not closed"),
        ('"a""', 0, "not closed"),
        ('"cat”', 0, "not closed"),
        ("“open", 0, "not closed"),
        ('cat + ""', 6, "no text in these quotes"),
        ('2*" \0"', 2, "no text in these quotes"),
        ('"a" b', 4, "not 'b'"),
        ('"a"+"b"', 3, "not '+\"b\"'"),
        ('sign reading "a - b" + neon', 13, "opens inside"),
        ("\u200b@man\t- @", 8, "id after '@'"),
        ("cat + " * MAX_TERMS + "cat", 6 * MAX_TERMS - 3, "more than 32 terms"),
        ("x" * (MAX_CHARACTERS + 1), MAX_CHARACTERS, "2001 characters"),
    ],
)
def test_points_at_what_cannot_be_read(text, at, message):
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert message in str(caught.value)
    assert (caught.value.text, caught.value.position) == (text, at)
    assert isinstance(caught.value, InputError)


def test_takes_all_that_is_allowed():
    assert len(parse("cat + " * (MAX_TERMS - 1) + "cat").terms) == MAX_TERMS
    assert parse("x" * MAX_CHARACTERS).terms[0].text == "x" * MAX_CHARACTERS


# Writing, and both ways


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("  -  cat −  1.0*@dog ", "-cat - @dog"),
        ("0.50 * cat", "0.5*cat"),
        ("1e-6*cat + 1000000*dog", "0.000001*cat + 1000000*dog"),
        ('"man  with\that"', "man with hat"),
        ("“rock - paper”", '"rock - paper"'),
        ('"a 5"" nail" - hammer', '"a 5"" nail" - hammer'),
        ('"cat -"', '"cat -"'),
        ('"-cat" - "2*cat"', '"-cat" - "2*cat"'),
        ('2*"@"', '2*"@"'),
    ],
)
def test_writes_one_spelling(text, written):
    assert str(parse(text)) == written
    assert str(parse(written)) == written


@given(expressions)
@example(Expression((Term(' "- 2*@\t"" '), Term("+", -0.3), Term("1.", 2), Term("man", -1, True))))
def test_reads_what_it_has_written(expression):
    assert parse(str(expression)) == expression


@given(st.one_of(awkward_texts, st.lists(awkward_texts, max_size=5).map(" + ".join)))
def test_any_text_is_an_expression_or_a_clear_error(text):
    try:
        expression = parse(text)
    except ExpressionError as error:
        assert error.text == text
        assert 0 <= error.position < max(len(text), 1)
        assert "is empty" in str(error) or not text[error.position].isspace()
    else:
        assert parse(str(expression)) == expression
        assert str(parse(str(expression))) == str(expression)
        notice(text)


@given(st.lists(st.tuples(st.sampled_from("+-"), st.sampled_from(["cat", "t-shirt", "@id-1", '"a - b"'])), min_size=1))
def test_joins_terms_by_signs(parts):
    assume(len(parts) <= MAX_TERMS)
    text = " ".join(f"{sign} {operand}" for sign, operand in parts)
    assert read(text) == [(1 if sign == "+" else -1, operand.strip('"')) for sign, operand in parts]


# What terms and expressions cannot be


@pytest.mark.parametrize(
    ("term", "message"),
    [
        (("",), "empty"),
        (("\n \0",), "empty"),
        (("two words", 1, True), "'two words' is no id"),
        (("-man", 1, True), "no id"),
        (("cat", 0), "weight 0 "),
        (("cat", float("nan")), "weight nan"),
        (("cat", -float("inf")), "weight -inf"),
        (("cat", 1e-7), "weight 1e-07"),
    ],
)
def test_a_term_is_always_sound(term, message):
    with pytest.raises(InputError, match=message):
        Term(*term)


def test_an_expression_can_always_be_written():
    with pytest.raises(InputError, match="1 to 32 terms, not 0"):
        Expression(())
    with pytest.raises(InputError, match="not 33"):
        Expression((Term("cat"),) * 33)
    with pytest.raises(InputError, match="2001 characters"):
        Expression((Term("x" * 1997 + '"'),))  # with a doubled quote, in quotes


def test_an_error_can_be_copied_as_it_is_on_its_way_between_processes():
    with pytest.raises(ExpressionError) as caught:
        parse("cat + @")
    twin = copy.copy(caught.value)
    assert (str(twin), twin.text, twin.position) == (str(caught.value), "cat + @", 6)


# combine


def test_combines_by_hand(axes):
    expression = parse("2*man - hat + 2*snow")
    combined = combine(expression, 5 * axes.embed_texts(["man", "hat", "snow"]))
    np.testing.assert_allclose(combined.vector[:3], [2 / 3, -1 / 3, 2 / 3], atol=1e-6)
    assert combined.length == pytest.approx(3)
    assert combined.vector.dtype == np.float32


def test_what_two_terms_share_cancels(axes):
    combined = combine(parse("man with hat - man"), axes.embed_texts(["man with hat", "man"]))
    man, hat = axes.embed_texts(["man", "hat"])
    half = np.pi / 8  # the difference of two unit vectors 45° apart is turned by half of that from the hat
    np.testing.assert_allclose([combined.vector @ hat, combined.vector @ man], [np.cos(half), -np.sin(half)], atol=1e-6)
    assert combined.length == pytest.approx(2 * np.sin(half))


@pytest.mark.parametrize("weight", [1, -1, 0.001, 250])
def test_one_term_keeps_its_direction(test_data, weight):
    vector = np.load(test_data / "genuine_vitb32_text_vectors.npz")["text_vectors"][:1]
    combined = combine(Expression((Term("a person", weight),)), vector)
    np.testing.assert_allclose(combined.vector, np.sign(weight) * vector[0] / np.linalg.norm(vector), atol=1e-6)
    assert combined.length == pytest.approx(abs(weight), rel=1e-6)


@pytest.mark.parametrize("text", ["man - man", "0.3*man - 0.2*man - 0.1*man", "1000*man - 1000*man"])
def test_terms_that_cancel_out_are_no_point(axes, text):
    expression = parse(text)
    rounding = 1e-8 * np.random.default_rng(0).normal(size=(len(expression.terms), axes.dim))
    with pytest.raises(InputError, match="length 0"):
        combine(expression, axes.embed_texts(["man"]) + rounding)


# notice


@pytest.mark.parametrize(
    "text",
    [
        "rock - paper - scissors",
        "Several toy animals - a bull, giraffe, deer and parakeet.",
        "Two ceramic cups - one with a bird and the other with a fox",
        "The Shining – a film by Kubrick",
        'A sign that says "stop" - two men walk past it.',
        "Spider-Man – No Way Home",
    ],
)
def test_notices_a_prompt_with_a_dash(text):
    assert "quotes" in notice(text)
    assert notice(f'"{text}"') is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "cat",
        "A bull, giraffe, deer and parakeet.",
        "man with hat - man",
        "a photo of a man with a hat - a photo of a man",
        "@man-top-hat - @man",
        "@lion-jungle-07 - jungle + snow",
        '"rock - paper - scissors" + neon',
        'neon - "rock - paper - scissors"',
        "king - man + woman",
        "0.5*rock - paper - scissors",
        "- rock - paper - scissors",
        "Paris - France",
    ],
)
def test_leaves_arithmetic_in_peace(text):
    assert notice(text) is None


def test_notices_the_dashes_of_real_captions(test_data):
    captions = (test_data / "captions_coco_10k.txt").read_text().splitlines()
    with_dash = [caption for caption in captions if " - " in caption]
    assert [caption for caption in captions if notice(caption)] == with_dash != []
    assert sum(len(parse(caption).terms) > 1 for caption in captions if caption[0] != '"') == len(with_dash)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("cat+dog", "spaces"),
        ("(cat + dog) - snow", "Brackets"),
        ('"cat+dog" + (a dog)', None),
        ("1+1", None),
        ("5* hotel", "5* is read as a weight"),
        ("pool - 3* hotel", "3* is read as a weight"),
        ('"5* hotel" + a 5* hotel + 5*cat + 2 * dog', None),
    ],
)
def test_notices_what_is_read_otherwise_than_meant(text, says):
    assert (says in notice(text)) if says else notice(text) is None


# Ids of any script


@pytest.mark.parametrize("id", ["猫", "Löwe", "हिन्दी", "ภาษาไทย", "קוֹד", "が-1"])
def test_ids_are_written_in_any_script(id):
    assert [(term.text, term.is_id) for term in parse(f"@{id} - @{unicodedata.normalize('NFD', id)}").terms] == [
        (unicodedata.normalize("NFC", id), True)
    ] * 2
