"""A batch under CLIP's training objective, and the gap, on the bundled world."""

import numpy as np
import pytest

from clipexplore.errors import InputError
from clipexplore.explore.gap import gap
from clipexplore.explore.match import different, match
from clipexplore.labs.contrast import close_gap, match_pairs, modality_gap, recall_at
from clipexplore.models.catalog import Model
from clipexplore.models.families import Scale

CAPTIONS = ["a cat", "A  cat", "a dog", "a lion", "a dog", "an owl"]


def test_no_caption_is_drawn_twice():
    for seed in range(20):
        rows = different(CAPTIONS, 4, seed)
        assert len(rows) == 4 and len({" ".join(CAPTIONS[row].lower().split()) for row in rows}) == 4
        assert different(CAPTIONS, 2, seed) == rows[:2] and rows == different(CAPTIONS, 9, seed)
    assert len({tuple(different(CAPTIONS, 3, seed)) for seed in range(10)}) > 3


def test_drawn_pairs_are_those_of_the_collection(space):
    result = match(space, n=30, seed=3)
    rows = [space.collection.row(name[1:]) for name in result.batch.pictures]
    images, texts = (space.collection.embeddings("emoji", kind)[rows] for kind in ("pictures", "captions"))
    expected = match_pairs(images, texts, space.model.logit_scale)
    assert result.loss == pytest.approx(expected.loss) and result.chance == pytest.approx(np.log(30))
    assert result.by_picture == {k: recall_at(expected.cosines, k) for k in (1, 5, 10)} and result.lengths is None
    assert result.contrast.gradient[result.pull] == expected.gradient.min()
    assert result.contrast.gradient[result.push] == expected.gradient.max()


def test_swapped_captions_belong_to_the_next_picture(space):
    whole, broken = match(space, n=20), match(space, n=20, swap=50)
    assert (
        broken.batch.captions[:9] == whole.batch.captions[1:10] and broken.batch.captions[9] == whole.batch.captions[0]
    )
    assert broken.batch.captions[10:] == whole.batch.captions[10:] and broken.loss > whole.loss


def test_own_pairs_count_their_sums_lengths(space):
    image, captions = ["@lion", "@penguin + snow"], ["lion + a lion", "a penguin"]
    by_dot = match(space, image=image, captions=captions, dot=True, logit_scale=3)
    lengths = [space.point(each).length for each in captions]
    assert by_dot.batch.text_lengths.tolist() == pytest.approx(lengths) and by_dot.lengths is None
    assert match(space, image=image, captions=captions, logit_scale=3).contrast.normalized


def test_the_longest_caption_is_told(space):
    result = match(space, n=30, dot=True)
    lengths, products = result.batch.text_lengths, result.contrast.cosines
    assert result.lengths.longest == result.batch.captions[lengths.argmax()] and lengths.mean() == pytest.approx(1)
    assert result.lengths.first_by_dot == (products.argmax(axis=1) == lengths.argmax()).sum()


@pytest.mark.parametrize(
    "given", [{"image": ["@lion"]}, {"captions": ["lion"]}, {"image": ["@lion"], "captions": ["a"]}]
)
def test_what_makes_no_batch_says_why(space, given):
    with pytest.raises(InputError, match="one caption for each picture|at least two pairs"):
        match(space, **given)


@pytest.mark.parametrize("closed", [-50, 0, 100])
def test_the_gap_is_moved_by_so_many_percent(space, closed):
    result = gap(space, seed=2, closed=closed)
    images, texts = close_gap(result.batch.images, result.batch.texts, closed / 100)
    assert result.length == pytest.approx(np.linalg.norm(modality_gap(images, texts)), abs=1e-6)
    step = np.linspace(-1, 1, 21).tolist().index(pytest.approx(closed / 100))
    assert result.loss == pytest.approx(result.curves.loss[step], abs=1e-5)
    assert (result.by_picture, result.on_top) == (result.curves.by_picture[step], result.curves.on_top[step])
    assert result.matched == pytest.approx((images * texts).sum(axis=1).mean(), abs=1e-6)
    assert np.allclose(result.before, result.after) == (closed == 0)


def test_a_model_with_a_bias_is_matched_by_its_own_loss(space, monkeypatch):
    before, gap_before = match(space, n=30), gap(space)
    monkeypatch.setattr(Model, "scale", property(lambda model: Scale(40.0, -8.0)))
    result, apart = match(space, n=30), gap(space, closed=100)
    expected = match_pairs(result.batch.images, result.batch.texts, 40, logit_bias=-8)
    assert result.loss == pytest.approx(expected.loss) and result.contrast.logit_bias == -8
    assert result.by_picture == before.by_picture and result.hardest == before.hardest
    sharper = match(space, n=30, logit_scale=50)
    assert sharper.loss == pytest.approx(
        match_pairs(result.batch.images, result.batch.texts, 50, logit_bias=-8).loss
    ), "a typed scale, and the model's own bias"
    images, texts = close_gap(apart.batch.images, apart.batch.texts, 1)
    closed = match_pairs(images, texts, 40, logit_bias=-8)
    assert apart.loss == pytest.approx(closed.loss, rel=1e-5) and apart.curves.loss[-1] == pytest.approx(apart.loss)
    assert apart.chance == closed.chance > gap_before.chance == pytest.approx(np.log(500))
