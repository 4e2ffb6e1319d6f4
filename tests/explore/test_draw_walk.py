"""What a walk between texts is drawn from."""

import numpy as np
import pytest

from clipexplore import Space
from clipexplore.draw.drawer import Drawer, gap_of
from clipexplore.draw.walks import prompt_path
from clipexplore.explore.draw_walk import draw_walk
from clipexplore.points import across_gap
from clipexplore.vectors import path

STOPS = ["cat", "dog"]
FAST = {"num_inference_steps": 2, "guidance_scale": 1.0}


@pytest.mark.parametrize("both", [True, False])
def test_a_walk_between_texts_is_given_its_points_where_the_drawer_reads_both(both, monkeypatch):
    monkeypatch.setattr(Drawer, "reads_both", both)
    space = Space.open()
    walk = draw_walk(space, STOPS, 3, "lerp", draw_from="tokens", **FAST)
    gap = gap_of(space, walk.drawer)
    points = path(np.stack([across_gap(space.point(stop), gap) for stop in STOPS]), 3, "lerp").points
    renderer = walk.drawer.load()
    states = prompt_path(renderer.encode_prompts(STOPS), 3, "lerp")
    expected = renderer.render(prompt_embeds=states, embeddings=points if both else None, **FAST)
    for picture, other in zip(walk.drawn["lerp"].pictures, expected, strict=True):
        np.testing.assert_array_equal(picture, other)
