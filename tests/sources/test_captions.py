"""Tables of captions as people bring them."""

import io

import pytest

from clipexplore.errors import InputError
from clipexplore.sources.captions import read_table


def read(text, name="c.csv", encoding="utf-8"):
    return read_table(lambda: io.BytesIO(text.encode(encoding)), name)


def listed(*table, **how):
    return [*read(*table, **how)]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_columns_are_found_by_their_names_with_any_separator(separator):
    text = "ID|File name|Caption|place\n7|a.jpg|a  cat|home\n8|b.jpg||\n".replace("File name", "FileName").replace(
        "|", separator
    )
    first, second = table = read(text)
    assert (first.number, first.id, first.file, first.caption, first.fields) == (
        1,
        "7",
        "a.jpg",
        "a cat",
        {"place": "home"},
    )
    assert (second.caption, second.fields) == ("", {"place": None}) and table.names_files


def test_without_a_header_the_first_column_is_the_caption():
    assert [row.caption for row in read("a cat,1\na dog,2\n")] == ["a cat", "a dog"]


def test_a_text_file_is_one_caption_a_line():
    rows = read("a cat\r\n\n  a dog, sleeping \n", "c.txt")
    assert [(row.number, row.caption) for row in rows] == [(1, "a cat"), (3, "a dog, sleeping")]
    assert rows.count == 2 and not rows.names_files


def test_quotes_line_ends_and_marks_of_spreadsheets():
    rows = listed('\ufeffcaption,x\r\n"a ""big"" cat,\nasleep",1\r\n', encoding="utf-8")
    assert rows[0].caption == 'a "big" cat, asleep' and rows[0].fields == {"x": "1"}
    assert listed("caption\nzwei Löwen\n", encoding="utf-16")[0].caption == "zwei Löwen"


def test_a_row_that_is_too_short_lacks_what_it_lacks():
    assert listed("caption,a,b\ncat\ndog,1,2,3\n")[0].fields == {"a": None, "b": None}


def test_what_is_no_text_and_no_table_is_told():
    with pytest.raises(InputError, match="not text in UTF-8"):
        read_table(lambda: io.BytesIO(b"caption\n\xff\xfe\xfa"), "c.csv")
    with pytest.raises(InputError, match="no table"):
        read("caption\n" + "x" * 200_000)


def test_long_captions_are_cut_and_nul_is_dropped():
    (row,) = read("caption\n" + "x" * 5_000 + "\0\n")
    assert row.caption == "x" * 2_000
