"""A CLIP and a decoder share a card. Ray takes a node's word for how many it has, so none has to be there."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from fixtures_cluster import end, pixels, points, runs, until

from clipexplore.batcher import shared_embedder
from clipexplore.cluster import driver, local
from clipexplore.cluster.connection import ask
from clipexplore.cluster.deploying import models
from clipexplore.models.embedder import Embedder
from clipexplore.models.weights import Weights

pytestmark = [pytest.mark.long, pytest.mark.cluster, pytest.mark.timeout(600)]


@pytest.fixture
def card(nodes):
    """A node that says it has one."""
    node = local.start_node(nodes.port, "card", cpus=2, gpus=1)
    until(lambda: nodes.is_there("card"))
    yield node
    end(node)
    until(lambda: not nodes.is_there("card"))


@pytest.fixture
def copied(tiny_clip, tmp_path):
    """The model in folders of other names, so that nothing of it is deployed yet; it is not when the test has ended."""
    from ray import serve

    before = {each.name for each in ask(models)}
    yield [shutil.copytree(tiny_clip, tmp_path / name) for name in ("first", "second")]
    for each in ask(models):
        if each.name not in before:
            ask(serve.delete, each.name)


def test_without_cards_a_model_takes_a_share_of_the_processors(nodes):
    assert ask(driver.shared) == ({"num_cpus": driver.COPY}, 4)


def test_a_clip_and_a_decoder_share_a_card_and_a_third_model_waits(card, nodes, copied, drawer, unclip, tiny_clip):
    from ray import serve

    assert ask(driver.shared)[0]["num_gpus"] == 0.5 and ask(driver.shared)[1] == 1
    first, second = map(shared_embedder, copied)
    expected = Embedder.load(tiny_clip).embed_texts(["a cat"])
    np.testing.assert_array_equal(first.embed_texts(["a cat"]), expected)
    by_it = replace(drawer, clip=Weights("clip", "none", path=copied[0]))
    drawn = by_it.load().render(embeddings=points(2), num_inference_steps=2)
    np.testing.assert_array_equal(pixels(drawn), pixels(unclip.render(embeddings=points(2), num_inference_steps=2)))
    assert runs(card, "Clip") and runs(card, "Artist")

    with ThreadPoolExecutor(1) as people:
        asked = people.submit(second.embed_texts, ["a cat"])
        until(lambda: len([each for each in ask(models) if each.name.startswith("Clip")]) > 1)
        for _again in range(5):
            first.embed_texts(["a cat"])
        assert not asked.done()
        ask(serve.delete, next(each.name for each in ask(models) if each.name.startswith("Artist") and each.copies))
        np.testing.assert_array_equal(asked.result(240), expected)
