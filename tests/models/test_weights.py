"""Where weights are looked for, and when they count as being there."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from clipexplore.errors import InputError
from clipexplore.models import revisions as revisions_module
from clipexplore.models.revisions import revisions_of
from clipexplore.models.weights import LOCK, RECEIPT, Weights, fetched_folder, read_lock, variant_of, write_lock

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
    with pytest.raises(
        InputError,
        match="The weights someone/clip are not on this machine; fetch them with: python -m clipexplore models get "
        "mine",
    ):
        CLIP.require("mine")


def test_a_fetched_folder_is_whole_by_its_receipt():
    folder = fill(fetched_folder("someone/clip", COMMIT), "model.safetensors", "vocab.json")
    (folder / RECEIPT).write_text(
        json.dumps({"model.safetensors": {"size": 5, "sha256": ""}, "vocab.json": {"size": 5, "sha256": ""}})
    )
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
    folder = fill(
        tmp_path / "sd",
        "model_index.json",
        "unet/config.json",
        "vae/config.json",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "scheduler/scheduler_config.json",
    )
    weights = Weights("pipeline", "x", path=folder)
    assert not weights.present
    fill(folder, "vae/diffusion_pytorch_model.fp16.safetensors")
    assert weights.present and variant_of(folder) == "fp16"


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
    own = Weights(
        "clip", "MIT", path=fill(tmp_path / "own", "config.json", "preprocessor_config.json", "model.safetensors")
    )
    first = own.identity
    assert first == Weights("clip", "MIT", path=fill(tmp_path / "copy", "model.safetensors")).identity
    (own.folder / "model.safetensors").write_bytes(b"123456")
    assert own.identity != first and len(own.identity) == 12
    revisions_module._file_hash.cache_clear()


def test_each_tower_has_a_revision_of_its_own(tiny_clip, tmp_path):
    """Retraining one tower leaves what the other has embedded as it is; a new tokenizer changes the texts alone."""
    from safetensors.numpy import load_file, save_file

    def changed(name, change):
        folder = Path(shutil.copytree(tiny_clip, tmp_path / name))
        change(folder)
        return revisions_of(folder)

    def retrained(prefix):
        def change(folder):
            tensors = load_file(folder / "model.safetensors")
            first = next(name for name in sorted(tensors) if name.startswith(prefix))
            tensors[first] = np.asarray(tensors[first] + 1)
            save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})

        return change

    def said_type(folder):
        """Some versions of transformers write the type of a tower's numbers into its configuration."""
        config = json.loads((folder / "config.json").read_text())
        for tower in ("text_config", "vision_config"):
            config[tower] = {**config[tower], "dtype": "float16"}
        (folder / "config.json").write_text(json.dumps(config))

    before = revisions_of(tiny_clip)
    assert len({*before}) == 3 and all(len(each) == 12 for each in before)
    assert changed("copy", lambda folder: None) == before
    for prefix, same in (("vision_model", "texts"), ("visual_projection", "texts"), ("text_model", "pictures")):
        after = changed(prefix, retrained(prefix))
        assert after.model != before.model
        assert [name for name in ("pictures", "texts") if getattr(after, name) == getattr(before, name)] == [same]
    after = changed("scale", retrained("logit_scale"))
    assert after.model != before.model and after[1:] == before[1:]
    assert changed("saved again", said_type)[1:] == before[1:]
    after = changed("tokenizer", lambda folder: (folder / "tokenizer.json").write_text("{}"))
    assert after.pictures == before.pictures and after.texts != before.texts


def test_of_a_repository_the_commit_says_it_all():
    commit = "0123456789ab" + "c" * 28
    assert Weights("clip", "MIT", "a/b", commit).revisions == ("0123456789ab",) * 3
