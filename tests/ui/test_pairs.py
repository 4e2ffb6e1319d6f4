"""Pairs are drawn so that every picture has one right caption."""

from clipexplore.ui.pairs import _different

CAPTIONS = ["a cat", "A  cat", "a dog", "a lion", "a dog", "an owl"]


def test_no_caption_is_drawn_twice():
    for seed in range(20):
        rows = _different(CAPTIONS, 4, seed)
        assert len(rows) == 4 and len({" ".join(CAPTIONS[row].lower().split()) for row in rows}) == 4
        assert _different(CAPTIONS, 2, seed) == rows[:2] and rows == _different(CAPTIONS, 9, seed)


def test_another_seed_draws_others():
    assert len({tuple(_different(CAPTIONS, 3, seed)) for seed in range(10)}) > 3
