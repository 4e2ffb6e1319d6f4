"""Opening, shrinking and writing pictures; the only module that lets Pillow see a file.

A file is the most dangerous thing a visitor can hand over: every cap and the list of accepted formats stand here, and
whatever a decoder does with hostile bytes ends in a small RGB picture or in an `InputError`.
"""

import hashlib
import html
import math
import re
import textwrap
import threading
import warnings
from base64 import b64encode
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import cast

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageOps, IptcImagePlugin, JpegImagePlugin

from clipexplore.errors import InputError
from clipexplore.language import _

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF", "TIFF", "JPEG2000")
_ENDINGS = (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".gif", ".bmp", ".avif", ".tif", ".tiff", ".jp2")
SIDE = 1024  # pixels; no page shows and no model reads more
SIDE_OF_UPLOAD = 256  # pixels of what is kept of a visitor's picture
MAX_BYTES = 20_000_000
MAX_PIXELS = 200_000_000  # in the header: phones make JPEGs of 200 megapixels, which are decoded at a fraction of that
MAX_DECODED = 40_000_000  # pixels held at once, at most 8 bytes each
# these decoders hold a picture three or four times
MAX_DECODED_OF = {"WEBP": 16_000_000, "AVIF": 24_000_000, "HEIF": 24_000_000, "JPEG2000": 12_000_000}
MAX_SCANS = 100  # of a JPEG; camera files have about ten, and each one more is another pass over all pixels
# pixels; larger pictures are decoded one at a time, so that a class uploading at once fits in memory
_LARGE = 4_000_000
_DARK, _WHITE = "#404040", 235  # what nearly white pictures stand on, and the mean from which they are
_MOST_PROFILE = 4_000_000  # bytes of a colour profile
_STRIP = 64  # rows of the reduced picture that are converted together

# Pillow's own guard, for the checks it makes while it reads a header. Both lines hold for the whole process.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.simplefilter("error", Image.DecompressionBombWarning)

_one_large_picture = threading.Lock()

_JPEG_SEGMENT = re.compile(rb"\xff[\xc0-\xcf\xdb-\xfe]")  # a marker with a length, other than that of a scan

# EXIF orientation -> what makes the picture upright (EXIF 2.32, tag 0x0112).
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@cache
def formats() -> tuple[str, ...]:
    """What can be opened: `FORMATS`, and HEIF (as phones make it) where the extra `heic` is installed."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return FORMATS
    register_heif_opener(thumbnails=False)
    return (*FORMATS, "HEIF")


def suffixes() -> tuple[str, ...]:
    """The endings, in small letters, of files that are taken for pictures."""
    return (*_ENDINGS, ".heic", ".heif") if "HEIF" in formats() else _ENDINGS


def open_picture(data: bytes | Path, least: int | None = None, side: int = SIDE) -> Image.Image:
    """A picture as upright RGB on white, its longer side at most `side` pixels.

    Only the first frame is read. The picture carries no metadata: nothing of the file but its pixels goes further.

    Parameters
    ----------
    data : the content of a file in one of `formats()`, whatever its name says, or the path of such a file
    least : for models, which do their own scaling: nothing is shrunk, but a JPEG decoded at the fraction of its size at
        which its shorter side still has `least` pixels

    Raises
    ------
    InputError
        For anything else: another format, a damaged or truncated file, more than `MAX_BYTES`, more than `MAX_PIXELS`
        in the header, or more pixels to decode than memory allows.
    """
    name = _("This picture")
    if isinstance(data, Path):
        name, data = _("The picture {name!r}").format(name=data.name), _read(data)
    if len(data) > MAX_BYTES:
        message = _("{name} is larger than {most} MB, the most that can be opened; make it smaller.")
        raise InputError(message.format(name=name, most=MAX_BYTES // 10**6))
    try:
        return _decode(data, name, least, side)
    except InputError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        message = _("{name} has more than {most} million pixels, the most that can be opened; make it smaller.")
        raise InputError(message.format(name=name, most=MAX_PIXELS // 10**6)) from error
    except Exception as error:  # a decoder fed with damaged bytes raises anything, down to struct.error and KeyError
        message = _(
            "{name} cannot be read: it is damaged or not one of {formats}; open it in another program and save it as "
            "JPEG or PNG."
        )
        raise InputError(message.format(name=name, formats=", ".join(formats()))) from error


def thumbnail(picture: Image.Image, size: int) -> Image.Image:
    """A copy whose longer side is at most `size` pixels; a smaller picture stays as it is."""
    small = picture.copy()
    small.thumbnail((size, size), Image.Resampling.LANCZOS)
    return small


def small_copy(data: bytes) -> bytes:
    """What is kept, shown and embedded of a picture that a visitor uploads: a WebP of at most 256 pixels a side.

    Raises
    ------
    InputError
        As `open_picture`.
    """
    return encode(thumbnail(open_picture(data), SIDE_OF_UPLOAD))


def encode(picture: Image.Image, format: str = "WEBP", **options: object) -> bytes:
    """The picture as the bytes of a file; `options` are those of Pillow's writer, such as `quality` or `pnginfo`."""
    file = BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def card(text: str) -> str:
    """An SVG with a text on it, as the address that a browser shows it by; what does not fit ends in "…"."""
    lines = textwrap.wrap(text, 20, max_lines=8, placeholder=" …", break_long_words=True)
    top = 112 - 11 * (len(lines) - 1)
    spans = "".join(
        f'<tspan x="112" y="{top + 22 * row}">{html.escape(line)}</tspan>' for row, line in enumerate(lines)
    )
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 224 224" width="224" height="224">'
        '<rect width="224" height="224" fill="#e6e8ee"/><text text-anchor="middle" dominant-baseline="middle" '
        f'font-family="sans-serif" font-size="17" fill="#31333f">{spans}</text></svg>'
    )
    return f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}"


