import pytest

from clipexplore.ui.gallery import rewritten


@pytest.mark.parametrize(
    ("before", "action", "after"),
    [
        ("lion", "more", "lion + @cat"),
        ("lion", "less", "lion - @cat"),
        ("lion", "search", "@cat"),
        ("lion -", "less", "@cat"),
        ("", "more", "@cat"),
        ("lion\nsnow\n", "point", "lion\nsnow\n@cat"),
        ("", "point", "@cat"),
    ],
)
def test_what_a_picture_does_to_an_expression_and_to_lines(before, action, after):
    assert rewritten(before, action, "cat") == after
