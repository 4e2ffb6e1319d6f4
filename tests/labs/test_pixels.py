from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from clipexplore.errors import InputError
from clipexplore.images import encode
from clipexplore.labs.pixels import as_direction, as_picture, digits, error, pixels
from clipexplore.maps.pca import pca, randomized_pca, same_subspace


def png(array: np.ndarray) -> bytes:
    return encode(Image.fromarray(array), "PNG")


def test_pixels_are_those_of_the_picture():
    array = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    rows = pixels([png(array), png(255 - array)], side=8)
    np.testing.assert_allclose(rows, np.stack([array, 255 - array]).reshape(2, -1) / 255, atol=1e-6)
    np.testing.assert_array_equal(as_picture(rows[0]), array)
    assert as_picture(rows[0], 3).shape == (24, 24, 3) and (as_picture(rows[0], 3)[3:6, :3] == array[1, 0]).all()


def test_what_is_no_picture_is_told():
    with pytest.raises(InputError):
        pixels([BytesIO(b"no").getvalue()])


def test_progress_is_reported():
    said = []
    pixels([png(np.zeros((4, 4, 3), np.uint8))] * 70, side=4, report=said.append)
    assert said == [0, 64 / 70]


def test_digits_are_grey_squares():
    x, labels = digits()
    assert x.shape == (1797, 64) and 0 <= x.min() < x.max() <= 1 and sorted(set(labels)) == list("0123456789")
    assert as_picture(x[0], 4).shape == (32, 32, 3)


def test_random_projections_find_the_components_of_the_covariance():
    x, _ = digits()
    found, expected = randomized_pca(x, 10), pca(x, 10)
    assert same_subspace(found.components, expected.components) > 0.999
    np.testing.assert_allclose(found.explained_variance_ratio, expected.explained_variance_ratio, rtol=1e-3)
    np.testing.assert_allclose(found.transform(x), expected.transform(x), atol=0.02)  # signs too
    np.testing.assert_array_equal(randomized_pca(x, 10).components, found.components)
    assert len(randomized_pca(x[:5], 10).components) == 5


def test_a_picture_is_rebuilt_better_with_more_components():
    x, _ = digits()
    fit = randomized_pca(x, 60)
    errors = [error(x[3], fit.inverse_transform(fit.transform(x[3:4])[:, :k])[0]) for k in (1, 5, 20, 60)]
    assert errors == sorted(errors, reverse=True) and errors[-1] < 2
    assert error(np.zeros(4), np.full(4, 0.5)) == pytest.approx(127.5)


def test_a_direction_is_grey_where_it_is_zero():
    drawn = as_direction(np.array([0, 0, 0, 2, -1, 0, 0, 0, 0, 0, 0, 0], float))
    assert drawn.shape == (2, 2, 3)
    np.testing.assert_array_equal(drawn[0], [[128, 128, 128], [255, 64, 128]])
