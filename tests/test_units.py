import pytest

from clipexplore.units import duration, size


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "0.0 MB"),
        (3_140_000, "3.1 MB"),
        (37_000_000, "37 MB"),
        (608_000_000, "608 MB"),
        (2_750_000_000, "2.8 GB"),
        (1_234_500_000_000, "1,234.5 GB"),
    ],
)
def test_sizes_are_for_people(number, said):
    assert size(number) == said


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (12, "12 s"), (89, "89 s"), (90, "2 min"), (600, "10 min"), (7200, "2.0 h")]
)
def test_times_are_for_people(seconds, said):
    assert duration(seconds) == said
