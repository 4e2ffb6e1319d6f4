"""Pictures: what comes out of honest files, and that hostile ones end in a sentence, quickly and in little memory."""

import random
import struct
import subprocess
import sys
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, ImageFile, ImageOps

from clipexplore import images
from clipexplore.errors import InputError
from clipexplore.images import contact_sheet, encode, open_picture, picture_id, thumbnail

WIDTH, HEIGHT = 40, 30


def a_picture(mode: str = "RGB", size: tuple[int, int] = (WIDTH, HEIGHT)) -> Image.Image:
    """Smooth colours, different in every corner, with an alpha channel that runs from clear to solid."""
    x, y = np.meshgrid(np.linspace(0, 255, size[0]), np.linspace(0, 255, size[1]))
    rgba = np.stack([x, y, 255 - x, y], axis=-1).astype(np.uint8)
    return Image.fromarray(rgba, "RGBA").convert(mode)


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, *, bits: int = 1, color: int = 0, extra: bytes = b"") -> bytes:
    """A black PNG of any size, made row by row; `color` is the type of the PNG specification (0 grey, 6 RGBA)."""
    row = bytes(1 + (width * bits * {0: 1, 2: 3, 6: 4}[color] + 7) // 8)
    squeeze = zlib.compressobj(9)
    rows = b"".join(squeeze.compress(row) for _ in range(height)) + squeeze.flush()
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")


def tiff(width: int, height: int) -> bytes:
    """A TIFF that says it is so large, and holds next to nothing."""
    tags = [(256, width), (257, height), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, height), (279, 1)]
    listed = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + listed + bytes(4)


def gif(width: int, height: int, frames: int) -> bytes:
    """A GIF whose frames are one pixel each."""
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return (
        b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff" + frame * frames + b"\x3b"
    )


