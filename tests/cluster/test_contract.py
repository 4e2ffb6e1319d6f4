"""Whether a cluster is set or not, the same is answered: one suite for both."""

import shutil
import time
from contextlib import closing
from itertools import pairwise, product

import numpy as np
import pytest
from fixtures_cluster import pictures, pixels, points, vectors
from fixtures_drawing import build_tiny_kandinsky, write_adapter
from fixtures_imports import contents, fill, silent, store_in
from fixtures_s3 import bucket, put

from clipexplore.batcher import shared_embedder
from clipexplore.draw.drawer import Drawer
from clipexplore.draw.renderer import Renderer
from clipexplore.errors import DamagedError, InputError, MissingError
from clipexplore.images import open_picture
from clipexplore.models.embedder import Embedder
from clipexplore.models.weights import Weights
from clipexplore.retrieval.nearest import search
from clipexplore.retrieval.shared_search import shared_search
from clipexplore.settings import settings
from clipexplore.sources.recognise import open_source
from clipexplore.store import importing
from clipexplore.store.collection import Collection

pytestmark = [pytest.mark.long, pytest.mark.cluster]

TEXTS = ["a photo of a cat", "a dog in the snow at night", "hat", "", "two birds"]


def test_texts_and_pictures_have_the_same_vectors(where, tiny_clip):
    own, asked = Embedder.load(tiny_clip), shared_embedder(tiny_clip)
    np.testing.assert_array_equal(asked.embed_texts(TEXTS), own.embed_texts(TEXTS))
    np.testing.assert_array_equal(asked.embed_images(pictures(3)), own.embed_images(pictures(3)))
    assert asked.embed_texts([]).shape == (0, own.dim)
    assert asked.count_tokens(TEXTS) == own.count_tokens(TEXTS) and asked.max_tokens == own.max_tokens
    assert (asked.revision, asked.revisions) == (own.revision, own.revisions)


def test_what_cannot_be_embedded_is_told_in_the_same_words_and_stops_nobody_else(where, tiny_clip, tmp_path):
    (broken := tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(InputError) as told:
        Embedder.load(tiny_clip).embed_images([broken])
    with pytest.raises(InputError) as told_here:
        shared_embedder(tiny_clip).embed_images([broken])
    assert str(told_here.value) == str(told.value) and type(told_here.value) is type(told.value)


def test_a_model_that_is_not_there_is_missing(where, tmp_path):
    with pytest.raises(MissingError, match="There is no CLIP in"):
        shared_embedder(tmp_path).embed_texts(["cat"])


def test_a_model_whose_weights_are_damaged_is_told_of_at_once(where, tiny_clip, tmp_path):
    folder = shutil.copytree(tiny_clip, tmp_path / "damaged")
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    began = time.monotonic()
    with pytest.raises(DamagedError):
        shared_embedder(folder).embed_texts(["cat"])
    assert time.monotonic() - began < 120


@pytest.mark.parametrize("mapped", [True, False])
def test_the_nearest_are_the_same(where, mapped, tmp_path):
    """Rows that lie in a file and such as are in memory; some are equal, and lie on both sides of a shard's edge."""
    rows = vectors(60_000)
    rows[[5, 29_999, 30_000, 59_999]] = rows[5]
    if mapped:
        np.save(tmp_path / "rows.npy", rows)
        rows = np.asarray(np.load(tmp_path / "rows.npy", mmap_mode="r"))
    queries = np.stack([rows[5] + 0.1, rows[31_000], *np.eye(rows.shape[1], dtype=np.float32)[:3]])
    for k, left_out in product((1, 3, 50), ((), (5, 31_000))):
        found, expected = shared_search(queries, rows, k, left_out), search(queries, rows, k, left_out)
        np.testing.assert_array_equal(found.indices, expected.indices)
        np.testing.assert_array_equal(found.cosines, expected.cosines)
        for name in ("mean", "std", "z"):
            np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-5, atol=1e-6)


def test_a_recipe_has_the_same_pixels_progress_and_previews(where, drawer, unclip):
    """Of five batches, the last of which is filled up."""

    def watched(renderer):
        said, shown = [], []
        drawn = renderer.render(
            embeddings=points(20),
            seed=3,
            num_inference_steps=4,
            scheduler="ddim",
            report=lambda share, preview: said.append((round(share, 9), preview and preview.tobytes())),
            shown=lambda number, picture: shown.append(number),
        )
        return pixels(drawn), said, shown

    (drawn, said, shown), (expected, as_said, as_shown) = watched(drawer.load()), watched(unclip)
    np.testing.assert_array_equal(drawn, expected)
    assert (
        without_repeats(said) == without_repeats(as_said)
        and shown == as_shown
        and any(preview for _share, preview in said)
    )


def without_repeats(said):
    """Whoever waits long for a step is told once more how far the drawing is."""
    return [each for before, each in pairwise([(0.0, None), *said]) if each[0] != before[0]]


def test_texts_are_conditions_of_the_same_states(where, drawer, unclip):
    states = drawer.load().encode_prompts(TEXTS[:2])
    np.testing.assert_array_equal(states, unclip.encode_prompts(TEXTS[:2]))
    drawn = drawer.load().render(prompt_embeds=states, num_inference_steps=2)
    np.testing.assert_array_equal(pixels(drawn), pixels(unclip.render(prompt_embeds=states, num_inference_steps=2)))