def data_url(data: bytes) -> str:
    """A PNG or WebP as an address that holds all of it."""
    return f"data:image/{'webp' if is_webp(data) else 'png'};base64,{b64encode(data).decode('ascii')}"


@dataclass(frozen=True)
class Metadata:
    """What a picture's file holds beside its pixels: EXIF and IPTC by their tags, XMP as it is."""

    exif: dict[int, object] = field(default_factory=dict)
    iptc: dict[tuple[int, int], object] = field(default_factory=dict)
    xmp: bytes = b""


def metadata(data: bytes) -> Metadata:
    """That of a picture; of one that cannot be read, or has damaged metadata, nothing."""
    try:
        with Image.open(BytesIO(data), formats=formats()) as picture:
            xmp = picture.info.get("xmp", b"")
            iptc = IptcImagePlugin.getiptcinfo(picture) or {}
            return Metadata(dict(picture.getexif()), dict(iptc), xmp if isinstance(xmp, bytes) else str(xmp).encode())
    except Exception:  # noqa: BLE001 – as `open_picture`: damaged bytes raise anything, and the pixels may be whole
        return Metadata()


def text_in(data: bytes, keyword: str) -> str:
    """What a PNG says under a keyword before its pixels, which are not decoded; "" where it says nothing."""
    try:
        with Image.open(BytesIO(data), formats=("PNG",)) as picture:
            return str(picture.info.get(keyword, ""))
    except Exception:  # noqa: BLE001 – as `open_picture`
        return ""


def is_webp(data: bytes) -> bool:
    """Whether the file says that it is one."""
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def picture_id(data: bytes) -> str:
    """`up-` and 12 hexadecimal digits made from the content: the same file has the same id everywhere."""
    return "up-" + hashlib.blake2b(data, digest_size=6).hexdigest()


def _read(path: Path) -> bytes:
    """The file's bytes, of a larger one only as many as show that it is too large."""
    if not path.is_file():
        raise InputError(_("The picture {name!r} is not a file that exists; check its path.").format(name=path.name))
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        message = _("The picture {name!r} cannot be read ({reason}); check its permissions.")
        raise InputError(message.format(name=path.name, reason=error.strerror)) from error


def _decode(data: bytes, name: str, least: int | None, side: int) -> Image.Image:
    with Image.open(BytesIO(data), formats=formats()) as picture:  # reads the header only
        pixels = _pixels_to_decode(picture, data, name, least or min(SIDE, 2 * side))
        with _one_large_picture if pixels > _LARGE else nullcontext():
            picture.load()
            _look_at(picture)
            small = _flat(picture) if least else _shrink(picture, side)
            small = _in_srgb(small, picture.info.get("icc_profile"))
        turn = _turn(picture)
    small.info.clear()
    return small if turn is None else small.transpose(turn)


