"""A visitor's pictures: one session never sees another's, what is kept is found by all, and an id is no path."""

import os
import time
from dataclasses import replace
from io import BytesIO
from types import SimpleNamespace

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
from clipexplore.ui import session, uploads
from clipexplore.ui.uploads import Uploads
from clipexplore.vectors import normalize


def png(color: str = "red", size: tuple[int, int] = (60, 40)) -> bytes:
    file = BytesIO()
    Image.new("RGB", size, color).save(file, "PNG")
    return file.getvalue()


def embedded(pictures: list[Image.Image]) -> np.ndarray:
    """An embedder to check by hand: the mean colour."""
    return normalize(np.stack([np.asarray(picture, float).mean(axis=(0, 1)) + 1 for picture in pictures]))


@pytest.fixture(autouse=True)
def without_a_model(home, monkeypatch):
    monkeypatch.setattr(uploads, "space", lambda: SimpleNamespace(embedder=SimpleNamespace(embed_images=embedded)))


def test_a_picture_is_named_by_its_content_and_embedded_as_it_is_shown():
    mine = Uploads("emoji")
    id = mine.add(png("red", (900, 300)))
    assert id == picture_id(png("red", (900, 300))) == mine.add(png("red", (900, 300))) and list(mine) == [id]
    shown = open_picture(mine.pictures[id])
    assert max(shown.size) == images.SIDE_OF_UPLOAD
    np.testing.assert_allclose(mine[id], embedded([shown])[0])


def test_a_picture_is_seen_in_its_own_session_only(home):
    mine, other = Uploads("emoji"), Uploads("emoji")
    id = mine.add(png())
    assert id in mine and id not in other and not other.pictures and not home.exists()


def test_a_kept_picture_is_found_by_others_with_the_same_vector(home):
    mine, other = Uploads("emoji"), Uploads("emoji")
    id = mine.add(png("blue"))
    mine.keep(id)
    mine.keep(id)  # once more changes nothing
    assert [file.name for file in (home / "uploads").iterdir()] == [f"{id}.webp"]
    assert other, "an empty one is still asked, since it may find a kept picture"
    assert id in other and other.pictures[id] == mine.pictures[id]
    np.testing.assert_array_equal(other[id], mine[id])


def days_ago(path, days: float):
    os.utime(path, (time.time() - days * 24 * 3600,) * 2)


@pytest.mark.parametrize(
    ("kept_days", "age", "there"), [(90, 89, True), (90, 91, False), (0.5, 0.6, False), (0, 10_000, True)]
)
def test_a_kept_picture_goes_when_nobody_has_opened_its_link_for_so_long(home, monkeypatch, kept_days, age, there):
    some = replace(settings(), kept_days=kept_days)
    monkeypatch.setattr(kept_pictures, "settings", lambda: some)
    mine, path = Uploads("emoji"), home / "uploads"
    id, other = mine.add(png("blue")), mine.add(png("red"))
    mine.keep(id), mine.keep(other)
    days_ago(path / f"{id}.webp", age)
    assert (id in Uploads("emoji")) is there is (path / f"{id}.webp").exists()
    assert other in Uploads("emoji") and id in mine, "in its session it stays"


def test_who_opens_the_link_of_a_kept_picture_keeps_it_longer(home):
    mine = Uploads("emoji")
    id = mine.add(png())
    mine.keep(id)
    days_ago(path := home / "uploads" / f"{id}.webp", 60)
    assert id in Uploads("emoji")
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
    assert id not in Uploads("emoji")


@given(st.text(st.sampled_from("./\\\0~%a1-"), max_size=12).map("up-{}".format))
def test_no_id_leads_out_of_the_folder(id):
    folder = settings().home / "uploads"
    folder.mkdir(parents=True, exist_ok=True)
    (folder.parent / "a1.webp").write_bytes(png())
    if id in Uploads("emoji"):
        raise AssertionError(f"{id!r} was found in an empty folder")


def test_a_session_holds_so_many_and_no_more(monkeypatch):
    few = replace(settings(), session_pictures=2)
    monkeypatch.setattr(session, "settings", lambda: few)
    mine = Uploads("emoji")
    kept = [mine.add(png(color)) for color in ("red", "green")]
    with pytest.raises(InputError, match="holds 2 uploaded pictures"):
        mine.add(png("blue"))
    assert list(mine) == kept and mine.add(png("red")) == kept[0]
    assert Uploads("emoji").add(png("blue")), "another session may"


@pytest.mark.parametrize("data", [b"", b"text", png()[:50], b"GIF89a"])
def test_what_is_no_picture_is_refused_and_leaves_nothing(data):
    mine = Uploads("emoji")
    with pytest.raises(InputError):
        mine.add(data)
    assert not list(mine) and not mine.pictures


def test_a_damaged_kept_picture_is_told(home):
    mine = Uploads("emoji")
    id = mine.add(png())
    mine.keep(id)
    (home / "uploads" / f"{id}.webp").write_bytes(b"half a pict")
    assert id in mine
    with pytest.raises(InputError, match="cannot be read"):
        assert id in Uploads("emoji")


def test_a_disk_that_refuses_is_told_and_leaves_no_kept_picture(home):
    mine = Uploads("emoji")
    id = mine.add(png())
    home.mkdir()
    (home / "uploads").write_text("a file where the folder should be")
    with pytest.raises(InputError, match=f"@{id} was not kept"):
        mine.keep(id)
    assert id not in Uploads("emoji")
