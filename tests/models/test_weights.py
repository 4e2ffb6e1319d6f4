"""Where weights are looked for, and when they count as being there."""

import json
import os

import pytest

from clipexplore.errors import InputError
from clipexplore.models.weights import LOCK, RECEIPT, Weights, fetched_folder, file_hash, read_lock, write_lock

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CLIP = Weights("clip", "MIT", "someone/clip", COMMIT)

pytestmark = pytest.mark.usefixtures("home")


def fill(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"12345")
    return folder


def test_missing_weights_come_with_the_command_that_fetches_them():
    assert not CLIP.present and CLIP.name == "someone/clip" and not CLIP.bundled
    with pytest.raises(InputError, match="The weights someone/clip are not on this machine; fetch them with: python -m clipexplore models get mine"):
        CLIP.require("mine")


def test_a_fetched_folder_is_whole_by_its_receipt():
    folder = fill(fetched_folder("someone/clip", COMMIT), "model.safetensors", "vocab.json")
    (folder / RECEIPT).write_text(json.dumps({"model.safetensors": {"size": 5, "sha256": ""}, "vocab.json": {"size": 5, "sha256": ""}}))
    assert CLIP.require("mine") == folder
    (folder / "vocab.json").write_bytes(b"1234")
    assert not CLIP.present
    (folder / "vocab.json").unlink()
    assert not CLIP.present


def test_a_snapshot_in_the_cache_of_the_hub_is_used_where_it_is(tmp_path):
    blobs = fill(tmp_path / "cache/models--someone--clip/blobs", "a", "b", "c")
    snapshot = blobs.parent / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    for name, blob in (("config.json", "a"), ("preprocessor_config.json", "b")):
        os.symlink(blobs / blob, snapshot / name)
    assert not CLIP.present  # half of one is none
    os.symlink(blobs / "c", snapshot / "model.safetensors")
    assert CLIP.folder == snapshot and CLIP.present
    assert not Weights("clip", "MIT", "someone/clip", COMMIT[::-1]).present


def test_a_pipeline_needs_weights_in_every_part_with_a_network(tmp_path):
    folder = fill(tmp_path / "sd", "model_index.json", "unet/config.json", "vae/config.json", "unet/diffusion_pytorch_model.fp16.safetensors", "scheduler/scheduler_config.json")
    weights = Weights("pipeline", "x", path=folder)
    assert not weights.present
    fill(folder, "vae/diffusion_pytorch_model.fp16.safetensors")
    assert weights.present and weights.variant == "fp16"


def test_a_folder_that_is_not_whole_is_told(tmp_path):
    with pytest.raises(InputError, match="does not hold a whole clip; restore it or correct the configuration"):
        Weights("clip", "MIT", path=tmp_path).require("mine")


def test_the_lock_file_pins_what_the_catalogue_does_not(home):
    loose = Weights("clip", "MIT", "someone/other")
    assert loose.pinned is None and loose.identity == "unpinned"
    write_lock("someone/other", COMMIT)
    write_lock("a/b", COMMIT[::-1])
    assert read_lock() == {"someone/other": COMMIT, "a/b": COMMIT[::-1]}
    assert loose.pinned == COMMIT and loose.identity == COMMIT[:12]
    assert not list(home.rglob("*.partial"))


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a/b": "main"}', '{"../b": "' + COMMIT + '"}', '{"a/b": 1}'])
def test_a_damaged_lock_file_is_told(home, text):
    (home / "models").mkdir(parents=True)
    (home / "models" / LOCK).write_text(text)
    with pytest.raises(InputError, match="lock file .* is damaged; delete it"):
        read_lock()


def test_a_folder_is_known_by_what_is_in_it(tmp_path):
    own = Weights("clip", "MIT", path=fill(tmp_path / "own", "config.json", "preprocessor_config.json", "model.safetensors"))
    first = own.identity
    assert first == Weights("clip", "MIT", path=fill(tmp_path / "copy", "model.safetensors")).identity
    (own.folder / "model.safetensors").write_bytes(b"123456")
    assert own.identity != first and len(own.identity) == 12
    file_hash.cache_clear()
