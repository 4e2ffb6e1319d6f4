import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clipexplore.draw.walks import SIZES, TURN, batches, coarse_to_fine

counts = st.integers(0, 300)


@given(counts)
def test_every_frame_is_drawn_once(count):
    assert sorted(coarse_to_fine(count)) == list(range(count))
    assert [frame for frames, _ in batches(count) for frame in frames] == coarse_to_fine(count)


def test_ends_come_first_then_the_middle_then_the_quarters():
    assert coarse_to_fine(9) == [0, 8, 4, 2, 6, 1, 3, 5, 7]
    assert coarse_to_fine(1) == [0] and coarse_to_fine(2) == [0, 1] and coarse_to_fine(0) == []


@given(st.integers(3, 300), st.data())
def test_the_largest_hole_shrinks_as_fast_as_it_can(count, data):
    """After 2ᵏ + 1 frames no two neighbours are further apart than the frames of an even share, rounded up."""
    levels = data.draw(st.integers(1, (count - 1).bit_length()))
    seen = sorted(coarse_to_fine(count)[: 2**levels + 1])
    assert np.diff(seen).max() <= -(-(count - 1) // 2**levels) + 1


@given(counts)
def test_batches_are_of_the_planned_sizes(count):
    plan = list(batches(count))
    assert all(len(frames) <= size and size in SIZES for frames, size in plan)
    assert [size for _, size in plan[:1]] == [1] * min(count, 1)
    assert sum(size - len(frames) for frames, size in plan) <= 3  # what is computed for nothing
    assert sum(size for _, size in batches(50)) == 50


@given(counts, st.integers(1, 100))
def test_others_never_wait_for_more_than_a_turn_of_steps(count, steps):
    plan = list(batches(count, steps))
    assert [frame for frames, _ in plan for frame in frames] == coarse_to_fine(count)
    assert all(len(frames) <= size and size * steps <= TURN for frames, size in plan)
    assert steps > 25 or plan == list(batches(count)), "with the steps that models are best used with nothing changes"


@given(counts, st.integers(1, 100))
def test_batches_that_are_alike_have_one_size(count, steps):
    plan = list(batches(count, steps, alike=True))
    assert sorted(frame for frames, _ in plan for frame in frames) == list(range(count))
    assert {size for _, size in plan} <= {4 if steps <= 50 else 1}