def jpeg(width: int, height: int, *, progressive: bool = False, interleaved: bool = True, passes: int = 1) -> bytes:
    """A grey three-channel JPEG: with one-bit codes for "nothing changes" its data are zeros."""

    def segment(marker: int, content: bytes) -> bytes:
        return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content

    def scan(channels: list[int], first: int, last: int, bits: int) -> bytes:
        header = bytes([len(channels)]) + b"".join(bytes([c, 0]) for c in channels) + bytes([first, last, 0])
        return segment(0xDA, header) + bytes(-(-bits // 8))

    blocks = -(-width // 8) * -(-height // 8)
    end_of_block = 0xE0 if progressive else 0  # 0xE0: of the next 16,384 blocks
    head = segment(0xDB, b"\0" + b"\1" * 64) + segment(
        0xC2 if progressive else 0xC0, struct.pack(">BHHB", 8, height, width, 3) + b"\1\x11\0\2\x11\0\3\x11\0"
    )
    for table, symbol in ((0x00, 0), (0x10, end_of_block)):
        head += segment(0xC4, bytes([table, 1] + [0] * 15 + [symbol]))
    if progressive:
        scans = scan([1, 2, 3], 0, 0, blocks * 3) + scan([1], 1, 63, -(-blocks // 16384) * 15) * passes
    elif interleaved:
        scans = scan([1, 2, 3], 0, 63, blocks * 6)
    else:
        scans = b"".join(scan([channel], 0, 63, blocks * 2) for channel in (1, 2, 3))
    return b"\xff\xd8" + head + scans + b"\xff\xd9"


# Honest files


@pytest.mark.parametrize("format", images.FORMATS)
def test_every_format_opens_with_its_colours(format):
    picture = a_picture()
    opened = open_picture(encode(picture, format, **({"quality": 95} if format in ("JPEG", "WEBP", "AVIF") else {})))
    assert opened.mode == "RGB" and opened.size == (WIDTH, HEIGHT) and opened.info == {}
    assert np.abs(np.asarray(opened, float) - np.asarray(picture, float)).mean() < (30 if format == "GIF" else 4)


def test_a_path_gives_what_its_bytes_give_whatever_its_name(tmp_path):
    path = tmp_path / "picture.jpg"
    path.write_bytes(encode(a_picture(), "PNG"))
    assert open_picture(path).tobytes() == open_picture(path.read_bytes()).tobytes() == a_picture().tobytes()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_modes_of_png_become_rgb_on_white(mode):
    picture = a_picture(mode)
    rgba = np.asarray(picture.convert("RGBA"), float)
    alpha = rgba[..., 3:] / 255
    expected = rgba[..., :3] * alpha + 255 * (1 - alpha)
    np.testing.assert_allclose(np.asarray(open_picture(encode(picture, "PNG")), float), expected, atol=1.5)


@pytest.mark.parametrize("format", ["WEBP", "AVIF"])
def test_a_clear_picture_is_white(format):
    clear = Image.new("RGBA", (WIDTH, HEIGHT), (200, 0, 0, 0))
    assert np.asarray(open_picture(encode(clear, format))).min() > 250


@pytest.mark.parametrize("format", ["PNG", "GIF"])
def test_a_clear_palette_entry_is_white(format):
    picture = Image.new("P", (WIDTH, HEIGHT), 1)
    picture.putpalette([0, 0, 0, 200, 0, 0, 0, 0, 200])
    picture.paste(2, (0, 0, 20, HEIGHT))
    opened = open_picture(encode(picture, format, transparency=1))
    assert opened.getpixel((30, 5)) == (255, 255, 255) and opened.getpixel((5, 5)) == (0, 0, 200)


def test_sixteen_bits_of_grey_are_scaled_not_clipped():
    grey = np.linspace(0, 65535, WIDTH * HEIGHT).astype(np.uint16).reshape(HEIGHT, WIDTH)
    opened = np.asarray(open_picture(encode(Image.fromarray(grey), "PNG")))
    np.testing.assert_array_equal(opened, np.repeat((grey >> 8).astype(np.uint8)[..., None], 3, axis=-1))


def test_a_clear_value_of_sixteen_bit_grey_is_white():
    grey = Image.fromarray(np.full((4, 4), 300, np.uint16))
    assert open_picture(encode(grey, "PNG", transparency=300)).getpixel((0, 0)) == (255, 255, 255)


def test_sixteen_bits_are_scaled_by_the_range_that_is_used():
    for bits in (10, 12, 14, 16):
        ramp = np.linspace(0, 2**bits - 1, 256).astype(np.uint16).reshape(16, 16)
        shown = np.asarray(open_picture(encode(Image.fromarray(ramp), "PNG")))[..., 0]
        assert shown[0, 0] == 0 and shown[-1, -1] == 255 and np.abs(shown.ravel() - np.arange(256.0)).max() <= 1


def test_a_white_logo_on_a_clear_ground_is_seen():
    logo = Image.new("RGBA", (40, 40), (255, 255, 255, 0))
    logo.paste((255, 255, 255, 255), (10, 10, 30, 30))
    shown = open_picture(encode(logo, "PNG"))
    assert shown.getpixel((20, 20)) == (255, 255, 255) and max(shown.getpixel((2, 2))) < 100
    logo.paste((200, 30, 30, 255), (10, 10, 30, 30))
    assert open_picture(encode(logo, "PNG")).getpixel((2, 2)) == (255, 255, 255)


def wide_profile() -> bytes:
    """A colour profile with the primaries of Display P3 (ICC.1:2001-04, matrix and curves), gamma 2.2."""

    def xyz(*values):
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, 0x0233) + b"\0\0"
    name = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"wide\0" + bytes(80)
    tags = {
        b"desc": name,
        b"cprt": b"text\0\0\0\0CC0\0",
        b"wtpt": xyz(0.9642, 1, 0.8249),
        b"rXYZ": xyz(0.51512, 0.2412, -0.00105),
        b"gXYZ": xyz(0.29198, 0.69225, 0.04189),
        b"bXYZ": xyz(0.1571, 0.06657, 0.78407),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    table, body, start = b"", b"", 128 + 4 + 12 * len(tags)
    for tag, data in tags.items():
        data += bytes(-len(data) % 4)
        table += tag + struct.pack(">2I", start + len(body), len(data))
        body += data
    head = bytearray(128)
    head[:4] = struct.pack(">I", start + len(body))
    head[8:40] = b"\x02\x10\0\0mntrRGB XYZ " + bytes(12) + b"acsp"
    head[68:80] = struct.pack(">3i", 63190, 65536, 54061)
    return bytes(head) + struct.pack(">I", len(tags)) + table + body


def test_colours_are_those_that_a_profile_means():
    """The red of a wide profile is outside of sRGB: the same numbers are a stronger colour."""
    picture = Image.new("RGB", (8, 8), (200, 100, 100))
    shown = open_picture(encode(picture, "PNG", icc_profile=wide_profile())).getpixel((4, 4))
    assert shown[0] > 206 and shown[1] < 99
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (srgb, b"damaged", b""):
        assert open_picture(encode(picture, "PNG", icc_profile=profile)).getpixel((4, 4)) == (200, 100, 100)


@pytest.mark.parametrize("least", [None, 4])
def test_no_profile_goes_further(least):
    picture = encode(Image.new("RGB", (8, 8), (200, 100, 100)), "PNG", icc_profile=wide_profile())
    assert not open_picture(picture, least).info


def test_printers_colours_and_grey_of_a_jpeg():
    ink = Image.new("CMYK", (WIDTH, HEIGHT), (0, 255, 255, 0))
    red, green, blue = open_picture(encode(ink, "JPEG")).getpixel((5, 5))
    assert red > 240 and green < 15 and blue < 15
    assert open_picture(encode(Image.new("L", (8, 8), 100), "JPEG")).getpixel((0, 0)) == (100, 100, 100)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_orientation_is_that_of_pillow(format, orientation):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    data = encode(a_picture(), format, exif=exif)
    expected = ImageOps.exif_transpose(Image.open(BytesIO(data)))
    assert open_picture(data).tobytes() == expected.convert("RGB").tobytes()


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_metadata_leave_the_pixels_readable():
    for exif in (b"Exif\0\0", b"Exif\0\0MM\0*\xff\xff\xff\xff", b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01" * 30):
        assert open_picture(encode(a_picture(), "JPEG", exif=exif)).size == (WIDTH, HEIGHT)
    assert open_picture(encode(a_picture(), "PNG", exif=b"neither II nor MM")).size == (WIDTH, HEIGHT)


def test_a_long_picture_is_shrunk_as_pillow_would_and_a_short_one_is_left():
    picture = a_picture("RGBA", (5003, 2001))
    opened = open_picture(encode(picture, "PNG", compress_level=1))
    white = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    expected = white.resize(opened.size, Image.Resampling.LANCZOS)
    assert opened.size == (1024, 410)
    assert np.abs(np.asarray(opened, float) - np.asarray(expected, float)).max() <= 3
    assert open_picture(encode(a_picture(size=(1024, 3)), "PNG")).size == (1024, 3)


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (60_000, 2), (2049, 1)])
def test_extreme_shapes_keep_at_least_a_pixel(size):
    opened = open_picture(png(*size))
    assert max(opened.size) == min(max(size), 1024) and min(opened.size) >= 1


def test_the_picture_of_a_phone_opens_although_it_is_larger_than_what_is_decoded():
    assert open_picture(jpeg(16_320, 12_240)).size == (1024, 768)


def test_a_stereo_picture_opens_as_its_first():
    data = encode(a_picture(), "MPO", save_all=True, append_images=[Image.new("RGB", (8, 8))])
    assert open_picture(data).size == (WIDTH, HEIGHT)


@pytest.mark.parametrize(
    ("low", "high", "seen"), [(0.0, 1.0, (0, 255)), (-500.0, 1500.0, (0, 255)), (0.0, 0.5, (0, 127))]
)
def test_a_tiff_of_numbers_shows_its_range(low, high, seen):
    numbers = np.linspace(low, high, 600, dtype=np.float32).reshape(20, 30)
    grey = np.asarray(open_picture(encode(Image.fromarray(numbers), "TIFF")))
    assert (grey.min(), grey.max()) == seen


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "AVIF", "TIFF"])
def test_only_the_first_frame_is_read(format):
    red, blue = Image.new("RGB", (WIDTH, HEIGHT), "red"), Image.new("RGB", (WIDTH, HEIGHT), "blue")
    opened = open_picture(encode(red, format, save_all=True, append_images=[blue]))
    assert opened.getpixel((20, 15))[0] > 240 and opened.getpixel((20, 15))[2] < 15


def test_thumbnail_keeps_the_shape_and_the_original():
    picture = a_picture(size=(400, 100))
    assert thumbnail(picture, 64).size == (64, 16) and picture.size == (400, 100)
    assert thumbnail(picture, 1000).tobytes() == picture.tobytes()


def test_encode_writes_what_it_says():
    assert encode(a_picture()).startswith(b"RIFF") and encode(a_picture(), "PNG").startswith(b"\x89PNG")
    assert len(encode(a_picture(), quality=10)) < len(encode(a_picture(), quality=95))


def test_picture_id_depends_on_the_content_only():
    assert picture_id(b"a") == picture_id(bytearray(b"a")) != picture_id(b"b")
    assert picture_id(b"").startswith("up-") and len(picture_id(b"")) == 15 and int(picture_id(b"")[3:], 16) >= 0


def test_a_contact_sheet_shows_every_picture_once_row_by_row():
    colors = [(25 * n, 255 - 25 * n, 7 * n) for n in range(10)]
    sheet = contact_sheet([Image.new("RGB", (30, 30), color) for color in colors], 16)
    columns, rows = sheet.width // 16, sheet.height // 16
    assert sheet.size == (columns * 16, rows * 16) and columns >= rows and columns * (rows - 1) < 10 <= columns * rows
    seen = [sheet.getpixel((n % columns * 16 + 8, n // columns * 16 + 8)) for n in range(columns * rows)]
    assert seen == [*colors, *[(255, 255, 255)] * (columns * rows - 10)]


@pytest.mark.parametrize("size", [(80, 20), (20, 80), (4, 1), (300, 299)])
def test_a_picture_on_a_contact_sheet_keeps_its_shape_on_white(size):
    seen = np.asarray(contact_sheet([Image.new("RGB", size, "black")], 40)).mean(axis=2) < 128
    wide, high = seen.any(axis=0).sum(), seen.any(axis=1).sum()
    assert seen.shape == (40, 40) and max(wide, high) == 40 and wide / high == pytest.approx(size[0] / size[1], rel=0.1)
    assert seen.sum() == wide * high and abs(seen[:20].sum() - seen[20:].sum()) <= 40, "in the middle"


@pytest.mark.parametrize("count", [1, 2, 3, 24, 48])
def test_a_contact_sheet_has_no_empty_row_or_column(count):
    seen = np.asarray(contact_sheet([Image.new("RGB", (9, 9), "black")] * count, 8)).mean(axis=2) < 128
    assert seen.any(axis=0).all() and seen.any(axis=1).all() and seen.sum() == 64 * count


def test_large_pictures_are_decoded_one_at_a_time_and_hold_up_no_small_one(monkeypatch):
    decoding, go_on, shrink = threading.Event(), threading.Event(), images._shrink

    def slow_shrink(picture, side):
        if picture.width > 2000:
            assert images._one_large_picture.locked()
            decoding.set()
            assert go_on.wait(30)
        return shrink(picture, side)

    monkeypatch.setattr(images, "_shrink", slow_shrink)
    with ThreadPoolExecutor() as threads:
        large = threads.submit(open_picture, png(2500, 2500))
        assert decoding.wait(30)
        assert open_picture(png(40, 40)).size == (40, 40)  # while the large one is held up
        go_on.set()
        assert large.result().size == (1024, 1024)
    assert not images._one_large_picture.locked()


def test_truncated_files_are_never_completed():
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


# Hostile files


def seeds() -> dict[str, bytes]:
    files = {format: encode(a_picture(), format) for format in images.FORMATS}
    files["progressive JPEG"] = encode(a_picture(), "JPEG", progressive=True)
    files["lossless WEBP"] = encode(a_picture("RGBA"), "WEBP", lossless=True)
    files["palette PNG"] = encode(a_picture("P"), "PNG")
    return files


def flipped(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice([1, 2, 5, 20])):
        # half of the damage goes where formats keep sizes and offsets
        changed[rng.randrange(rng.choice([len(changed), min(64, len(changed))]))] = rng.randrange(256)
    return bytes(changed)


def fuzzed(count: int) -> list[bytes]:
    rng, files = random.Random(13), list(seeds().values())
    damage = [
        lambda data: flipped(rng, data),
        lambda data: data[: rng.randrange(len(data))],
        lambda data: rng.choice(files)[: (head := rng.choice([4, 12, 16, 32, 64]))] + data[head:],
        lambda data: data[: (cut := rng.randrange(len(data)))] + rng.randbytes(rng.randrange(200)) + data[cut:],
    ]
    return [damage[n % len(damage)](files[n // len(damage) % len(files)]) for n in range(count)]


@pytest.mark.filterwarnings("ignore")
def test_fuzzed_files_end_in_a_picture_or_a_sentence():
    outcomes = {"opened": 0, "refused": 0}
    for number, data in enumerate(fuzzed(2000)):
        try:
            picture = open_picture(data)
        except InputError as error:
            outcomes["refused"] += 1
            assert str(error).endswith(".") and "; " in str(error), number
        else:
            outcomes["opened"] += 1
            assert picture.mode == "RGB" and max(picture.size) <= images.SIDE, number
    assert min(outcomes.values()) >= 400, outcomes  # the damage is neither trivial nor total


@pytest.mark.parametrize("format", ["PPM", "ICO", "TGA", "PCX", "PDF", "EPS", "DDS", "SGI"])
def test_other_formats_are_refused_whole_and_fuzzed(format):
    data = encode(a_picture(), format)
    rng = random.Random(7)
    for hostile in [data] + [flipped(rng, data) for _ in range(3)]:
        with pytest.raises(InputError, match="not one of JPEG, PNG"):
            open_picture(hostile)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"GIF89a",
        b"\xff\xd8\xff",
        b"PK\x03\x04",
        b"RIFF\0\0\0\0WEBPVP8X",
        b"\x89PNG\r\n\x1a\n",
        b"BM",
        bytes(5000),
    ],
)
def test_what_is_no_picture_is_refused(data):
    with pytest.raises(InputError, match="This picture cannot be read"):
        open_picture(data)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    for path in (tmp_path / "cat.png", tmp_path):
        with pytest.raises(InputError, match=repr(path.name)):
            open_picture(path)


def test_a_large_file_is_refused_unread(tmp_path):
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.truncate(10**12)  # sparse
    with pytest.raises(InputError, match="'large.png' is larger than 20 MB"):
        open_picture(path)


@pytest.fixture(scope="module")
def bombs(tmp_path_factory) -> tuple[Path, dict[str, str]]:
    """A folder of files, named for what each tries, and a part of the sentence it must end in; "" where it may open."""
    folder, files = tmp_path_factory.mktemp("bombs"), made_bombs()
    for name, (data, _) in files.items():
        (folder / name).write_bytes(data)
    return folder, {name: sentence for name, (_, sentence) in files.items()}


def made_bombs() -> dict[str, tuple[bytes, str]]:
    squeezed = zlib.compress(bytes(64_000_000), 9)
    return {
        "png-20000": (png(20_000, 20_000), "more than 200 million pixels"),
        "png-13000": (png(13_000, 13_000), "13,000 × 13,000 pixels"),
        "png-40-megapixels-of-16-bit-rgba": (png(6300, 6300, bits=16, color=6), ""),
        "png-64-MB-of-text": (png(8, 8, extra=png_chunk(b"iTXt", b"k\0\0\0\0\0" + bytes(64_000_000))), "20 MB"),
        "png-64-MB-of-squeezed-text": (png(8, 8, extra=png_chunk(b"zTXt", b"k\0\0" + squeezed)), "cannot be read"),
        "png-64-MB-of-squeezed-profile": (png(8, 8, extra=png_chunk(b"iCCP", b"k\0\0" + squeezed)), "cannot be read"),
        "gif-65535": (gif(65_535, 65_535, 1), "more than 200 million pixels"),
        "gif-10000-frames": (gif(16, 16, 10_000), ""),
        "bmp-60000": (
            b"BM" + struct.pack("<IIIIiiHHIIiiII", 0, 0, 54, 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0),
            "more than 200 million pixels",
        ),
        "webp-16383": (b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f\xfe\xff\xff\x0f" + bytes(9), "more than 200 million"),
        "webp-25-megapixels": (encode(Image.new("RGB", (5000, 5000)), "WEBP", method=0), "at most 16 million"),
        "avif-25-megapixels": (encode(Image.new("RGB", (5000, 5000)), "AVIF", speed=10), "at most 24 million"),
        "jp2-25-megapixels": (encode(Image.new("L", (5000, 5000)), "JPEG2000"), "at most 12 million"),
        "jp2-11-megapixels": (encode(Image.new("RGB", (3600, 3300)), "JPEG2000"), ""),
        "tiff-60000": (tiff(60_000, 60_000), "more than 200 million pixels"),
        "tiff-39-megapixels": (encode(Image.new("RGB", (6500, 6000)), "TIFF", compression="tiff_lzw"), ""),
        "tiff-39-megapixels-of-numbers": (
            encode(Image.new("F", (6500, 6000)), "TIFF", compression="tiff_adobe_deflate"),
            "",
        ),
        "jpeg-65500": (jpeg(65_500, 3300), "more than 200 million pixels"),
        "jpeg-200-megapixels-progressive": (jpeg(16_320, 12_240, progressive=True), "16,320 × 12,240"),
        "jpeg-200-megapixels-in-three-scans": (jpeg(16_320, 12_240, interleaved=False), "16,320 × 12,240"),
        "jpeg-40-megapixels-progressive": (jpeg(7000, 5700, progressive=True), ""),
        "jpeg-of-a-thousand-scans": (jpeg(1000, 1000, progressive=True, passes=1000), "more than 100 scans"),
    }


OPEN_BOMBS = """
import sys, time, warnings
from pathlib import Path
from clipexplore.errors import InputError
from clipexplore.images import encode, open_picture
from PIL import Image
def peak():  # MB; of this program alone, which ru_maxrss is not after a fork
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
if sys.argv[1] == "unfiltered":
    warnings.simplefilter("ignore")
Image.init()
before = peak()
for path in sorted(Path(sys.argv[2]).iterdir()):
    start = time.process_time()
    try:
        outcome = open_picture(path.read_bytes() if path.stat().st_size < 30_000_000 else path).size
    except InputError as error:
        outcome = error
    print(path.name, f"{time.process_time() - start:.2f}", f"{peak() - before:.0f}", outcome, sep="|")
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from Linux's /proc")
@pytest.mark.parametrize("warning_filters", ["filtered", "unfiltered"])
def test_bombs_are_refused_or_opened_in_little_memory(bombs, warning_filters):
    folder, expected = bombs
    command = [sys.executable, "-c", OPEN_BOMBS, warning_filters, str(folder)]
    printed = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True).stdout
    rows = [line.split("|") for line in printed.splitlines()]
    assert len(rows) == len(expected)
    for name, seconds, peak, outcome in rows:
        sentence = expected[name]
        assert float(peak) <= 300, printed
        assert sentence in outcome if sentence else outcome.startswith("("), printed
        assert not sentence or float(seconds) <= 1, printed


def test_heif_is_read_where_its_package_is_installed():
    pytest.importorskip("pillow_heif")
    file = BytesIO()
    assert "HEIF" in images.formats() and ".heic" in images.suffixes()
    Image.new("RGB", (64, 48), (200, 30, 30)).save(file, "HEIF")
    picture = images.open_picture(file.getvalue())
    assert picture.size == (64, 48) and picture.getpixel((20, 20))[0] > 180
    with pytest.raises(InputError, match="cannot be read"):
        images.open_picture(file.getvalue()[:200])


@pytest.mark.parametrize("size", [(640, 480), (800, 600), (2400, 1800)])
@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_a_picture_is_scaled_to_a_side_in_one_step(size, format):
    noise = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).save(file := BytesIO(), format)
    whole = Image.open(BytesIO(file.getvalue())).convert("RGB").resize((448, 336), Image.Resampling.LANCZOS)
    apart = np.abs(np.asarray(open_picture(file.getvalue(), side=448), np.int16) - np.asarray(whole, np.int16))
    assert apart.max() == 0 if max(size) < 900 else apart.mean() < 1
