"""What is said of a picture: in its own file, as XMP, IPTC and EXIF, and in the files beside it.

Beside it are a text, what a program wrote as JSON, XMP of a photo manager, a class, vectors. Sources: XMP specification
part 1 (Adobe 2012), `dc:description`; IPTC-IIM 4.2, dataset 2:120; EXIF 2.32, tag 0x010E; Windows' tags 0x9C9B, 0x9C9C
and 0x9C9F in UTF-16.
"""

from __future__ import annotations

import io
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np

from clipexplore.errors import InputError
from clipexplore.images import metadata, suffixes
from clipexplore.language import _
from clipexplore.sources.arrays import open_npy
from clipexplore.sources.captions import NUMBER
from clipexplore.sources.entries import Kind
from clipexplore.sources.files import Tree
from clipexplore.sources.rows import CAPTION, Roles, Row, column_of_ids, further_captions, in_one_line, texts_in

ENDINGS = (".txt", ".caption", ".json", ".xmp", ".cls")
VECTORS: dict[str, Kind] = {".image_vectors.npy": "pictures", ".text_vectors.npy": "captions"}
_MOST_TEXT = 100_000  # bytes of a text beside a picture that are looked through
_NUMBERS = 5  # in a line that is no caption
_MOST = 1_000_000  # bytes of a file beside a picture, and of XMP, that are read
_DUBLIN_CORE = "{http://purl.org/dc/elements/1.1/}"
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_IPTC_CAPTION = (2, 120)
_EXIF_DESCRIPTION, _WINDOWS = 0x010E, (0x9C9B, 0x9C9C, 0x9C9F)  # the latter: title, comment, subject
#: What cameras and editors write by themselves into every file.
_BY_ITSELF = re.compile(
    r"\W*((olympus|konica minolta|minolta|samsung|kodak|fujifilm|nikon|pentax|vivitar)?\s*digital (still )?camera|"
    r"sony dsc|samsung camera pictures|exif[_ ]jpeg([_ ]picture)?|dcim\\?.*|dcf 1\.0|default|untitled|screenshot|"
    r"created with .*|processed with .*|charset=\S*|file written by adobe photoshop.*)?\W*",
    re.IGNORECASE,
)


class Sidecars:
    """The files beside the pictures of a tree: `a.txt` and `a.jpg.txt` of `a.jpg`, and of `a.b.jpg` also `a.txt`, as
    WebDataset has it.
    """

    def __init__(self, tree: Tree):
        self._tree = tree
        endings = (*ENDINGS, *VECTORS)
        self._names = {name.lower(): name for name in tree.names if name.lower().endswith(endings)}
        whole, parts = {name.lower() for name in tree.names}, {_stem(name.lower()) for name in pictures_of(tree.names)}
        self._parts = defaultdict[str, dict[str, str]](dict)  # of a key what the files are called: `a.caption.txt`
        for name in self._names:
            found = _PART.fullmatch(name)
            if found and not name.endswith(tuple(VECTORS)) and not {_stem(name)} & (whole | parts):
                self._parts[found["key"]][name] = found["part"]

    def of(self, picture: str) -> list[str]:
        """The names of those of a picture that say something, in the order of `ENDINGS`."""
        stem, key = _stem(picture), _key(picture)
        found = {
            self._names[name]: None
            for ending in ENDINGS
            for name in (f"{stem}{ending}".lower(), f"{picture}{ending}".lower(), f"{key}{ending}".lower())
            if name in self._names
        }
        return [*found, *(self._names[name] for name in self._parts.get(key.lower(), ()))]

    def used(self, pictures: Iterable[str]) -> set[str]:
        """Those that belong to some picture."""
        return {name for picture in pictures for name in (*self.of(picture), *self._vectors(picture).values())}

    def said(self, picture: str) -> Row:
        """What they say of a picture; a text counts before JSON, and that before XMP.

        Raises
        ------
        InputError
            If one cannot be read, and none before it has a caption.
        """
        caption, fields, id = "", dict[str, object](), ""
        for name in self.of(picture):
            try:
                said = _read(self._tree.read(name), name)
            except InputError:
                if not caption:
                    raise
                continue
            part = self._parts.get(_key(picture).lower(), {}).get(name.lower(), "")
            if said.caption and part and name.lower().endswith(".txt") and (caption or part not in CAPTION):
                said = Row(fields={"captions" if part in CAPTION else part: said.caption})
            caption, fields, id = caption or said.caption, {**said.fields, **fields}, id or said.id
        return Row(caption=caption, id=id, fields=fields)

    def numbers(self, pictures: Iterable[str]) -> tuple[str, ...]:
        """A note where the texts beside some pictures are numbers."""
        texts = (name for picture in pictures for name in self.of(picture) if name.lower().endswith(".txt"))
        for name in texts:
            first, _end, _rest = self._tree.read(name)[:_MOST_TEXT].partition(b"\n")
            if _is_numbers(first.decode("utf-8", "replace")):
                message = _("Numbers beside pictures, such as boxes of YOLO in {name}, are no captions and not read.")
                return (message.format(name=name),)
        return ()

    def vectors(self, picture: str) -> dict[Kind, np.ndarray]:
        """The vectors `(dim,)` beside a picture, float32, by what they are of.

        Raises
        ------
        InputError
            If one is no such array.
        """
        return {kind: _vector(self._tree.read(name), name) for kind, name in self._vectors(picture).items()}

    def _vectors(self, picture: str) -> dict[Kind, str]:
        stem = _stem(picture).lower()
        return {kind: self._names[stem + ending] for ending, kind in VECTORS.items() if stem + ending in self._names}


