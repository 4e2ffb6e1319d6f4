"""What is remembered: by everything a result depends on, however that is given."""

from clipexplore.explore.memory import remembered


def test_a_result_is_known_by_all_its_arguments_but_the_report(space):
    asked = []

    @remembered(4)
    def times(space, n, factor=2, report=None):
        asked.append(n)
        return n * factor

    assert times(space, 3) == times(space, n=3, factor=2, report=print) == 6 and asked == [3]
    assert times(space, 3, factor=3) == 9 and asked == [3, 3]
    assert times.known(space, n=3) and not times.known(space, 4)
