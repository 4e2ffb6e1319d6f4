"""Google Photos as Takeout exports them: a JSON beside each picture, found by how its name was clipped and numbered.

`IMG.jpg` has `IMG.jpg.supplemental-metadata.json` (before 2024 `IMG.jpg.json`), of which 46 characters are kept before
`.json`; of `IMG(1).jpg` the number moves behind: `IMG.jpg.supplemental-metadata(1).json`; an edited copy
`IMG-edited.jpg` shares that of `IMG.jpg`. Sources: github.com/simulot/immich-go, "Google Photos takeouts", issues 652
and 756; github.com/immich-app/immich, issue 30319.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import PurePosixPath

from clipexplore.errors import InputError
from clipexplore.language import _
from clipexplore.reports import Report, silent
from clipexplore.sources.descriptions import pictures_of
from clipexplore.sources.entries import Entry, Rejected, Source
from clipexplore.sources.files import Tree
from clipexplore.sources.folders import why_not
from clipexplore.sources.rows import in_one_line

_KEPT = 46  # characters of a name before .json
_SUPPLEMENT = ".supplemental-metadata"
_NUMBERED = re.compile(r"(.*?)(\(\d+\))?")  # a name and the number of a copy
_YEAR = re.compile(r".* (19|20)\d\d")  # a folder of all that is of a year, in any language; others are albums
_FIRST = 50  # JSON files among which one has to be of a photo
_MOST = 1_000_000  # bytes of one


def read(tree: Tree, report: Report = silent) -> Source | None:
    """The pictures of an export with their descriptions, dates, people and places; None where it is none.

    JSON without its picture is told: another part of the export may have it.
    """
    # A picture of an album lies in the folder of its year, too, and what comes twice is imported once.
    pictures = sorted(pictures_of(tree.names), key=lambda name: not _album(name))
    written = [name for name in tree.names if name.lower().endswith(".json")]
    if not pictures or not any(_photo(tree, name) for name in islice(written, _FIRST)):
        return None
    found = _sidecars(pictures, written)
    used = {*pictures, *found.values()}
    left = [name for name in tree.names if name not in used and not _of_an_album(tree, name)]

    def stream() -> Iterator[Entry | Rejected]:
        albums = _albums(tree, found)
        for name in pictures:
            try:
                said = _photo(tree, found[name]) if name in found else {}
            except InputError as error:
                yield Rejected(name, str(error))
                continue
            caption = in_one_line(str(said.get("description") or ""))
            every = albums.get(_taken(said)) if said else None
            album = {"album": ", ".join(every)} if every else _album(name)
            yield Entry(name, caption, {**album, **_fields(said)}, read=tree.reader(name))
        for name in left:
            yield Rejected(name, _why_left(name))

    recognised = _("Google Photos from Takeout: {said:,} of {pictures:,} pictures have their JSON beside them.")
    about = recognised.format(said=len(found), pictures=len(pictures))
    return Source("pictures", len(pictures) + len(left), stream, recognised=about)


def _sidecars(pictures: list[str], written: list[str]) -> dict[str, str]:
    """The JSON of each picture that has one; an edited copy has that of its original."""
    by_folder: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    called = {unicodedata.normalize("NFC", name): name for name in written}  # a Mac writes ü as two characters
    for name in called:
        folder, _slash, base = name.rpartition("/")
        stem, number = _split(base[: -len(".json")])
        by_folder[folder][number or ""].append(stem)
    found: dict[str, str] = {}
    for name in pictures:
        folder, _slash, base = unicodedata.normalize("NFC", name).rpartition("/")
        for each in (base, _original(base)):
            if each and (stem_number := _match(each, by_folder.get(folder, {}))):
                found[name] = called[f"{folder}/{''.join(stem_number)}.json".removeprefix("/")]
                break
    return found


def _match(base: str, written: dict[str, list[str]]) -> tuple[str, str] | None:
    """The name before .json, and the number behind it, that belong to a picture's name: the longest that fits."""
    stem, _dot, ending = base.rpartition(".")
    plain, number = _split(stem)
    for full, moved in ((f"{plain}.{ending}", number), (base, "")):
        whole = full + _SUPPLEMENT
        fitting = [
            each
            for each in written.get(moved, ())
            if whole.startswith(each) and (len(each) >= len(full) or len(each) + len(moved) >= _KEPT)
        ]
        if fitting:
            return max(fitting, key=len), moved
    return None


def _split(stem: str) -> tuple[str, str]:
    """A name without the number of a copy, and that."""
    found = _NUMBERED.fullmatch(stem)
    return (found[1], found[2] or "") if found else (stem, "")


def _original(base: str) -> str:
    """The name of the picture that `IMG-edited.jpg` is made of, in any language; "" where it is no such name."""
    found = re.fullmatch(r"(.+)-[^\W\d_]+(\(\d+\))?(\.\w+)", base)
    return f"{found[1]}{found[2] or ''}{found[3]}" if found else ""


def _photo(tree: Tree, name: str) -> dict:
    """What a JSON says of a photo, {} where it is of something else."""
    with suppress(ValueError, RecursionError):
        said = json.loads(tree.read(name)[:_MOST])
        if isinstance(said, dict) and "photoTakenTime" in said:
            return said
    return {}


def _fields(said: dict) -> dict[str, object]:
    """When, where and who: dates as in ISO 8601, places in degrees."""
    fields: dict[str, object] = {}
    with suppress(KeyError, TypeError, ValueError, OverflowError, OSError):
        fields["taken"] = datetime.fromtimestamp(int(said["photoTakenTime"]["timestamp"]), UTC).isoformat()
    place = said.get("geoData")
    if isinstance(place, dict) and (place.get("latitude") or place.get("longitude")):
        fields |= {"latitude": place.get("latitude"), "longitude": place.get("longitude")}
    people = said.get("people")
    if isinstance(people, list):
        names = [str(each["name"]) for each in people if isinstance(each, dict) and each.get("name")]
        fields |= {"people": ", ".join(names)} if names else {}
    return fields


def _albums(tree: Tree, found: Mapping[str, str]) -> dict[tuple[str, str], dict[str, None]]:
    """The names of all albums that a photo is in, by what tells it from others; each has a copy of it."""
    albums: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for picture, written in found.items():
        if album := _album(picture).get("album"):
            with suppress(InputError):
                albums[_taken(_photo(tree, written))][str(album)] = None
    return albums


def _taken(said: dict) -> tuple[str, str]:
    """What its camera called a photo, and when it was taken: the same in all folders."""
    return str(said.get("title")), str(said.get("photoTakenTime"))


def _album(name: str) -> dict[str, object]:
    folder = PurePosixPath(name).parent.name
    return {} if not folder or _YEAR.fullmatch(folder) else {"album": folder}


def _of_an_album(tree: Tree, name: str) -> bool:
    """Whether a JSON is what Takeout says of an album, or of sharing: no picture's."""
    return name.lower().endswith(".json") and not _photo(tree, name)


def _why_left(name: str) -> str:
    if name.lower().endswith(".json"):
        return _("It tells of a picture that is not here; another part of the export may hold it.")
    return why_not(name)
