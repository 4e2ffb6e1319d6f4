import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from clipexplore.errors import InputError
from clipexplore.labs.relevance import best_box, crops, iou, overlaps, relevance_maps, windows

BOXES = st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(1, 15), st.integers(1, 15))


def painted(box, size=(40, 40)) -> np.ndarray:
    mask = np.zeros(size, bool)
    mask[box[1] : box[1] + box[3], box[0] : box[0] + box[2]] = True
    return mask


@given(BOXES, BOXES)
def test_iou_counts_pixels(a, b):
    first, second = painted(a), painted(b)
    assert iou(a, b) == pytest.approx((first & second).sum() / (first | second).sum())
    assert iou(a, b) == iou(b, a) and iou(a, a) == 1


def test_a_box_is_right_where_it_overlaps_its_own_most():
    known = [(0, 0, 10, 10), (20, 0, 10, 10)]
    assert overlaps(known, known) == [(1.0, True), (1.0, True)]
    assert overlaps(known[::-1], known) == [(0.0, False), (0.0, False)]
    assert overlaps([(0, 0, 5, 10), (40, 40, 1, 1)], known) == [(0.5, True), (0.0, False)]
    assert overlaps([(0, 0, 5, 10)], known[:1]) == [(0.5, True)]


@pytest.mark.parametrize("size", [(128, 128), (200, 90), (31, 77)])
def test_windows_cover_the_whole_picture_and_nothing_else(size):
    found = windows(*size)
    covered = np.zeros(size[::-1], int)
    for x, y, width, height in found:
        assert width == height and x >= 0 and y >= 0 and x + width <= size[0] and y + height <= size[1]
        covered[y : y + height, x : x + width] += 1
    assert (covered >= 3).all()  # by each scale
    assert len({tuple(box) for box in found.tolist()}) == len(found)
    assert sorted({width for width in found[:, 2].tolist()}) == [
        round(scale * min(size)) for scale in (0.4, 0.5, 0.625)
    ]


def test_a_whole_window_is_the_picture():
    assert windows(50, 50, [1.0]).tolist() == [[0, 0, 50, 50]]


def test_crops_show_what_their_windows_say():
    picture = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8))
    (found,) = crops(picture, np.array([[2, 3, 4, 4]]))
    np.testing.assert_array_equal(np.asarray(found), np.asarray(picture)[3:7, 2:6])


def test_a_map_is_the_sum_of_the_windows_that_hold_a_pixel():
    rng = np.random.default_rng(0)
    boxes, cosines = windows(30, 20), rng.normal(size=(len(windows(30, 20)), 2)) * 0.1
    found = relevance_maps(cosines, boxes, (30, 20), 10)
    logits = 10 * (cosines[:, 0] - 0.5 * cosines[:, 1])
    weights = np.exp(logits) / np.exp(logits).sum()
    expected = np.zeros((20, 30))
    for weight, (x, y, width, height) in zip(weights, boxes, strict=True):
        expected[y : y + height, x : x + width] += weight
    np.testing.assert_allclose(found[0], expected, atol=1e-6)
    assert found.shape == (2, 20, 30) and found.dtype == np.float32 and found.min() >= 0 and found.max() <= 1


def test_one_prompt_has_no_rival():
    boxes = windows(20, 20)
    cosines = np.random.default_rng(0).normal(size=(len(boxes), 1))
    np.testing.assert_allclose(
        relevance_maps(cosines, boxes, (20, 20), 5),
        relevance_maps(np.hstack([cosines, 0 * cosines]), boxes, (20, 20), 5)[:1],
        atol=1e-6,
    )


def test_a_sure_window_is_found_as_box():
    boxes = windows(128, 128)
    cosines = np.zeros((len(boxes), 2))
    cosines[7, 0] = cosines[100, 1] = 1
    maps = relevance_maps(cosines, boxes, (128, 128), 100)
    assert best_box(maps[0]) == tuple(boxes[7]) and best_box(maps[1]) == tuple(boxes[100])


def test_a_box_holds_what_hangs_together_with_the_peak():
    found = np.zeros((10, 12))
    found[2:5, 3:6], found[3, 4], found[3, 6], found[8, 8] = 0.7, 1, 0.59, 0.9
    assert best_box(found) == (3, 2, 3, 3)
    assert best_box(found, edge=0.5) == (3, 2, 4, 3)
    assert best_box(np.ones((4, 5))) == (0, 0, 5, 4)


@pytest.mark.parametrize("given", [([0.0], 0.2), ([1.5], 0.2), ([0.5], 0.0), ([float("nan")], 0.2)])
def test_windows_that_cannot_be_say_why(given):
    with pytest.raises(InputError, match="must be above 0"):
        windows(20, 20, *given)