#: A file of WebDataset whose name tells more of what it is: `folder/a.caption.txt`.
_PART = re.compile(r"(?P<key>(?:.*/)?[^./]+)\.(?P<part>[^\W\d]\w*)\.\w+")


def _stem(name: str) -> str:
    return name.rpartition(".")[0]


def _key(name: str) -> str:
    """What files of one item have in common in a WebDataset: all before the first dot behind the folder."""
    folder, slash, base = name.rpartition("/")
    return f"{folder}{slash}{base.split('.')[0]}"


def _vector(data: bytes, name: str) -> np.ndarray:
    try:
        found = open_npy(name, lambda: io.BytesIO(data), len(data))
        if len(found.shape) == 1 and found.dtype.kind == "f" and found.shape[0]:
            return next(found.blocks(found.shape[0])).astype(np.float32)
    except InputError:
        raise
    except Exception:  # noqa: BLE001, S110 – a damaged file raises anything, and the sentence below says so
        pass
    raise InputError(_("{name!r} is no vector that can be read; save it again.").format(name=name))


def _read(data: bytes, name: str) -> Row:
    ending = name.lower().rpartition(".")[2]
    if ending == "json":
        return _from_json(data, name)
    if ending == "xmp":
        return Row(caption=in_xmp(data), fields=_tags(data))
    text = _first_line(data, name)
    return Row(fields={"label": text}) if ending == "cls" else Row(caption="" if _is_numbers(text) else text)


def _is_numbers(text: str) -> bool:
    """Whether a line is numbers alone, five or more, as YOLO has boxes."""
    cells = text.split()
    return len(cells) >= _NUMBERS and all(map(NUMBER.fullmatch, cells))


def _first_line(data: bytes, name: str) -> str:
    """The caption that a text file holds: its first line that is not empty; InputError if it is not in UTF-8."""
    whole, data = len(data) <= _MOST_TEXT, data[:_MOST_TEXT]
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        lines = data.decode(encoding, "strict" if whole else "replace").split("\n")
    except UnicodeDecodeError as error:
        message = _("{name!r} is not text in UTF-8; save it in that encoding.")
        raise InputError(message.format(name=name)) from error
    return next((in_one_line(line) for line in lines if line.strip()), "")


#: What img2dataset writes of each picture and nobody looks at, that it was fetched and how; and LabelMe the picture.
_DULL = re.compile(r"status|error_message|exif|key|sha256|md5|imageData")


