import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics.pairwise import cosine_similarity as sklearn_cosine

from clipexplore.errors import InputError
from clipexplore.vectors import cosine_similarity, frame_positions, lerp, normalize, path, slerp

numbers = st.floats(-1e3, 1e3, width=32)


def random_vectors(n: int, dim: int = 32, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)


def angles(points: np.ndarray) -> np.ndarray:
    """The angle of each step, from arc cosines in float64."""
    points = points.astype(np.float64)
    return np.arccos(np.clip((points[:-1] * points[1:]).sum(axis=1), -1, 1))


@pytest.fixture(scope="module")
def text_vectors(test_data) -> np.ndarray:
    return np.load(test_data / "genuine_vitb32_text_vectors.npz")["text_vectors"]


# normalize


@given(arrays(np.float32, (3, 5), elements=numbers))
def test_normalize_keeps_directions_and_gives_length_one(x):
    assume((np.abs(x).max(axis=1) > 1e-3).all())
    unit = normalize(x)
    assert unit.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, atol=1e-6)
    lengths = np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)
    np.testing.assert_allclose(unit * lengths, x, rtol=1e-5, atol=1e-30)


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int64])
def test_normalize_takes_other_dtypes_and_leaves_them_alone(dtype):
    x = np.array([[3, 4], [0, -2]], dtype)
    np.testing.assert_allclose(normalize(x), [[0.6, 0.8], [0, -1]], rtol=1e-7)
    assert x.dtype == dtype and x[0, 0] == 3


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_normalize_survives_squares_that_float32_cannot_hold(scale):
    np.testing.assert_allclose(normalize(np.array([3, 4], np.float32) * np.float32(scale)), [0.6, 0.8], rtol=1e-6)


def test_normalize_takes_one_vector_and_none():
    assert normalize([0.0, 5.0]).tolist() == [0, 1]
    assert normalize(np.empty((0, 4))).shape == (0, 4)


@pytest.mark.parametrize("bad", [0, np.nan, np.inf])
def test_normalize_names_the_row_without_a_direction(bad):
    x = random_vectors(3, 4)
    x[1] = bad
    with pytest.raises(InputError, match="Vector 2 of 3"):
        normalize(x)


# cosine_similarity


def test_cosine_similarity_agrees_with_scikit_learn(text_vectors):
    a, b = text_vectors[:40], text_vectors[40:100]
    np.testing.assert_allclose(cosine_similarity(a, b), sklearn_cosine(a, b), atol=1e-6)


def test_cosine_similarity_never_leaves_its_range():
    x = random_vectors(200, 512)
    similarity = cosine_similarity(np.concatenate([x, -x]), x)
    assert similarity.dtype == np.float32
    assert similarity.max() <= 1 and similarity.min() >= -1
    np.testing.assert_allclose(similarity.diagonal(), 1, atol=1e-6)


# lerp and slerp


def test_lerp_is_the_weighted_mean_and_keeps_its_ends():
    a, b = random_vectors(2)
    points = lerp(a, b, np.array([0, 0.25, 1]))
    np.testing.assert_array_equal(points[[0, 2]], [a, b])
    np.testing.assert_allclose(points[1], 0.75 * a + 0.25 * b, atol=1e-6)
    assert lerp(a, b, 0.5).shape == a.shape


@given(arrays(np.float32, (2, 4), elements=numbers), st.integers(2, 9))
def test_slerp_is_an_even_arc_between_exact_ends(ends, frames):
    assume((np.abs(ends).max(axis=1) > 1e-3).all())
    a, b = ends
    assume(np.linalg.norm(normalize(a) + normalize(b)) > 1e-3)
    points = slerp(a, b, np.linspace(0, 1, frames))
    np.testing.assert_array_equal(points[[0, -1]], normalize(ends))
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1, atol=1e-6)
    whole = angles(points[[0, -1]])[0]
    np.testing.assert_allclose(angles(points), whole / (frames - 1), atol=1e-3)


def test_slerp_is_a_rotation_in_the_plane_of_its_ends():
    turn = np.linspace(0, 1, 7)
    points = slerp([2, 0, 0], [0, 3, 0], turn)
    expected = np.stack([np.cos(turn * np.pi / 2), np.sin(turn * np.pi / 2), 0 * turn], axis=1)
    np.testing.assert_allclose(points, expected, atol=1e-7)


