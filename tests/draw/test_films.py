import json
import sys
import zipfile
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from clipexplore.draw import films
from clipexplore.errors import InputError

SIDE = 32


def frames():
    """A bar that goes from left to right, on a coloured ground."""
    pictures = []
    for at in range(6):
        values = np.full((SIDE, SIDE, 3), (40, 90, 160), np.uint8)
        values[:, 5 * at : 5 * at + 5] = 230
        pictures.append(Image.fromarray(values))
    return pictures


def decoded(data):
    picture, found = Image.open(BytesIO(data)), []
    for number in range(picture.n_frames):
        picture.seek(number)
        found.append((np.asarray(picture.convert("RGB"), int), picture.info["duration"]))
    return found


@pytest.mark.parametrize(("write", "levels"), [(films.gif, 8), (films.webp, 20)])
def test_an_animation_shows_every_frame_for_its_time(write, levels):
    found = decoded(write(frames()))
    assert len(found) == 6
    for (shown, milliseconds), frame in zip(found, frames(), strict=True):
        assert np.abs(shown - np.asarray(frame, int)).mean() < levels and milliseconds == 100


def test_a_film_shows_every_frame():
    av = pytest.importorskip("av")
    with av.open(BytesIO(films.mp4(frames()))) as film:
        shown = [frame.to_ndarray(format="rgb24").astype(int) for frame in film.decode(video=0)]
        assert film.streams.video[0].average_rate == 10
    assert len(shown) == 6 and all(
        np.abs(a - np.asarray(b, int)).mean() < 12 for a, b in zip(shown, frames(), strict=True)
    )


def test_without_the_package_a_film_is_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InputError, match="pip install av"):
        films.mp4(frames())


def test_a_strip_holds_all_frames_side_by_side():
    sheet = np.asarray(films.strip(frames()))
    assert sheet.shape == (SIDE, 6 * SIDE, 3)
    np.testing.assert_array_equal(sheet[:, 2 * SIDE : 3 * SIDE], np.asarray(frames()[2]))


def test_an_archive_holds_the_files_and_the_recipe():
    with zipfile.ZipFile(BytesIO(films.archive([b"one", b"two"], {"stops": "a\nb"}))) as file:
        assert file.namelist() == ["frame-001.png", "frame-002.png", "recipe.json"]
        assert file.read("frame-002.png") == b"two" and json.loads(file.read("recipe.json")) == {"stops": "a\nb"}
