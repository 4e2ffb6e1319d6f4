import json
import struct
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from clipexplore import links
from clipexplore.draw.recipe import MOST_BYTES, as_png, from_png
from clipexplore.errors import InputError
from clipexplore.images import encode

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8))
VALUES = {"stops": "lion\nsnow – “quoted” ☃", "frames": 9, "curve": "slerp", "seed": 7, "model": "emoji"}
PNG = as_png(PICTURE, "interpolate", VALUES, revision="0123456789ab", sampler="PLMS", frame=3)


def test_a_picture_gives_its_settings_back_and_is_unchanged():
    assert from_png(PNG) == ("interpolate", VALUES)
    np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(PNG))), np.asarray(PICTURE))


def test_other_programs_read_the_settings_too():
    """Pillow's own reader finds both chunks; the second is the line that A1111 and its like look for."""
    text = Image.open(BytesIO(PNG)).text
    assert json.loads(text["clipexplore"])["link"] == VALUES
    prompt, line = text["parameters"].splitlines()
    assert prompt == "lion → snow – “quoted” ☃"
    assert dict(each.split(": ") for each in line.split(", ")) == {
        "Sampler": "PLMS",
        "Seed": "7",
        "Model": "emoji",
        "Model hash": "0123456789ab",
        "Frame": "3",
        "Size": "16x16",
    }


def changed(**told):
    """A PNG whose JSON says something else."""
    from PIL import PngImagePlugin

    text = PngImagePlugin.PngInfo()
    text.add_itxt("clipexplore", json.dumps({"version": 1, "page": "interpolate", "link": VALUES, **told}))
    return encode(PICTURE, "PNG", pnginfo=text)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x89PNG\r\n\x1a\n",
        PNG[:100],
        encode(PICTURE, "PNG"),
        encode(PICTURE, "WEBP"),
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I4s", 2**32 - 1, b"iTXt"),
        changed(version=2),
        changed(page="nope"),
        changed(page=["interpolate"]),
        changed(link={"nope": 1}),
        changed(link={"frames": "9"}),
        changed(link={"frames": True}),
        changed(link={"stops": 9}),
        changed(link={"seed": 1e300}),
        changed(link=[1]),
        changed(link={"stops": "x" * MOST_BYTES}),
        changed(link={"curve": None}),
    ],
)
def test_anything_else_is_refused_with_a_sentence(data):
    with pytest.raises(InputError, match="carries no settings"):
        from_png(data)


@given(st.data())
def test_damaged_files_are_refused_or_read_as_they_were(data):
    damaged = bytearray(PNG)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(PNG) - 1))] = data.draw(st.integers(0, 255))
    try:
        page, values = from_png(bytes(damaged[: data.draw(st.integers(0, len(PNG)))]))
    except InputError:
        return
    assert set(values) <= {*links.PAGES[page], *links.ALL}
