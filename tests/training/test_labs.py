import json

import numpy as np
import pytest
from PIL import Image, ImageDraw

from clipexplore.training.labs import (
    BARS,
    TEMPLATE_COUNTS,
    add_figures,
    detection,
    matching,
    table,
    templates,
    two_things,
)

RED, BLUE = (0, 1)


class Colours:
    """An embedder to check by hand: a picture is its shares of red and blue and a little of neither; "red" and "blue"
    are those axes.
    """

    dim = 3

    def embed_texts(self, texts):
        return np.stack([np.eye(3, dtype=np.float32)[{"red": RED, "blue": BLUE}[text]] for text in texts])

    def embed_images(self, images):
        found = []
        for image in images:
            pixels = np.asarray(image).reshape(-1, 3).astype(int)
            red, blue = ((pixels[:, 0] - pixels[:, 2]) > 100).mean(), ((pixels[:, 2] - pixels[:, 0]) > 100).mean()
            found.append(np.array([red, blue, 0.05]))
        return np.stack([each / np.linalg.norm(each) for each in found]).astype(np.float32)


def painted(boxes):
    picture = Image.new("RGB", (128, 128), (200, 200, 200))
    for (x, y, width, height), colour in zip(boxes, ((220, 20, 20), (20, 20, 220)), strict=True):
        ImageDraw.Draw(picture).rectangle((x, y, x + width - 1, y + height - 1), colour)
    return picture, list(zip(("red", "blue"), boxes, strict=True))


def test_detection_finds_what_an_embedder_that_sees_colours_sees():
    scenes = [painted([(6, 36, 56, 56), (68, 40, 56, 50)]), painted([(40, 70, 50, 54), (36, 4, 54, 54)])]
    found = detection(Colours(), scenes, 20)
    assert found["detection: right thing"] == 1 and found["detection: mean IoU"] > 0.3


def test_what_is_looked_for_in_the_wrong_place_is_not_right():
    picture, ((red, red_box), (blue, blue_box)) = painted([(6, 36, 56, 56), (68, 40, 56, 50)])
    found = detection(Colours(), [(picture, [(red, blue_box), (blue, red_box)])], 20)
    assert found["detection: right thing"] == 0 and found["detection: mean IoU"] < 0.1


def test_scenes_of_two_things_are_as_drawn(world):
    scenes = two_things(3)
    assert all(picture.size == (128, 128) and len(known) == 2 for picture, known in scenes)
    again = two_things(3)
    assert [known for _, known in scenes] == [known for _, known in again]
    for _, known in scenes:
        for name, (left, top, width, height) in known:
            assert name and width > 10 and height > 10 and left + width > 0 and top + height > 0


def test_matching_and_templates_on_any_embedder(world, tiny_clip, monkeypatch):
    from clipexplore.models.embedder import Embedder
    from clipexplore.training import labs

    monkeypatch.setattr(labs, "PAIRS", 12)
    few = labs.things()[:6]
    monkeypatch.setattr(labs, "things", lambda: few)
    embedder = Embedder.load(tiny_clip)
    found = matching(embedder, 10)
    assert found["loss of 500 pairs"] == pytest.approx(np.log(12), rel=0.6) and 0 < found["modality gap"] < 2
    accuracies = templates(embedder)
    assert len(accuracies) == len(TEMPLATE_COUNTS) and all(0 <= each <= 1 for each in accuracies.values())


def test_figures_stand_beside_those_of_the_same_model(tmp_path):
    path = tmp_path / "figures.json"
    add_figures("c53d", {"modality gap": 0.9109312, "chance, ln 500": 6.2}, path)
    found = add_figures("c53d", {"modality gap": 0.5, "R@1 of 500, picture → caption": 1.0}, path)
    assert found == {"modality gap": 0.5, "chance, ln 500": 6.2, "R@1 of 500, picture → caption": 1.0}
    assert json.loads(path.read_text(encoding="utf-8")) == {"revision": "c53d", "figures": found}
    assert add_figures("a11c", {"modality gap": 0.4}, path) == {"modality gap": 0.4}


def test_the_table_marks_what_is_below_its_bar():
    rows = table({"detection: mean IoU": BARS["detection: mean IoU"] - 0.01, "modality gap": 0.9}).split("\n")
    assert rows[2].endswith("(below) |") and "≥ 0.40" in rows[2] and rows[3] == "| modality gap |  | 0.900 |"
