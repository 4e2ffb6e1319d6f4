"""What visitors read stands in the source as `_("…")`, so that gettext can collect and translate it."""

import ast
import re
from functools import cache
from io import BytesIO
from pathlib import Path
from string import Formatter

import numpy as np
import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from clipexplore.language import LANGUAGES, _, decimal_marks, duration, language, ngettext, numeral, size

ROOT = Path(__file__).parent.parent
SOURCES = [ROOT / "app.py", *(ROOT / "pages").glob("*.py"), *(ROOT / "clipexplore").rglob("*.py")]


def messages(path: Path):
    """(line, message, names given to it by `.format`, None where that is not called at once) of each `_("…")`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    formats = {
        id(node.func.value): {keyword.arg for keyword in node.keywords}
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format"
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("_", "ngettext"):
            for message in node.args[: 1 if node.func.id == "_" else 2]:
                yield node.lineno, message, formats.get(id(node))


def fields(message: str) -> set[str]:
    return {name.partition("[")[0].partition(".")[0] for _, name, *_ in Formatter().parse(message) if name}


def test_messages_are_whole_and_get_their_values():
    for where, (line, message, given) in [(path, each) for path in SOURCES for each in messages(path)]:
        assert isinstance(message, ast.Constant) and isinstance(message.value, str), f"{where}:{line} is put together"
        if given is not None and None not in given:
            assert fields(message.value) <= given, f"{where}:{line} lacks {fields(message.value) - given}"


def test_without_a_translation_english_is_read():
    token = language.set("xx")
    try:
        assert _("Search") == "Search" and ngettext("{n} picture", "{n} pictures", 2) == "{n} pictures"
    finally:
        language.reset(token)


TRANSLATED = [code for code in LANGUAGES if code != "en"]


@cache
def in_the_source() -> Catalog:
    """What gettext's extraction finds."""
    found = Catalog()
    methods = [(pattern, "python") for pattern in ("app.py", "pages/**.py", "clipexplore/**.py")]
    words = {"_": None, "ngettext": (1, 2)}
    for *_where, message, _comments, _context in extract_from_dir(ROOT, methods, keywords=words):
        found.add(message)
    return found


@pytest.mark.parametrize("code", TRANSLATED)
def test_everything_is_translated(code):
    folder = ROOT / "locale" / code / "LC_MESSAGES"
    with open(folder / "clipexplore.po", "rb") as file:
        ours = read_po(file, locale=code)
    empty = [message.id for message in ours if message.id and (message.fuzzy or not all(forms(message.string)))]
    ids = {message.id for message in in_the_source() if message.id}
    assert not empty and not ids - {message.id for message in ours}
    compiled = BytesIO()
    write_mo(compiled, ours)
    assert (folder / "clipexplore.mo").read_bytes() == compiled.getvalue(), "`pybabel compile` was not run"


def test_no_sentence_reads_the_same_in_two_languages():
    """As one does that was copied from the catalogue beside; single words may be the same."""
    said: dict[tuple, str] = {}
    for code in TRANSLATED:
        with open(ROOT / "locale" / code / "LC_MESSAGES" / "clipexplore.po", "rb") as file:
            for message in read_po(file, locale=code):
                for place, each in enumerate(forms(message.string) if message.id else ()):
                    words = re.findall(r"[^\W\d_]{2,}", re.sub(r"{[^}]*}|`[^`]*`", "", each))
                    assert len(words) < 3 or said.setdefault((message.id, place, each), code) == code, each


@pytest.mark.parametrize("code", TRANSLATED)
def test_translations_take_the_same_values_and_keep_the_marks(code):
    with open(ROOT / "locale" / code / "LC_MESSAGES" / "clipexplore.po", "rb") as file:
        for message in read_po(file, locale=code):
            for said in forms(message.string) if message.id else ():
                meant = forms(message.id)[-1]
                assert written(said) in map(written, forms(message.id)), said  # "a picture", "{n} pictures"
                assert [said.count(mark) for mark in ("`", "**", "\n\n")] == [
                    meant.count(mark) for mark in ("`", "**", "\n\n")
                ], said
                assert (said[:1].isspace(), said[-1:].isspace()) == (meant[:1].isspace(), meant[-1:].isspace()), said


def forms(message: str | list | tuple) -> list[str]:
    return [message] if isinstance(message, str) else list(message)


def written(message: str) -> list[tuple]:
    """The fields of a message with how they are written, in any order."""
    return sorted((name, spec, mark or "") for _, name, spec, mark in Formatter().parse(message) if name)


NARROW, BLANK = "\u202f", "\u00a0"


@pytest.mark.parametrize(
    ("code", "four", "many", "share", "marks"),
    [
        ("en", "2,626", "-12,345.68", "55.1%", ".,"),
        ("de", "2.626", "-12.345,68", f"55,1{BLANK}%", ",."),
        ("es", "2626", f"-12{NARROW}345,68", f"55,1{BLANK}%", f",{NARROW}"),
        ("fr", f"2{NARROW}626", f"-12{NARROW}345,68", f"55,1{BLANK}%", f",{NARROW}"),
    ],
)
def test_numbers_are_written_as_in_the_language(code, four, many, share, marks):
    token = language.set(code)
    try:
        assert (numeral(2626, ","), numeral(-12345.678, ",.2f"), numeral(np.float32(0.551), ".1%")) == (
            four,
            many,
            share,
        )
        assert numeral("@lion-0.5", "") == "@lion-0.5" and decimal_marks() == marks
        says = _("{count:,} of {whole:,} points are shown, taken at even steps.").format(count=2626, whole=123456)
        assert four in says and numeral(123456, ",") in says
        assert share in ngettext("{of[a: b]:.1%} of {what}", "{of[a: b]:.1%} of {what}", 2).format(
            of={"a: b": 0.551}, what="@x-1.5"
        )
    finally:
        language.reset(token)


def test_what_pages_write_themselves_is_written_so_too():
    """What a machine reads is not: tables, links and expressions."""
    machines = {"_scores_file", "_cells_file", "_hits_file", "_csv", "_values", "take_region", "note_places"}
    for path in (*(ROOT / "pages").glob("*.py"), *(ROOT / "clipexplore" / "ui").glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        of_machines = [each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef) and each.name in machines]
        plain = {id(node) for each in of_machines for node in ast.walk(each)}
        for node in ast.walk(tree):
            if isinstance(node, ast.FormattedValue) and node.format_spec is not None and id(node) not in plain:
                assert not re.search("[fge%,]", ast.unparse(node.format_spec)[2:-1]), f"{path}:{node.lineno}"


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "0.0 MB"),
        (3_140_000, "3.1 MB"),
        (37_000_000, "37 MB"),
        (608_000_000, "608 MB"),
        (2_750_000_000, "2.8 GB"),
        (1_234_500_000_000, "1,234.5 GB"),
    ],
)
def test_sizes_are_for_people(number, said):
    assert size(number) == said


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (12, "12 s"), (89, "89 s"), (90, "2 min"), (600, "10 min"), (7200, "2.0 h")]
)
def test_times_are_for_people(seconds, said):
    assert duration(seconds) == said
