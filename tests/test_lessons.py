"""Lessons as files: what is one, what each mistake is called, and that those shipped are the same in every language."""

import re
from dataclasses import astuple, fields

import pytest

from clipexplore import links
from clipexplore.errors import InputError
from clipexplore.language import LANGUAGES, language
from clipexplore.lessons import Lesson, draft, lessons, mistakes, own_folder, read_lesson
from clipexplore.settings import settings

SHIPPED = sorted((settings().assets / "lessons").glob("*.toml"))
WHOLE = """
title = "T"
text = "Text"
question = "Q?"
options = ["a", "b"]
answer = 2
why = "Because."
next = "And?"
link = "http://192.168.1.20:8501/search?q=lion+%2B+snow&k=12"
"""


@pytest.fixture
def speaking():
    before = language.get()
    yield language.set
    language.set(before)


def write(text, name="20-mine.toml"):
    own_folder().mkdir(parents=True, exist_ok=True)
    path = own_folder() / name
    path.write_text(text, encoding="utf-8")
    return path


def numbers(lesson):
    """The numbers that a lesson says, as digits: languages write 4,391 and 0.32 in different ways."""
    texts = (*(getattr(lesson, key) for key in ("title", "text", "question", "why", "next")), *lesson.options)
    found = re.findall(r"\d(?:[.,\u202f\u00a0 ]?\d)*", "\n".join(texts))
    return sorted(re.sub(r"\D", "", each).lstrip("0") for each in found)


def test_a_file_is_a_lesson_and_its_link_is_of_any_server(home):
    lesson = read_lesson(write(WHOLE))
    assert (lesson.name, lesson.options, lesson.answer) == ("mine", ("a", "b"), 1)
    assert (lesson.page, lesson.keys) == ("search", (("q", "lion + snow"), ("k", "12")))
    assert list(lessons())[-1] == "mine" and not mistakes()


def test_a_changed_file_is_read_again(home):
    assert read_lesson(write(WHOLE)).answer == 1
    assert read_lesson(write(WHOLE.replace("answer = 2", "answer = 1 "))).answer == 0


def test_what_a_translation_leaves_out_is_said_as_it_is(home, speaking):
    path = write(f'{WHOLE}\n[de]\ntitle = "Titel"')
    speaking("de")
    assert (read_lesson(path).title, read_lesson(path).why) == ("Titel", "Because.")
    speaking("fr")
    assert read_lesson(path).title == "T"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('title = "T"', "title = T", "Invalid value"),
        ('why = "Because."', "", "why is missing"),
        ('title = "T"', 'title = "T"\nhint = "x"', "hint is not a key of a lesson"),
        ('title = "T"', "title = 3", "title is not a text of 1 to 2,000 characters"),
        ('"Text"', '" "', "text is not a text of"),
        ('["a", "b"]', '["a"]', "options is not a list of 2 to 6 texts"),
        ('["a", "b"]', '"ab"', "options is not a list of 2 to 6 texts"),
        ('["a", "b"]', "[1, 2]", "options is not a text of"),
        ('["a", "b"]', '["a", "a"]', "two of the options are the same"),
        ("answer = 2", "answer = 3", "answer is not the number of an option, counted from 1"),
        ("answer = 2", "answer = true", "answer is not the number of an option"),
        ("/search?", "/nowhere?", "link leads to nowhere, which is not a page"),
        ("k=12", "window=2", "link holds window, which search does not have"),
        ('k=12"', 'k=12"\n[de]\nanswer = 1', "a translation holds something else than title"),
        ('k=12"', 'k=12"\nde = "x"', "a translation holds something else than title"),
        ('k=12"', 'k=12"\n[de]\noptions = ["a", "b", "c"]', "a translation has more or fewer options"),
        ('k=12"', 'k=12"\n[de]\noptions = ["a"]', "options is not a list of 2 to 6 texts"),
    ],
)
def test_a_mistake_is_a_sentence_that_names_the_file_and_the_rule(home, old, new, says):
    assert old in WHOLE
    write(WHOLE.replace(old, new))
    (said,) = mistakes()
    assert said.startswith("The lesson 20-mine.toml cannot be used: ") and says in said
    assert said.endswith("Correct it or remove it.") and "mine" not in lessons()


def test_bytes_that_are_no_text_and_names_that_fit_no_link_are_told(home):
    write(WHOLE, "Größe.toml")
    (own_folder() / "bytes.toml").write_bytes(b"\xff\xfe")
    (own_folder() / "folder.toml").mkdir()
    assert len(mistakes()) == 3 and set(lessons()) == {name(path) for path in SHIPPED}


def test_no_lesson_takes_the_name_of_another(home):
    write(WHOLE, "500-match.toml")
    assert "another lesson has the name match" in mistakes()[0] and lessons()["match"].title != "T"


def test_a_draft_is_a_lesson_with_the_link_of_the_page(home):
    lesson = read_lesson(write(draft("/search?q=a+%22b%22&k=12")))
    assert (lesson.page, dict(lesson.keys)) == ("search", {"q": 'a "b"', "k": "12"})


def name(path):
    return re.sub(r"^\d+-", "", path.stem)


def test_the_first_lesson_is_the_one_that_the_page_begins_with():
    assert next(iter(lessons())) == links.PAGES["lessons"]["lesson"] and len(SHIPPED) >= 12


@pytest.mark.parametrize("path", SHIPPED, ids=name)
def test_a_lesson_is_whole_in_every_language(path, speaking):
    said = {}
    for code in LANGUAGES:
        speaking(code)
        said[code] = read_lesson(path)
    english = said.pop("en")
    assert english.keys, "without a key the page would be as the visitor left it"
    for code, lesson in said.items():
        for field, here, there in zip(fields(Lesson), astuple(lesson), astuple(english), strict=True):
            assert (here != there) == (field.name in ("title", "text", "question", "options", "why", "next")), (
                code,
                field.name,
            )
        assert numbers(lesson) == numbers(english), code


def test_an_input_error_is_what_a_reader_of_one_file_gets(tmp_path):
    with pytest.raises(InputError, match=r"gone\.toml"):
        read_lesson(tmp_path / "gone.toml")
