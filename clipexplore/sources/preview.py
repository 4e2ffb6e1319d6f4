"""A look at a source before it is imported: what it was taken for, its first items, what is left out and unclear."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np

from clipexplore.errors import InputError
from clipexplore.images import encode, open_picture
from clipexplore.language import _
from clipexplore.models import catalog
from clipexplore.reports import Report, silent
from clipexplore.sources.descriptions import description_in
from clipexplore.sources.entries import Entry, Kind, Rejected, Source
from clipexplore.sources.rows import in_one_line

SHOWN, MOST = 10, 2_000  # items that are shown, and entries that are looked at
SIDE = 160  # pixels of a shown picture
_REASONS, _NAMES = 8, 3  # reasons that are told, and names with each
_FIELDS = 6  # of an item that a terminal shows
_WORDS = 1.5  # on average in a column of texts, from which it may be the captions


@dataclass(frozen=True)
class Shown:
    """One item: its picture as a small WebP, None where there is none, and the lengths of its vectors by kind."""

    name: str
    caption: str
    fields: Mapping[str, object]
    picture: bytes | None = None
    norms: Mapping[Kind, float] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return str(self.fields.get("label") or "")


@dataclass(frozen=True)
class LeftOut:
    """How many entries are refused for one reason, and the names of the first."""

    reason: str
    count: int
    names: tuple[str, ...]


@dataclass(frozen=True)
class Preview:
    """What a source is.

    Attributes
    ----------
    seen
        Entries that were looked at, of `source.count`.
    columns
        The fields that hold texts and may be the captions.
    questions
        What is not clear and somebody should say, a sentence each.
    """

    source: Source
    seen: int
    shown: tuple[Shown, ...]
    left_out: tuple[LeftOut, ...]
    columns: tuple[str, ...]
    questions: tuple[str, ...]


def look(source: Source, report: Report = silent, most: int = MOST) -> Preview:
    """Looks at the first entries of a source; of their pictures it opens those that it shows."""
    shown, seen, captioned = list[Shown](), 0, 0
    refused: dict[str, list[str]] = defaultdict(list)
    texts: dict[str, list[str]] = defaultdict(list)
    for entry in islice(source, most):
        seen += 1
        report(seen / max(min(most, source.count), 1), _("Looking at {name}").format(name=entry.name))
        if isinstance(entry, Entry) and not entry.is_empty and len(shown) < SHOWN:
            entry = _show(entry, shown)
        if isinstance(entry, Rejected):
            refused[entry.reason].append(entry.name)
            continue
        captioned += bool(entry.caption)
        if entry.is_empty:
            refused[_("It has no caption.")].append(entry.name)
        for name, value in entry.fields.items():
            if isinstance(value, str) and name not in ("label", "tags", "captions"):  # the further ones
                texts[name].append(value)
    columns = tuple(name for name, values in texts.items() if _reads_like_captions(values))
    return Preview(source, seen, tuple(shown), _reasons(refused), columns, (*_questions(source, captioned, columns),))


def as_text(preview: Preview) -> str:
    """A look as lines of text, for a terminal."""
    source = preview.source
    lines = [source.recognised, _("{count:,} entries").format(count=source.count), ""]
    for each in preview.shown:
        about = [f"{name}={value}" for name, value in each.fields.items()][:_FIELDS]
        norms = [_("norm {norm:.3f}").format(norm=norm) for norm in each.norms.values()]
        lines.append(f"  {each.name}: {each.caption[:100] or '–'}  ({', '.join((*about, *norms))[:200]})")
    for left in preview.left_out:
        message = _("Left out, {count:,} of the first {seen:,}: {reason} ({names})")
        names = ", ".join(left.names)
        lines += ["", message.format(count=left.count, seen=preview.seen, reason=left.reason, names=names)]
    return "\n".join([*lines, *(f"\n{each}" for each in (*source.notes, *preview.questions))])


def captioned_by(source: Source, column: str) -> Source:
    """The source with a field in the place of its captions; these are the field `caption_before` from then on.

    Raises
    ------
    InputError
        If none of its first entries has such a field.
    """
    fields = dict.fromkeys(name for each in islice(source, MOST) if isinstance(each, Entry) for name in each.fields)
    if column not in fields:
        message = _("There is no column {name!r}; there are: {names}.")
        raise InputError(message.format(name=column, names=", ".join(fields)[:500] or "–"))

    def stream() -> Iterator[Entry | Rejected]:
        for entry in source:
            if isinstance(entry, Rejected) or column not in entry.fields:
                yield entry
                continue
            said = in_one_line(str(entry.fields[column] or ""))
            before = {"caption_before": entry.caption} if entry.caption else {}
            others = {name: value for name, value in entry.fields.items() if name != column}
            yield replace(entry, caption=said, fields={**others, **before})

    return replace(source, stream=stream)


def _show(entry: Entry, shown: list[Shown]) -> Entry | Rejected:
    """Adds an item to those that are shown; as rejected if its picture cannot be opened."""
    norms = {kind: float(np.linalg.norm(vector)) for kind, vector in entry.vectors.items()}
    picture = None
    if entry.read:
        try:
            data = entry.read()
            picture = encode(open_picture(data, side=SIDE))
        except InputError as error:
            return Rejected(entry.name, str(error))
        entry = entry if entry.caption else replace(entry, caption=description_in(data))
    shown.append(Shown(entry.name, entry.caption, entry.fields, picture, norms))
    return entry


def _reads_like_captions(values: Sequence[str]) -> bool:
    written = [value for value in values if value.strip()]
    words = sum(len(value.split()) for value in written)
    return bool(written) and words >= _WORDS * len(written)


def _reasons(refused: Mapping[str, Sequence[str]]) -> tuple[LeftOut, ...]:
    """The most frequent ones."""
    counts = Counter({reason: len(names) for reason, names in refused.items()})
    return tuple(
        LeftOut(reason, count, tuple(refused[reason][:_NAMES])) for reason, count in counts.most_common(_REASONS)
    )


def _questions(source: Source, captioned: int, columns: Sequence[str]) -> Iterator[str]:
    if source.dim is not None:
        keys = ", ".join(key for key, each in catalog.models().items() if each.dim in (0, source.dim))
        question = _("Which model made these vectors of {dim} dimensions? Nothing here says so. Of that size: {keys}.")
        yield question.format(dim=source.dim, keys=keys or _("none of the catalogue"))
    if columns:
        names = ", ".join(columns)
        question = (
            _("Is the caption what is shown? The columns {names} hold texts, too.")
            if captioned
            else _("Which column is the caption? None was taken for it; texts stand in: {names}.")
        )
        yield question.format(names=names)