def _from_json(data: bytes, name: str) -> Row:
    """What an object says, or captions alone; an id is a field unless it is the name of the picture, in which a
    WebDataset has no dots.
    """
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        message = _("{name!r} beside the picture is not JSON that can be read ({error}); save it again.")
        raise InputError(message.format(name=name, error=str(error)[:120])) from error
    if not isinstance(found, dict):
        captions = texts_in(found) if isinstance(found, str | list) else []
        return Row(caption="".join(captions[:1]), fields=further_captions(captions))
    row, ids = Roles([*found], [*found]).row(0, found), column_of_ids([*found])
    if row.id.replace(".", "_") == _key(name).rpartition("/")[2].replace(".", "_"):
        return replace(row, fields=tidy(row.fields))
    return replace(row, id="", fields=tidy({ids: row.id, **row.fields} if row.id else row.fields))


def tidy(fields: dict[str, object]) -> dict[str, object]:
    """The fields that say something."""
    said = {name: value for name, value in fields.items() if value not in (None, "", {}, [])}
    return {name: value for name, value in said.items() if not _DULL.fullmatch(name)}


def pictures_of(names: Iterable[str]) -> Iterator[str]:
    """The names of pictures among some."""
    return (name for name in names if name.lower().endswith(suffixes()))


# In its own file


def description_in(data: bytes) -> str:
    """The description that the file of a picture holds; "" where there is none, or what its camera always writes."""
    said = metadata(data)
    texts = [in_xmp(said.xmp), _text(said.iptc.get(_IPTC_CAPTION)), _exif_text(said.exif.get(_EXIF_DESCRIPTION))]
    texts += [_utf16(said.exif.get(tag)) for tag in _WINDOWS]
    plain = (in_one_line(text.replace("\0", " ")) for text in texts)
    return next((text for text in plain if not _BY_ITSELF.fullmatch(text)), "")


def in_xmp(data: bytes) -> str:
    """The description in XMP, that for any language before others; "" where there is none."""
    root = _tree_of(data)
    for each in root.iter(f"{_DUBLIN_CORE}description"):
        texts = {item.get(_LANGUAGE): item.text for item in reversed([*each.iter(f"{_RDF}li")]) if item.text}
        if text := texts.get("x-default") or next(iter(reversed(texts.values())), each.text):
            return text
    for each in root.iter(f"{_RDF}Description"):
        if said_here := each.get(f"{_DUBLIN_CORE}description"):
            return said_here
    return ""


def _tags(data: bytes) -> dict[str, object]:
    """The field of the keywords in XMP, as digiKam and Lightroom write them."""
    every = _tree_of(data).iter(f"{_DUBLIN_CORE}subject")
    words = dict.fromkeys(item.text for each in every for item in each.iter(f"{_RDF}li") if item.text)
    return {"tags": ", ".join(words)} if words else {}


def _tree_of(data: bytes) -> ElementTree.Element:
    """What XMP says, nothing where it cannot be read; what defines entities is not."""
    if data and len(data) <= _MOST and b"<!" not in data:
        with suppress(ElementTree.ParseError, ValueError, LookupError):
            return ElementTree.fromstring(data.strip(b"\0 \r\n\t"))
    return ElementTree.Element("nothing")


def _text(value: object) -> str:
    """A text of IPTC: bytes, or several."""
    value = value[0] if isinstance(value, list) and value else value
    if not isinstance(value, bytes):
        return ""
    with suppress(UnicodeDecodeError):
        return value.decode()
    return value.decode("latin-1")


def _exif_text(value: object) -> str:
    """A text of EXIF, which Pillow takes for Latin-1 and most programs write as UTF-8."""
    if not isinstance(value, str):
        return ""
    with suppress(UnicodeError):
        return value.encode("latin-1").decode()
    return value


def _utf16(value: object) -> str:
    with suppress(UnicodeDecodeError, TypeError, ValueError):
        return bytes(value).decode("utf-16-le") if isinstance(value, bytes | tuple) else ""
    return ""
