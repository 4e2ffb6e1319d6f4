"""Lessons: a small file each, with a prediction to make first and a link to the page that answers it.

`assets/lessons/` holds those that are shipped, `lessons/` in the data directory those of whoever runs the server.
docs/for-a-class.md describes the format.
"""

import json
import re
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from clipexplore import links
from clipexplore.errors import InputError
from clipexplore.language import LANGUAGES, _, language
from clipexplore.settings import settings

SENTENCES = ("title", "text", "question", "why", "next")
TEXTS = (*SENTENCES, "options")  # what can be translated
KEYS = {*TEXTS, "answer", "link"}
LONGEST = 2000  # characters of a text
FEWEST, MOST = 2, 6  # options
_FILE = re.compile(r"(?:[0-9]+-)?([a-z0-9-]{1,40})\.toml")


@dataclass(frozen=True)
class Lesson:
    """What a file says, in one language.

    Attributes
    ----------
    name
        In links: the name of the file without its number.
    options, answer
        What can be predicted, and the place of what the page shows, counted from 0.
    next
        A question that leads on.
    page, keys
        The page that answers, by its name in `links.PAGES`, and what its link holds.
    """

    name: str
    title: str
    text: str
    question: str
    options: tuple[str, ...]
    answer: int
    why: str
    next: str
    page: str
    keys: tuple[tuple[str, str], ...]


def lessons() -> dict[str, Lesson]:
    """All lessons by name, in their order and in the visitor's language where they have it, without the faulty ones."""
    return {name: each for name, each in _all().items() if isinstance(each, Lesson)}


def mistakes() -> list[str]:
    """For each file that cannot be used a sentence which names it, the rule, and what to do."""
    return [str(each) for each in _all().values() if isinstance(each, InputError)]


def own_folder() -> Path:
    """Where whoever runs the server puts lessons of their own."""
    return settings().home / "lessons"


def _all() -> dict[str, Lesson | InputError]:
    found: dict[str, Lesson | InputError] = {}
    for folder in (settings().assets / "lessons", own_folder()):
        for path in sorted(folder.glob("*.toml")):
            try:
                lesson = read_lesson(path)
                if lesson.name in found:
                    raise _wrong(path, _("another lesson has the name {name}").format(name=lesson.name))
                found[lesson.name] = lesson
            except InputError as error:
                found[str(path)] = error
    return found


def read_lesson(path: Path) -> Lesson:
    """The lesson of a file, in the visitor's language where the file has it.

    Raises
    ------
    InputError
        For a file that cannot be read or breaks a rule of the format.
    """
    try:
        status = path.stat()
        return _read(path, (status.st_mtime_ns, status.st_size), language.get())
    except InputError:
        raise
    except (OSError, ValueError) as error:  # TOML's and UTF-8's mistakes are ValueErrors
        raise _wrong(path, str(error)) from error


@lru_cache(512)
def _read(path: Path, stamp: tuple[int, int], code: str) -> Lesson:
    if not (named := _FILE.fullmatch(path.name)):
        raise _wrong(path, _("its name is not made of small letters, digits and dashes"))
    values = tomllib.loads(path.read_text(encoding="utf-8"))
    translations = {each: values.pop(each) for each in LANGUAGES if each in values}
    _check(path, values)
    for translation in translations.values():
        _check_translation(path, values, translation)
    said = values | translations.get(code, {})
    page, keys = _destination(values["link"])
    return Lesson(
        named[1],
        **{key: said[key] for key in SENTENCES},
        options=tuple(said["options"]),
        answer=values["answer"] - 1,
        page=page,
        keys=tuple(keys),
    )


def _check(path: Path, values: dict[str, Any]) -> None:
    """Raises an InputError for the first rule that the values of a file break."""
    for key in sorted(KEYS ^ values.keys()):
        says = _("{key} is missing") if key in KEYS else _("{key} is not a key of a lesson")
        raise _wrong(path, says.format(key=key))
    options, answer = values["options"], values["answer"]
    if not isinstance(options, list) or not FEWEST <= len(options) <= MOST:
        raise _wrong(path, _("options is not a list of {least} to {most} texts").format(least=FEWEST, most=MOST))
    for key, value in [*((key, values[key]) for key in (*SENTENCES, "link")), *(("options", each) for each in options)]:
        if not isinstance(value, str) or not 0 < len(value.strip()) <= LONGEST:
            raise _wrong(path, _("{key} is not a text of 1 to {most:,} characters").format(key=key, most=LONGEST))
    if len({*options}) < len(options):
        raise _wrong(path, _("two of the options are the same"))
    if type(answer) is not int or not 1 <= answer <= len(options):
        raise _wrong(path, _("answer is not the number of an option, counted from 1"))
    _check_link(path, values["link"])


def _check_translation(path: Path, values: dict[str, Any], translation: object) -> None:
    if not isinstance(translation, dict) or not translation.keys() <= {*TEXTS}:
        raise _wrong(path, _("a translation holds something else than {keys}").format(keys=", ".join(TEXTS)))
    _check(path, values | translation)
    if len(translation.get("options", values["options"])) != len(values["options"]):
        raise _wrong(path, _("a translation has more or fewer options"))


def _check_link(path: Path, link: str) -> None:
    page, keys = _destination(link)
    if page not in links.PAGES:
        raise _wrong(path, _("link leads to {page}, which is not a page").format(page=page[:40]))
    for key, _value in keys:
        if key not in links.ALL | links.PAGES[page]:
            raise _wrong(path, _("link holds {key}, which {page} does not have").format(key=key[:40], page=page))


def _destination(link: str) -> tuple[str, list[tuple[str, str]]]:
    """The page and the keys of a link, whatever server it was copied from."""
    address = urlsplit(link.strip())
    return address.path.strip("/").rpartition("/")[2] or "start", parse_qsl(address.query, keep_blank_values=True)


def _wrong(path: Path, rule: str) -> InputError:
    says = _("The lesson {file} cannot be used: {rule}. Correct it or remove it.")
    return InputError(says.format(file=path.name, rule=rule))


def draft(link: str) -> str:
    """A lesson file to fill in, with the link of what is on screen."""
    return _DRAFT.format(link=json.dumps(link, ensure_ascii=False))


_DRAFT = """\
# A lesson: fill in the texts, which are Markdown, and put this file into the folder lessons/ of the server's data
# directory as NUMBER-NAME.toml, such as 20-my-lesson.toml. The number gives the order, the name stands in the link.
title = "…"
text = \"\"\"
A short paragraph: what this is about.
\"\"\"
question = "What will the page show?"
options = ["This", "That", "Something else"]
answer = 1  # the option that the page shows, counted from 1
why = "One line that explains it."
next = "A question that leads on."

# The page that answers, with its state; a link that was copied from “Share this view” will do.
link = {link}

# The same in another language: [de], [es] or [fr].
# [de]
# title = "…"
"""