def test_slerp_steps_are_even_and_lerp_steps_are_not_on_real_vectors(text_vectors):
    texts = normalize(text_vectors)
    a, b = texts[0], texts[np.argmin(texts @ texts[0])]
    t = np.linspace(0, 1, 9)
    even, uneven = angles(slerp(a, b, t)), angles(normalize(lerp(a, b, t)))
    assert even.max() - even.min() < 1e-5 < uneven.max() - uneven.min()


def test_slerp_takes_a_single_t():
    a, b = normalize(random_vectors(2))
    middle = slerp(a, b, 0.5)
    np.testing.assert_allclose(middle, normalize(a + b), atol=1e-6)
    assert middle.dtype == np.float32


@pytest.mark.parametrize("offset", [0, 1e-9, 1e-7, 1e-5, 1e-3])
def test_slerp_is_sound_where_the_ends_nearly_coincide(offset):
    a, b = np.array([[1, 0], [1, offset]], np.float32)
    points = slerp(a, b, np.linspace(0, 1, 5))
    np.testing.assert_allclose(points, np.stack([np.ones(5), np.linspace(0, offset, 5)], axis=1), atol=1e-6, rtol=1e-6)
    np.testing.assert_array_equal(points[[0, -1]], normalize(np.stack([a, b])))


def test_slerp_between_opposite_points_is_an_error():
    a = random_vectors(1)[0]
    with pytest.raises(InputError, match="opposite"):
        slerp(a, -3 * a, 0.5)


# paths


@given(st.integers(2, 12), st.integers(0, 60))
def test_every_stop_is_a_frame_and_the_others_are_shared_out_evenly(stops, more):
    positions = frame_positions(stops, stops + more)
    assert len(positions) == stops + more
    assert (np.diff(positions) > 0).all()
    frame_of_stop = np.flatnonzero(positions % 1 == 0)
    np.testing.assert_array_equal(positions[frame_of_stop], np.arange(stops))
    between = np.diff(frame_of_stop)
    assert between.max() - between.min() <= 1
    for start, count in zip(frame_of_stop, between, strict=False):
        np.testing.assert_allclose(np.diff(positions[start : start + count + 1]), 1 / count, atol=1e-12)


def test_frame_positions_by_hand():
    np.testing.assert_allclose(frame_positions(2, 5), [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(frame_positions(3, 5), [0, 0.5, 1, 1.5, 2])
    np.testing.assert_allclose(frame_positions(3, 3), [0, 1, 2])


@pytest.mark.parametrize("frames", [4, 9, 14])
def test_a_slerp_path_hits_its_stops_and_turns_evenly_between_them(text_vectors, frames):
    stops = text_vectors[[0, 500, 900, 30]]
    result = path(stops, frames)
    at_stop = np.flatnonzero(result.positions % 1 == 0)
    np.testing.assert_array_equal(result.points[at_stop], normalize(stops))
    steps = angles(result.points)
    for start, end in zip(at_stop[:-1], at_stop[1:], strict=True):
        assert np.ptp(steps[start:end]) < 1e-5
    assert result.points.shape == (frames, 512) and result.points.dtype == np.float32


def test_a_lerp_path_keeps_the_length_of_its_stops():
    stops = random_vectors(3, 4) * 7
    result = path(stops, 5, "lerp")
    np.testing.assert_array_equal(result.points[[0, 2, 4]], stops)
    np.testing.assert_allclose(result.points[1], stops[:2].mean(axis=0), rtol=1e-5)


def test_a_path_may_stand_still():
    stop = normalize(random_vectors(1))
    np.testing.assert_allclose(path(np.repeat(stop, 2, axis=0), 4).points, np.repeat(stop, 4, axis=0), atol=1e-7)


@pytest.mark.parametrize(
    ("stops", "frames", "curve", "message"),
    [(1, 5, "slerp", "at least 2 stops"), (3, 2, "slerp", "2 frames .* 3 stops"), (2, 5, "spline", "'spline'.*slerp")],
)
def test_a_path_that_cannot_be_made_says_why(stops, frames, curve, message):
    with pytest.raises(InputError, match=message):
        path(random_vectors(stops), frames, curve)
