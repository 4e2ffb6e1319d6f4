import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipexplore.ui.markdown import escape

JOINER = "\u2060"  # invisible; a text that holds some already looks the same without


@given(st.text(alphabet=st.one_of(st.sampled_from(string.punctuation + " \n\t"), st.characters()), max_size=60))
def test_every_sign_that_could_mean_something_is_escaped_and_nothing_else_changes(typed):
    escaped, shown = iter(escape(typed)), []
    for character in escaped:
        if character == "\\":
            character = next(escaped)
            assert character in string.punctuation
        else:
            assert character not in string.punctuation
        shown.append(character)
    assert "".join(shown).replace(JOINER, "") == " ".join(typed.split()).replace(JOINER, "")


@pytest.mark.parametrize(
    "typed",
    ["http://evil.example", "(HTTPS://evil.example/x?y)", "www.evil.example", "me@evil.example", "a.b+c@evil.example"],
)
def test_no_address_is_left_whole_for_a_link(typed):
    assert not re.search(r"https?\\:|www\\\.|[\w.+-]\\@", escape(typed), re.IGNORECASE)
    assert escape(typed).replace(JOINER, "").replace("\\", "") == typed


@pytest.mark.parametrize(
    ("typed", "escaped"),
    [
        ("![x](http://evil.example/x.png)", "\\!\\[x\\]\\(http" + JOINER + r"\:\/\/evil\.example\/x\.png\)"),
        ("a\n\n# b", r"a \# b"),
        ("    four spaces are no code", "four spaces are no code"),
        (":red[x] $y$ :smile:", r"\:red\[x\] \$y\$ \:smile\:"),
        (r"\*", r"\\\*"),
        ("Größe – 猫", "Größe – 猫"),
    ],
)
def test_escaped_texts_read_as_typed(typed, escaped):
    assert escape(typed) == escaped
