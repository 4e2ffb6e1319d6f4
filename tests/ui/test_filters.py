from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from clipexplore.explore.map import kept
from clipexplore.ui.filters import MOST, facets, values_of

FIELDS = pd.DataFrame(
    {
        "place": ["snow", "sea", None, "snow", "jungle"],
        "year": [1999, 2001, 1999, np.nan, 2001],
        "same": ["x"] * 5,
        "own": list("abcde"),
    }
)


def test_fields_of_a_few_values_can_be_chosen_from():
    many = pd.DataFrame({"id": range(MOST + 1), "few": np.arange(MOST + 1) % 7})
    of = [facets.__wrapped__(SimpleNamespace(collection=SimpleNamespace(fields=fields))) for fields in (FIELDS, many)]
    assert of == [["place", "year", "own"], ["few"]]
    assert values_of(FIELDS["place"]) == ["snow", "sea", "jungle"] and {*values_of(FIELDS["year"])} == {
        "1999.0",
        "2001.0",
    }


@pytest.mark.parametrize(
    ("facet", "only", "least", "rows"),
    [
        ("any", [], None, [0, 1, 2, 3, 4]),
        ("any", ["snow"], None, [0, 1, 2, 3, 4]),
        ("place", [], None, [0, 1, 2, 3, 4]),
        ("place", ["snow"], None, [0, 3]),
        ("place", ["snow", "jungle", "nowhere"], None, [0, 3, 4]),
        ("year", ["2001.0"], None, [1, 4]),
        ("any", [], 0.3, [1, 3]),
        ("place", ["snow"], 0.3, [3]),
        ("place", ["sea"], 0.9, []),
    ],
)
def test_rows_that_have_a_value_and_are_near(facet, only, least, rows):
    cosines = None if least is None else np.array([0.1, 0.5, 0.2, 0.3, -0.4], np.float32).round(3)
    found = kept(FIELDS, facet, only, cosines, 0.29 if least == 0.3 else least or -1.0)
    assert found.tolist() == rows


def test_what_chosen_values_give_are_all_the_rows_together():
    parts = [kept(FIELDS, "place", [value]) for value in values_of(FIELDS["place"])]
    assert sorted(np.concatenate(parts).tolist()) == [0, 1, 3, 4], "what is missing has no value"
