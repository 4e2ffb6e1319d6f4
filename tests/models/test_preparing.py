"""What a model sees, against the reference image processor, and that batches come in order, ahead and in bounded
number.
"""

import io
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from clipexplore.errors import InputError
from clipexplore.images import encode, open_picture
from clipexplore.models import preparing
from clipexplore.models.preparing import Preparer, batches_ahead

TWO = 2.001  # grey levels, with what float32 adds


@pytest.fixture(scope="module")
def processor():
    from transformers import CLIPImageProcessorPil

    return CLIPImageProcessorPil()


@pytest.fixture(scope="module")
def prepare(processor):
    return Preparer(processor)


def photograph(size, seed=0):
    """Something with slopes, edges and fine grain."""
    rng = np.random.default_rng(seed)
    width, height = size
    y, x = np.mgrid[:height, :width]
    waves = np.stack(
        [np.sin(x / (7 + 3 * channel)) + np.cos(y / (5 + channel)) + (x > width / 2) for channel in range(3)], -1
    )
    coarse = np.asarray(
        Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)).resize(size, Image.Resampling.BICUBIC)
    )
    return Image.fromarray(
        np.clip(coarse * 0.6 + waves * 30 + rng.normal(0, 6, coarse.shape) + 40, 0, 255).astype(np.uint8)
    )


def grey_levels(prepare, processor, ours, picture):
    """The largest and the mean difference to what the reference makes of the picture, in steps of 1/255."""
    import torch

    reference = processor([picture], return_tensors="pt")["pixel_values"][0]
    std = torch.tensor(processor.image_std).view(3, 1, 1)
    difference = (prepare.normalized(prepare(ours)[None], torch.float32)[0] - reference).abs() * std * 255
    return difference.max().item(), difference.mean().item()


@pytest.mark.parametrize("size", [(640, 480), (480, 640), (224, 224), (225, 500), (100, 80), (1023, 300), (1000, 750)])
def test_a_picture_of_any_size_is_within_two_grey_levels(prepare, processor, size):
    picture = photograph(size)
    most, mean = grey_levels(prepare, processor, picture, picture)
    assert most <= TWO and mean < 0.3 and preparing._middle(picture) is picture


@pytest.mark.parametrize("mode", ["L", "P", "1", "CMYK", "RGB"])
def test_files_of_any_mode_are_within_two(prepare, processor, mode):
    format = "JPEG" if mode == "CMYK" else "PNG"
    data = encode(photograph((640, 480)).convert(mode), format)
    most, _ = grey_levels(prepare, processor, data, Image.open(io.BytesIO(data)))
    assert most <= TWO


def test_transparent_files_are_seen_as_everywhere_else_on_white(prepare, processor):
    picture = photograph((300, 300)).convert("RGBA")
    picture.putalpha(Image.linear_gradient("L").resize((300, 300)))
    data = encode(picture, "PNG")
    assert grey_levels(prepare, processor, data, open_picture(data))[0] <= TWO


def test_a_large_jpeg_is_decoded_smaller_and_seen_the_same(prepare, processor, monkeypatch):
    data = encode(photograph((2016, 1512)), "JPEG", quality=92)
    seen = []
    opened = preparing.open_picture
    monkeypatch.setattr(
        preparing, "open_picture", lambda *args, **kwargs: seen.append(opened(*args, **kwargs)) or seen[-1]
    )
    most, mean = grey_levels(prepare, processor, data, Image.open(io.BytesIO(data)))
    assert most <= TWO and mean < 0.3
    assert seen[0].size == (1008, 756)  # half, which still is twice what is needed


@pytest.mark.parametrize("size", [(2, 20_000), (20_000, 3), (31, 2000)])
def test_of_a_very_thin_picture_only_the_middle_is_scaled(prepare, processor, size):
    """Scaled whole, 2 × 20,000 pixels would take 3 GB."""
    picture = photograph(size)
    assert max(preparing._middle(picture).size) <= preparing.THIN * min(size)
    if max(size) < 10_000:
        assert grey_levels(prepare, processor, picture, picture)[1] < 8
    assert prepare(picture).shape == (3, 224, 224)


def test_real_photographs_are_within_two_grey_levels(prepare, processor, test_data):
    photos = sorted((test_data / "photos").glob("*.jpg"))
    assert len(photos) > 5
    worst = max(grey_levels(prepare, processor, path, open_picture(path))[0] for path in photos)  # both in sRGB
    assert worst <= TWO


def test_a_turned_photograph_is_seen_upright(prepare):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = prepare(encode(photograph((640, 480)), "JPEG", exif=exif))
    assert (
        turned.float() - prepare(photograph((640, 480)).transpose(Image.Transpose.ROTATE_270)).float()
    ).abs().mean() < 3


def test_a_processor_out_of_the_ordinary_is_followed_to_the_letter():
    import torch
    from transformers import CLIPImageProcessorPil

    odd = CLIPImageProcessorPil(resample=1, size={"shortest_edge": 64}, crop_size={"height": 48, "width": 48})
    prepare, picture = Preparer(odd), photograph((100, 80))
    expected = odd([picture], return_tensors="pt")["pixel_values"]
    assert torch.equal(prepare.normalized(prepare(picture)[None], torch.float32), expected)


def test_a_file_that_cannot_be_opened_is_told(prepare, tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        prepare(b"nothing")
    with pytest.raises(InputError, match="not a file"):
        prepare(tmp_path / "no.jpg")


@settings(max_examples=30)
@given(count=st.integers(0, 60), size=st.integers(1, 9))
def test_batches_hold_everything_once_and_in_order(count, size):
    found = list(batches_ahead(range(count), lambda item: item * 2, size))
    assert [item for batch in found for item in batch] == [2 * item for item in range(count)]
    assert all(len(batch) == size for batch in found[:-1]) and all(found)


@pytest.mark.parametrize("decoders", [1, 4])
def test_no_more_than_a_few_batches_are_held(decoders, monkeypatch):
    monkeypatch.setattr(preparing, "DECODERS", decoders)
    lock, made, most = threading.Lock(), [0], 0

    def prepare(item):
        with lock:
            made[0] += 1
        return item

    for number, _batch in enumerate(batches_ahead(iter(range(400)), prepare, 8), 1):
        most = max(most, made[0] - 8 * number)
    assert made[0] == 400 and most <= 8 * preparing.AHEAD


def test_an_error_comes_at_its_place_and_stops_the_threads():
    def prepare(item):
        if item == 17:
            raise InputError("no")
        return item

    batches = batches_ahead(range(100), prepare, 5)
    assert [next(batches) for _ in range(3)] == [list(range(start, start + 5)) for start in (0, 5, 10)]
    with pytest.raises(InputError):
        next(batches)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]
