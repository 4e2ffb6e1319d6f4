import numpy as np
import pandas as pd

from clipexplore.ui.shades import REST, SHARES, Shades, field_shades, middles, on_scale


def test_frequent_values_have_a_colour_each_and_the_rest_is_grey():
    values = [f"v{number}" for number in range(SHARES + 2) for _ in range(20 - number)] + [None]
    shades = field_shades(pd.Series(values, name="kind"))
    assert shades.names == [f"v{number}" for number in range(SHARES)] and shades.rest and shades.heat is None
    expected = [int(value[1:]) if value and int(value[1:]) < SHARES else REST for value in values]
    np.testing.assert_array_equal(shades.colors, expected)
    assert not field_shades(pd.Series(["a", "b"])).rest, "nothing is grey"


def test_many_numbers_lie_on_a_scale_and_few_are_values():
    years = pd.Series([*range(1990, 2020), None], name="year")
    shades = field_shades(years)
    assert on_scale(years) and shades.heat == ("year", 1990, 2019) and shades.names == []
    assert shades.colors[0] == 0 and shades.colors[29] == 254 and shades.colors[30] == REST
    few = pd.Series([1, 2, 2, 1])
    assert not on_scale(few) and field_shades(few).names == ["1", "2"]
    assert not on_scale(pd.Series(list("abcdefghijklm")))


def test_the_name_of_a_group_stands_where_most_of_those_lie_that_are_there():
    """Three heaps of cats, the largest at (1, 50), and none at their median, (50, 50)."""
    places = np.array([[0.9, 50], [1, 50], [1.1, 50], [50, 1], [50, 1], [50, 90], [50, 90], [30, 12], [30, 12], [5, 5]])
    shades = Shades(np.array([0] * 7 + [2, 2, REST]), ["cats", "dogs", "hats"])
    assert middles(places, shades) == [(1, 50, "cats"), (30, 12, "hats")]


def test_the_name_of_a_group_in_space_stands_where_it_is():
    places = np.random.default_rng(0).normal((3, 4, 5), 0.1, (200, 3))
    ((*spot, name),) = middles(places, Shades(np.zeros(200, np.uint8), ["cats"]))
    np.testing.assert_allclose(spot, (3, 4, 5), atol=0.15)
    assert name == "cats"
