"""A visitor's pictures: one session never sees another's, what is kept is found by all, and an id is no path."""

import os
import time
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from clipexplore import images
from clipexplore.errors import InputError
from clipexplore.images import open_picture, picture_id
from clipexplore.settings import settings
from clipexplore.store import kept as kept_pictures
from clipexplore.store.kept import Uploads, keep

MOST = 100  # pictures of a session


def png(color: str = "red", size: tuple[int, int] = (60, 40)) -> bytes:
    file = BytesIO()
    Image.new("RGB", size, color).save(file, "PNG")
    return file.getvalue()


def test_a_picture_is_named_by_its_content_and_embedded_as_it_is_shown(space):
    mine = Uploads()
    id = mine.add(png("red", (900, 300)), MOST)
    assert id == picture_id(png("red", (900, 300))) == mine.add(png("red", (900, 300)), MOST) and list(mine) == [id]
    shown = open_picture(mine[id])
    assert max(shown.size) == images.SIDE_OF_UPLOAD
    vector = space.with_names({}, mine).point(f"@{id}").vector
    np.testing.assert_allclose(vector, space.embedder.embed_images([shown])[0], atol=1e-6)


def test_a_picture_is_seen_in_its_own_session_only(home):
    mine, other = Uploads(), Uploads()
    id = mine.add(png(), MOST)
    assert id in mine and id not in other and not other and not home.exists()


def test_a_kept_picture_is_found_by_others_with_the_same_vector(home, space):
    mine, other = Uploads(), Uploads()
    id = mine.add(png("blue"), MOST)
    keep(id, mine[id])
    keep(id, mine[id])  # once more changes nothing
    assert [file.name for file in (home / "uploads").iterdir()] == [f"{id}.webp"]
    assert not other, "an empty one is still asked, since it may find a kept picture"
    vectors = [space.with_names({}, each).point(f"@{id}").vector for each in (other, mine)]
    assert id in other and other[id] == mine[id]
    np.testing.assert_array_equal(*vectors)


def days_ago(path, days: float):
    os.utime(path, (time.time() - days * 24 * 3600,) * 2)


@pytest.mark.parametrize(
    ("kept_days", "age", "there"), [(90, 89, True), (90, 91, False), (0.5, 0.6, False), (0, 10_000, True)]
)
def test_a_kept_picture_goes_when_nobody_has_opened_its_link_for_so_long(home, monkeypatch, kept_days, age, there):
    some = replace(settings(), kept_days=kept_days)
    monkeypatch.setattr(kept_pictures, "settings", lambda: some)
    mine, path = Uploads(), home / "uploads"
    id, other = mine.add(png("blue"), MOST), mine.add(png("red"), MOST)
    keep(id, mine[id]), keep(other, mine[other])
    days_ago(path / f"{id}.webp", age)
    assert (id in Uploads()) is there is (path / f"{id}.webp").exists()
    assert other in Uploads() and id in mine, "in its session it stays"


def test_who_opens_the_link_of_a_kept_picture_keeps_it_longer(home):
    mine = Uploads()
    id = mine.add(png(), MOST)
    keep(id, mine[id])
    days_ago(path := home / "uploads" / f"{id}.webp", 60)
    assert id in Uploads()
    assert time.time() - path.stat().st_mtime < 3600


@pytest.mark.parametrize(
    "id",
    [
        "up-../../secret",
        "up-../uploads/up-1",
        "up-/etc/passwd",
        "up-..",
        "up-",
        "up-\0",
        "../secret",
        "up-a/b",
        "up-a.webp/../../x",
        "up-%2e%2e",
        7,
        None,
    ],
)
def test_an_id_is_no_path(home, id):
    (home / "uploads").mkdir(parents=True)
    for place in (
        home.parent / "secret.webp",
        home / "secret.webp",
        home / "uploads" / ".webp",
        home / "uploads" / "up-.webp",
    ):
        place.write_bytes(png())
    assert id not in Uploads()


@given(st.text(st.sampled_from("./\\\0~%a1-"), max_size=12).map("up-{}".format))
def test_no_id_leads_out_of_the_folder(id):
    folder = settings().home / "uploads"
    folder.mkdir(parents=True, exist_ok=True)
    (folder.parent / "a1.webp").write_bytes(png())
    if id in Uploads():
        raise AssertionError(f"{id!r} was found in an empty folder")


def test_a_session_holds_so_many_and_no_more():
    mine = Uploads()
    kept = [mine.add(png(color), 2) for color in ("red", "green")]
    with pytest.raises(InputError, match="holds 2 uploaded pictures"):
        mine.add(png("blue"), 2)
    assert list(mine) == kept and mine.add(png("red"), 2) == kept[0]
    assert Uploads().add(png("blue"), 2), "another session may"


@pytest.mark.parametrize("data", [b"", b"text", png()[:50], b"GIF89a"])
def test_what_is_no_picture_is_refused_and_leaves_nothing(data):
    mine = Uploads()
    with pytest.raises(InputError):
        mine.add(data, MOST)
    assert not mine


def test_a_damaged_kept_picture_is_told(home):
    mine = Uploads()
    id = mine.add(png(), MOST)
    keep(id, mine[id])
    (home / "uploads" / f"{id}.webp").write_bytes(b"half a pict")
    assert id in mine
    with pytest.raises(InputError, match="cannot be read"):
        assert id in Uploads()


def test_a_disk_that_refuses_is_told_and_leaves_no_kept_picture(home):
    mine = Uploads()
    id = mine.add(png(), MOST)
    home.mkdir()
    (home / "uploads").write_text("a file where the folder should be")
    with pytest.raises(InputError, match=f"@{id} was not kept"):
        keep(id, mine[id])
    assert id not in Uploads()
