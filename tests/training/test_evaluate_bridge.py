"""What `evaluate_bridge` measures without drawing, of the two bundled models."""

import numpy as np

from clipexplore import Space
from clipexplore.models.bridge import ROTATION, fit_bridge
from clipexplore.training import evaluate_bridge as measured
from clipexplore.training.build_assets import MODEL, SECOND


def test_the_bars_that_need_no_drawing():
    spaces = [Space.open(MODEL), Space.open(SECOND)]
    (ours, true), (theirs, others) = measured.split(spaces)
    few, many = (measured.fitted(theirs, ours, count) for count in (300, 2000))
    native = measured.recalls(true)
    bridged = measured.recalls({kind: few.carry(others[kind], kind) for kind in measured.KINDS})
    for name, value in bridged.items():
        assert value >= measured.BARS[name] * native[name]

    def cosine(bridge):
        return np.vecdot(bridge.carry(others["pictures"]), true["pictures"]).mean()

    rotation = fit_bridge(theirs, ours, pulls=ROTATION)
    assert cosine(many) > cosine(few) > cosine(rotation) and cosine(many) > 0.91
    assert abs(cosine(many) - many.held_out["pictures"]) < 0.01, "what it says of itself"


def test_no_scene_that_is_carried_is_an_anchor_nor_shares_its_caption_with_one():
    space = Space.open(MODEL)
    ((anchors, others),) = measured.split([space])
    known = {
        tuple(row): caption
        for row, caption in zip(space.embeddings("pictures"), space.collection.captions, strict=True)
    }
    said = [{known[tuple(row)] for row in each["pictures"]} for each in (anchors, others)]
    assert len(said[1]) == len(others["pictures"]) == measured.OTHERS and not said[0] & said[1]
    assert len(anchors["pictures"]) >= 2000
