"""From a machine that is no part of the cluster, at `ray://…`, the same is answered."""

from contextlib import closing

import numpy as np
import pytest
from fixtures_cluster import pictures, pixels, points, vectors
from fixtures_imports import fill, silent, store_in

from clipexplore.batcher import shared_embedder
from clipexplore.errors import InputError, MissingError
from clipexplore.models.embedder import Embedder
from clipexplore.retrieval.nearest import search
from clipexplore.retrieval.shared_search import shared_search
from clipexplore.sources.recognise import open_source
from clipexplore.store.importing import add

pytestmark = [pytest.mark.long, pytest.mark.cluster, pytest.mark.timeout(600)]


class Cancelled(BaseException):
    """As a lane ends the work of a job."""


def test_a_machine_elsewhere_is_answered_alike(client, drawer, unclip, tiny_clip, tmp_path):
    own, asked = Embedder.load(tiny_clip), shared_embedder(tiny_clip)
    np.testing.assert_array_equal(asked.embed_texts(["a cat", "hat"]), own.embed_texts(["a cat", "hat"]))
    np.testing.assert_array_equal(asked.embed_images(pictures(3)), own.embed_images(pictures(3)))
    with pytest.raises(MissingError, match="There is no CLIP in"):
        shared_embedder(tmp_path).embed_texts(["a cat"])

    rows = vectors(60_000)
    found, expected = shared_search(rows[:2], rows, 5), search(rows[:2], rows, 5)
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_array_equal(found.cosines, expected.cosines)

    said = []

    def report(share, preview):
        said.append((share, preview))

    given = {"embeddings": points(9), "seed": 3, "num_inference_steps": 4}
    drawn = drawer.load().render(report=report, **given)
    np.testing.assert_array_equal(pixels(drawn), pixels(unclip.render(**given)))
    shares = [share for share, _preview in said]
    assert shares == sorted(shares) and len({*shares}) > 8 and any(preview for _share, preview in said)

    def stop(share, preview):
        raise Cancelled

    with pytest.raises(Cancelled):
        drawer.load().render(embeddings=points(9), num_inference_steps=100, report=stop)
    with pytest.raises(InputError, match="nothing to draw"):
        drawer.load().render()

    fill(tmp_path / "photos", 300)
    with closing(store_in(tmp_path / "it")) as store:
        assert add(store, open_source(tmp_path / "photos"), asked, "tiny", asked.revision, silent).added == 300