def _pixels_to_decode(picture: Image.Image, data: bytes, name: str, side: int) -> int:
    """How many pixels the decoder will hold, refused if too many; a JPEG is read at a fraction of its size."""
    width, height = picture.size
    if width * height > MAX_PIXELS:  # again, whatever the filters of warnings say by now
        raise Image.DecompressionBombError
    pixels, limit = width * height, MAX_DECODED_OF.get(picture.format or "", MAX_DECODED)
    if isinstance(picture, JpegImagePlugin.JpegImageFile):
        if data.count(b"\xff\xda") > MAX_SCANS:
            message = _(
                "{name} is a JPEG with more than {most} scans, the most that can be opened; save it as an ordinary "
                "JPEG."
            )
            raise InputError(message.format(name=name, most=MAX_SCANS))
        picture.draft(None, (side, side))
        if _in_one_pass(picture, data):
            pixels = picture.width * picture.height
    if pixels > limit:
        message = _(
            "{name} has {width:,} × {height:,} pixels, but from the format {format} at most {most} million pixels can "
            "be opened; make it smaller or save it as an ordinary JPEG."
        )
        raise InputError(
            message.format(name=name, width=width, height=height, format=picture.format, most=limit // 10**6)
        )
    return pixels


def _in_one_pass(picture: JpegImagePlugin.JpegImageFile, data: bytes) -> bool:
    """Whether all channels come in one scan; if not, the decoder keeps every pixel, however small the result is."""
    start = 2  # behind the SOI marker
    while _JPEG_SEGMENT.match(data, start):
        start += 2 + int.from_bytes(data[start + 2 : start + 4], "big")
    first_scan, channels = data[start : start + 2] == b"\xff\xda", data[start + 4 : start + 5]
    return first_scan and channels == bytes([picture.layers]) and not picture.info.get("progressive")


def _shrink(picture: Image.Image, side: int) -> Image.Image:
    """RGB on white, at most `side` pixels long; strip by strip, so that no second picture of full size is ever made."""
    if max(picture.size) <= side:
        return _flat(picture)
    factor = max(1, max(picture.size) // (2 * side))
    small = Image.new("RGB", (-(-picture.width // factor), -(-picture.height // factor)))
    for top in range(0, small.height, _STRIP):
        box = (0, top * factor, picture.width, min((top + _STRIP) * factor, picture.height))
        small.paste(_flat(picture.crop(box)).reduce(factor), (0, top))
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return small


def _look_at(picture: Image.Image) -> None:
    """Notes what all its strips share: the range of grey of 16 bits or of numbers, and the ground where it is clear.

    A white logo on a clear ground would be white on white, so what is nearly white stands on dark grey.
    """
    if picture.mode.startswith("I"):
        picture.info["shift"] = max(0, int(np.asarray(picture).max()).bit_length() - 8)
    elif picture.mode == "F":
        low, high = cast(tuple[float, float], picture.getextrema())
        whole = math.isfinite(high - low) and (low < 0 or high > 1)
        picture.info["range"] = (low, max(high, low + 1)) if whole else (0.0, 1.0)
    elif picture.has_transparency_data:
        sample = np.asarray(picture.resize((64, 64), Image.Resampling.NEAREST).convert("RGBA"))
        seen = sample[sample[..., 3] > 127][:, :3]
        picture.info["ground"] = _DARK if len(seen) and len(seen) < 64 * 64 and seen.mean() > _WHITE else "white"


def _flat(picture: Image.Image) -> Image.Image:
    """RGB without transparency; grey of 16 bits and of numbers, which Pillow would clip, scaled by its range."""
    if picture.mode.startswith("I"):
        grey = np.asarray(picture)
        clear = grey == picture.info.get("transparency", -1)
        return Image.fromarray(np.where(clear, 255, grey >> picture.info["shift"]).astype(np.uint8)).convert("RGB")
    if picture.mode == "F":
        low, high = picture.info["range"]
        grey = np.nan_to_num((np.asarray(picture) - low) * (255 / (high - low)), posinf=255.0)
        return Image.fromarray(grey.clip(0, 255).astype(np.uint8)).convert("RGB")
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    ground, picture = picture.info["ground"], picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, ground), picture).convert("RGB")


def _in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """The colours that an RGB profile means, such as those of a phone's Display P3; by a damaged one as they are."""
    if not profile or len(profile) > _MOST_PROFILE:
        return picture
    try:
        given = ImageCms.ImageCmsProfile(BytesIO(profile))
        about = given.profile
        if about.xcolor_space.strip() != "RGB" or "sRGB" in (about.profile_description or ""):
            return picture
        return ImageCms.profileToProfile(picture, given, ImageCms.createProfile("sRGB"), outputMode="RGB") or picture
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return picture


def _turn(picture: Image.Image) -> Image.Transpose | None:
    try:
        return _TURNS.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 – damaged metadata is no reason to refuse pixels that are whole
        return None


def contact_sheet(pictures: list[Image.Image], size: int = 128, columns: int | None = None) -> Image.Image:
    """All pictures in one, row by row, each fitted into a square of `size` pixels on white; half as many rows again as
    columns, unless `columns` says how many."""
    columns = columns or max(1, min(len(pictures), math.ceil(math.sqrt(len(pictures) * 1.5))))
    sheet = Image.new("RGB", (columns * size, math.ceil(len(pictures) / columns) * size), "white")
    for number, picture in enumerate(pictures):
        small = ImageOps.pad(picture, (size, size), color="white")
        sheet.paste(small, (number % columns * size, number // columns * size))
    return sheet
