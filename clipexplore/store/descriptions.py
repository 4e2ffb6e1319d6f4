"""What a picture's own file says of it: XMP, IPTC and EXIF, as photo managers and editors write them.

Sources: XMP specification part 1 (Adobe 2012), `dc:description`; IPTC-IIM 4.2, dataset 2:120; EXIF 2.32, tag 0x010E;
Windows' tags 0x9C9B, 0x9C9C and 0x9C9F in UTF-16.
"""

from __future__ import annotations

import re
from contextlib import suppress
from xml.etree import ElementTree

from clipexplore.images import metadata
from clipexplore.store.captions import in_one_line

_MOST = 1_000_000  # bytes of XMP that are read
_DUBLIN_CORE = "{http://purl.org/dc/elements/1.1/}"
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_IPTC_CAPTION = (2, 120)
_EXIF_DESCRIPTION, _WINDOWS = 0x010E, (0x9C9B, 0x9C9C, 0x9C9F)  # the latter: title, comment, subject
#: What cameras and editors write by themselves into every file.
_BY_ITSELF = re.compile(
    r"\W*((olympus|konica minolta|minolta|samsung|kodak|fujifilm|nikon|pentax|vivitar)?\s*digital (still )?camera|"
    r"sony dsc|samsung camera pictures|exif[_ ]jpeg([_ ]picture)?|dcim\\?.*|dcf 1\.0|default|untitled|screenshot|"
    r"created with .*|processed with .*|charset=\S*|file written by adobe photoshop.*)?\W*",
    re.IGNORECASE,
)


def description_in(data: bytes) -> str:
    """The description that the file of a picture holds; "" where there is none, or what its camera always writes."""
    said = metadata(data)
    texts = [in_xmp(said.xmp), _text(said.iptc.get(_IPTC_CAPTION)), _exif_text(said.exif.get(_EXIF_DESCRIPTION))]
    texts += [_utf16(said.exif.get(tag)) for tag in _WINDOWS]
    plain = (in_one_line(text.replace("\0", " ")) for text in texts)
    return next((text for text in plain if not _BY_ITSELF.fullmatch(text)), "")


def in_xmp(data: bytes) -> str:
    """The description in XMP, "" where there is none; what defines entities is not read."""
    if not data or len(data) > _MOST or b"<!" in data:
        return ""
    with suppress(ElementTree.ParseError, ValueError, LookupError):
        root = ElementTree.fromstring(data.strip(b"\0 \r\n\t"))
        for each in root.iter(f"{_DUBLIN_CORE}description"):
            said = [item.text for item in each.iter(f"{_RDF}li")] or [each.text]
            if text := next(filter(None, said), ""):
                return text
        for each in root.iter(f"{_RDF}Description"):
            if said_here := each.get(f"{_DUBLIN_CORE}description"):
                return said_here
    return ""


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
