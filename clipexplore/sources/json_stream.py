"""JSON of any length, a value at a time: what `json` itself would read as a whole, and hold several times."""

from __future__ import annotations

import codecs
import io
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from itertools import chain, groupby, islice
from json import JSONDecodeError, JSONDecoder
from typing import IO, Any

from clipexplore.errors import InputError, in_words
from clipexplore.images import suffixes
from clipexplore.language import _
from clipexplore.reports import Report, silent

MOST_JSON = 5_000_000  # characters of one value
_CHUNK = 1 << 16  # bytes
_MOST_SAID = 1_000  # captions and fields of one file
_SPACE = " \t\r\n"
_GOES_ON = ("", ".", "e", "E", "+", "-")  # what may stand behind a number of which only the beginning was read
_decode = JSONDecoder().raw_decode


def values_of(open: Callable[[], IO[bytes]], name: str, report: Report = silent) -> Iterator[tuple[str, str, Any]]:
    """The values in a list or an object, each with its key, and with the key inside that where it is an object, too.

    Keys are "" in a list.

    `{"images": [{"id": 1}], "labels": {"a": "cat"}, "version": 2}` gives `("images", "", {"id": 1})`,
    `("labels", "a", "cat")` and `("version", "", 2)`.

    Raises
    ------
    InputError
        If it is no JSON in UTF-8, or one of these values has more than 5,000,000 characters.
    """
    with open() as file, _reading(name):
        text = _Text(file, name, report)
        if text.next() == "[":
            yield from (("", "", value) for value in _list(text))
        else:
            for key in _keys(text):
                first = text.next()
                if first == "[":
                    yield from ((key, "", value) for value in _list(text))
                elif first == "{":
                    yield from ((key, inside, text.value()) for inside in _keys(text))
                else:
                    yield key, "", text.value()
        text.end()


def records(open: Callable[[], IO[bytes]], name: str, report: Report) -> Iterator[dict]:
    """The objects in lists of a JSON file, and its texts; of an object that says a text, several or an object of each
    file, `{"a.jpg": "a cat"}`, these.
    """
    for key, every in groupby(values_of(open, name, report), lambda each: each[0]):
        if key.lower().endswith(suffixes()):
            yield _of_file(key, every)
            continue
        for _key, _inside, value in every:
            if isinstance(value, dict):
                yield value
            elif isinstance(value, str) and not key:
                yield {"caption": value}


def _of_file(file: str, every: Iterable[tuple[str, str, Any]]) -> dict:
    """What is said of a file: the fields of an object, or captions."""
    said = [(inside, value) for _key, inside, value in islice(every, _MOST_SAID)]
    fields = {inside: value for inside, value in said if inside}
    texts = [value for inside, value in said if not inside]
    return {"file": file, **({"caption": texts} if texts else {}), **fields}


def is_one_a_line(open: Callable[[], IO[bytes]]) -> bool:
    """Whether JSON of any ending holds one object a line, as `datasets`, pandas and DuckDB write it."""
    with open() as file:
        lines = [line for line in file.read(_CHUNK).splitlines() if line.strip()]
    with suppress(ValueError, RecursionError):
        return len(lines) > 1 and lines[1].lstrip().startswith(b"{") and isinstance(json.loads(lines[0]), dict)
    return False


def objects(lines: Iterator[str], name: str) -> Iterator[dict]:
    """The objects of a JSON list, or one of each line."""
    written = filter(str.strip, lines)
    with _reading(name):
        first = next(written, "")
        found: Iterable = map(json.loads, chain([first] if first else [], written))
        if first.lstrip().startswith("["):
            whole = io.StringIO()
            for line in chain([first], written):
                if whole.write(line) and whole.tell() > MOST_JSON:
                    message = _("{name!r} is one list of more than 5 MB; write one object a line instead.")
                    raise InputError(message.format(name=name))
            found = json.loads(whole.getvalue())
        yield from (each for each in found if isinstance(each, dict))


def _reading(name: str) -> AbstractContextManager[None]:
    return in_words(_("{name!r} is no JSON that can be read ({error}); write it again."), name=name)


class _Text:
    """The text of a file, of which as much is held as the value at hand needs."""

    def __init__(self, file: IO[bytes], name: str, report: Report):
        self._file, self._name, self._report = file, name, report
        self._size = max(file.seek(0, io.SEEK_END), 1)
        file.seek(0)
        self._bytes = codecs.getincrementaldecoder("utf-8-sig")()
        self._held, self._place, self._ended = "", 0, False

    def next(self) -> str:
        """The next character that is no space, which stays."""
        while True:
            while self._place < len(self._held):
                if self._held[self._place] not in _SPACE:
                    return self._held[self._place]
                self._place += 1
            if not self._more():
                raise ValueError("it ends too early")

    def take(self, one_of: str) -> str:
        """The next character that is no space, which has to be one of these."""
        if (found := self.next()) not in one_of:
            raise ValueError(f"{found!r} stands where one of {one_of!r} should")
        self._place += 1
        return found

    def end(self) -> None:
        """Raises a ValueError if there is more."""
        while self._held[self._place :].isspace() or self._place == len(self._held):
            self._place = len(self._held)
            if not self._more():
                return
        raise ValueError("more stands behind its end")

    def value(self) -> Any:
        """The next value."""
        self.next()
        while True:
            try:
                value, end = _decode(self._held, self._place)
                self._check(end - self._place)
                if self._held[end : end + 1] not in _GOES_ON or not self._more():
                    self._place = end
                    return value
            except JSONDecodeError:
                if not self._more():
                    raise

    def _check(self, characters: int) -> None:
        if characters > MOST_JSON:
            message = _("A value in {name!r} has more than {most:,} characters, the most that are read; split it.")
            raise InputError(message.format(name=self._name, most=MOST_JSON))

    def _more(self) -> bool:
        """Reads on, twice as much as is held; False at the end of the file."""
        if self._ended:
            return False
        self._held, self._place = self._held[self._place :], 0
        self._check(len(self._held))
        data = self._file.read(max(_CHUNK, len(self._held)))
        self._report(self._file.tell() / self._size, _("Reading {name}").format(name=self._name))
        self._ended = not data
        self._held += self._bytes.decode(data, final=self._ended)
        return bool(data)


def _list(text: _Text) -> Iterator[Any]:
    """The values of a list that begins here."""
    text.take("[")
    if text.next() == "]":
        text.take("]")
        return
    while True:
        yield text.value()
        if text.take(",]") == "]":
            return


def _keys(text: _Text) -> Iterator[str]:
    """The keys of an object that begins here; whoever asks takes the value behind each."""
    text.take("{")
    if text.next() == "}":
        text.take("}")
        return
    while True:
        if text.next() != '"':
            raise ValueError("a key has no quotes")
        key = text.value()
        text.take(":")
        yield key
        if text.take(",}") == "}":
            return