@pytest.fixture(scope="session")
def decoders(tiny_diffusion, tmp_path_factory):
    """By name a pipeline and the IP-Adapter that it draws points with, if any."""
    folder = tmp_path_factory.mktemp("decoders")
    adapter = write_adapter(folder / "adapter", tiny_diffusion)
    return {"Kandinsky": (build_tiny_kandinsky(folder / "kandinsky"), None), "IP-Adapter": (tiny_diffusion, adapter)}


@pytest.mark.parametrize("name", ["Kandinsky", "IP-Adapter"])
def test_other_decoders_draw_the_same_pixels(where, decoders, name, tiny_clip):
    folder, adapter = decoders[name]
    drawer = Drawer(Weights("pipeline", "none", path=folder), Weights("clip", "none", path=tiny_clip), adapter=adapter)
    asked = {"embeddings": points(5), "num_inference_steps": 2, "seed": 7}
    own = Renderer.load(folder, tiny_clip, adapter=adapter)
    np.testing.assert_array_equal(pixels(drawer.load().render(**asked)), pixels(own.render(**asked)))


@pytest.mark.parametrize(
    ("asked", "rule"),
    [({}, "nothing to draw"), ({"embeddings": points(2), "guidance_scale": 99.0}, "guidance_scale is 99")],
)
def test_what_cannot_be_drawn_is_told_in_the_same_words(where, drawer, asked, rule):
    with pytest.raises(InputError, match=rule):
        drawer.load().render(**asked)


class Cancelled(BaseException):
    """As a lane ends the work of a job."""


def test_a_drawing_that_nobody_wants_any_more_ends(where, drawer):
    seen = []

    def report(share, preview):
        seen.append(share)
        raise Cancelled

    with pytest.raises(Cancelled):
        drawer.load().render(embeddings=points(9), num_inference_steps=100, report=report)
    assert len(seen) == 1
    assert len(drawer.load().render(embeddings=points(1), num_inference_steps=1)) == 1


@pytest.fixture
def photos(tmp_path):
    """So many pictures that a cluster reads them, two of which are the same, and one that is none."""
    fill(tmp_path / "photos", 300)
    (tmp_path / "photos/again.jpg").write_bytes((tmp_path / "photos/p0000.jpg").read_bytes())
    (tmp_path / "photos/broken.jpg").write_bytes(b"no picture")
    return tmp_path / "photos"


@pytest.fixture(scope="session")
def s3():
    with bucket() as address:
        yield address


@pytest.mark.parametrize("form", ["folder", "tar", "zip", "address", "bucket", "bucket-tar"])
def test_an_import_has_the_same_items_and_refusals(nodes, tiny_clip, photos, tmp_path, monkeypatch, request, form):
    sources = {"folder": photos, "tar": tmp_path / "photos.tar", "zip": tmp_path / "photos.zip"}
    if form in ("tar", "zip", "bucket-tar"):
        shutil.make_archive(str(photos), form.removeprefix("bucket-"), photos)
    if form.startswith("bucket"):
        name = "photos.tar" if form == "bucket-tar" else "photos"
        sources[form] = put(tmp_path / name, f"{request.getfixturevalue('s3')}/{name}")
    if form != "zip":  # the nodes read, and this process does not
        monkeypatch.setattr(importing, "batches_ahead", None)
    source = open_source(sources.get(form, photos.as_uri()))

    def made(folder, by):
        with closing(store_in(tmp_path / folder)) as store:
            outcome = importing.add(store, source, by, "tiny", by.revision, silent)
        return outcome, contents(tmp_path / folder)

    outcome, found = made("on-cluster", shared_embedder(tiny_clip))
    monkeypatch.undo()
    settings.cache_clear()
    own_outcome, own = made("here", Embedder.load(tiny_clip))
    assert [each.name for each in outcome.rejected] == ["broken.jpg"] and outcome.rejected == own_outcome.rejected
    assert (outcome.added, outcome.known, outcome.refused) == (300, 1, 1)
    for table in ("items", "pictures", "rejected"):
        assert found[table] == own[table], table


def test_an_import_is_resumed(where, tiny_clip, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(importing, "COMMIT", 100)
    own, by = Embedder.load(tiny_clip), shared_embedder(tiny_clip)

    def take(report):
        with closing(store_in(tmp_path / "it")) as store:
            return importing.add(store, open_source(photos), by, "tiny", by.revision, report)

    def stop(share, stage):
        if share > 0.5 and stage:
            raise Cancelled

    with pytest.raises(Cancelled):
        take(stop)
    outcome = take(silent)
    assert outcome.known > 1 and outcome.known + outcome.added == 301
    assert [each.name for each in outcome.rejected] == ["broken.jpg"]
    found = Collection.open(tmp_path / "it", verify=True)
    stored = [open_picture(found.picture(id)) for id in found.ids]
    np.testing.assert_allclose(found.embeddings("tiny", "pictures"), own.embed_images(stored), atol=1e-5)
