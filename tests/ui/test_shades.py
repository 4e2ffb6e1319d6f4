import numpy as np
import pandas as pd

from clipexplore.ui.cloud import REST, Shades
from clipexplore.ui.shades import SHARES, field_shades, middles, on_scale


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


def test_the_name_of_a_group_stands_in_the_middle_of_those_that_are_there():
    places = np.array([[0, 0], [2, 0], [10, 4], [10, 8], [5, 5]], float)
    shades = Shades(np.array([0, 0, 2, 2, REST]), ["cats", "dogs", "hats"])
    assert middles(places, shades) == [(1, 0, "cats"), (10, 6, "hats")]
