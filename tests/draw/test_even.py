"""Even walks on paths whose speed is known, against trying everything."""

from itertools import combinations

import numpy as np
import pytest

from clipexplore.draw.even import COARSE, FALLS, SHARE, finer, kept, steps, unevenness

COUNT = 17


def test_steps_are_angles():
    np.testing.assert_allclose(steps(3 * np.eye(3, dtype=np.float32)), [np.pi / 2] * 2, rtol=1e-6)
    assert unevenness(np.ones((3, 2))) == 1 and unevenness(np.array([[1, 0], [1, 1], [-1, 1]])) == pytest.approx(4 / 3)


SPEEDS = {
    "a jump": lambda at: np.interp(at, [0, 0.6, 0.7, 1], [0, 0.05, 0.95, 1]),
    "one turn": lambda at: 1 / (1 + np.exp(-40 * (at - 0.37))),
    "two turns": lambda at: (1 / (1 + np.exp(-40 * (at - 0.3))) + 1 / (1 + np.exp(-40 * (at - 0.8)))) / 2,
    "even": lambda at: at,
}


@pytest.mark.parametrize("speed", SPEEDS)
def test_a_known_speed_is_made_even_with_half_as_many_frames_more(speed):
    def drawn(places):
        angles = SPEEDS[speed](places) * np.pi / 2
        return np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1)

    most, places = int(SHARE * COUNT), np.linspace(0, 1, round(COARSE * COUNT))
    while len(places) < most:
        new = finer(places, drawn(places), COUNT, min(4, most - len(places)))
        places = np.sort(np.append(places, new))
    rows = kept(drawn(places), COUNT, np.isin(places, [0, 1]))
    assert len(rows) == COUNT and rows[0] == 0 and rows[-1] == len(places) - 1 and (np.diff(rows) > 0).all()
    assert unevenness(drawn(places[rows])) < 1.4
    assert speed == "even" or unevenness(drawn(np.linspace(0, 1, COUNT))) > 4


@pytest.mark.parametrize("seed", range(5))
def test_no_other_choice_is_more_even(seed):
    rng = np.random.default_rng(seed)
    points = np.cumsum(rng.normal(size=(9, 4)), axis=0) + 3
    always = np.isin(np.arange(9), [0, 4, 8])
    every = [rows for rows in combinations(range(9), 5) if {0, 4, 8} <= set(rows)]
    rows = kept(points, 5, always)
    assert tuple(rows.tolist()) in every
    assert unevenness(points[rows]) <= min(unevenness(points[list(each)]) for each in every) / FALLS + 1e-4
