"""Downloads from a hub on this machine: what is chosen, resumed, checked and converted, and every failure in one
sentence.
"""

import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clipexplore.errors import DamagedError, InputError, NetworkError
from clipexplore.models import downloads
from clipexplore.models import hub as hub_module
from clipexplore.models.weights import RECEIPT, Weights, fetched_folder, read_lock

ROOT = Path(__file__).parents[2]
BIG = np.random.default_rng(0).bytes(300_000)
TEXTS = dict.fromkeys(("config.json", "preprocessor_config.json", "vocab.json"), b"{}")
CLIP = {**TEXTS, "model.safetensors": BIG, "README.md": b"x", "tf_model.h5": BIG[::-1]}
NEEDED = {*TEXTS, "model.safetensors"}
REPO = "someone/clip"


@pytest.fixture(autouse=True)
def in_little_time(home, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # the library waits a second before it tries again
    monkeypatch.setattr("clipexplore.models.hub.CHUNK", 50_000)  # what is kept of a file is a multiple of this


@pytest.fixture
def clip(hub):
    return Weights("clip", "MIT", REPO, hub.add(REPO, CLIP))


def test_only_what_is_needed_is_fetched_and_checked(hub, clip):
    assert not clip.present
    folder = downloads.fetch(clip)
    assert clip.present and clip.folder == folder == fetched_folder(REPO, clip.revision)
    assert {path.name for path in folder.iterdir()} == {*NEEDED, RECEIPT}
    assert (folder / "model.safetensors").read_bytes() == BIG
    assert not list(folder.parent.glob("*.partial"))
    assert downloads.verify(clip) == []


def test_what_is_here_is_not_fetched_again(hub, clip):
    downloads.fetch(clip)
    before = len(hub.asked)
    downloads.fetch(clip)
    assert len(hub.asked) == before


def test_progress_counts_bytes_up_to_all_of_them(clip):
    seen = []
    downloads.fetch(clip, lambda done, total, stage: seen.append((done, total, stage)))
    done = [each[0] for each in seen]
    assert done == sorted(done) and done[-1] == seen[-1][1] == hub_module.plan(clip).size
    assert {each[2] for each in seen} == NEEDED


def test_a_dropped_connection_is_taken_up_where_it_ended(hub, clip):
    hub.drop_after, hub.drops = 100_000, 2
    downloads.fetch(clip)
    assert (clip.folder / "model.safetensors").read_bytes() == BIG
    starts = [asked for _, path, asked in hub.asked if path.startswith("/cdn/")]
    assert len(starts) == 3 and starts[0] is None and all(starts[1:])


@pytest.mark.parametrize("no_range", [False, True])
def test_a_stopped_download_goes_on_from_where_it_was(hub, clip, monkeypatch, no_range):
    def stop(done, total, stage):
        if stage == "model.safetensors" and done > 120_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        downloads.fetch(clip, stop)
    assert not clip.present
    hub.asked.clear()
    hub.no_range = no_range  # a server between may not know about parts
    downloads.fetch(clip)
    assert (clip.folder / "model.safetensors").read_bytes() == BIG
    (again,) = [asked for _, path, asked in hub.asked if path.startswith("/cdn/")]
    assert again == "bytes=150000-"
    assert not [path for _, path, _ in hub.asked if path.endswith("config.json")]


def test_a_flipped_byte_is_noticed_and_not_kept(hub, clip):
    hub.alter = lambda data: bytes([data[0] ^ 1]) + data[1:] if len(data) > 1000 else data
    with pytest.raises(
        InputError,
        match="What arrived as model.safetensors of someone/clip is not what the hub says it is; fetch it again",
    ):
        downloads.fetch(clip)
    assert not clip.present
    hub.alter = lambda data: data
    downloads.fetch(clip)
    assert downloads.verify(clip) == []


def test_a_small_file_is_checked_too(hub, clip):
    hub.alter = lambda data: b"[]" if data == b"{}" else data
    with pytest.raises(InputError, match="config.json of someone/clip is not what the hub says"):
        downloads.fetch(clip)


def test_without_checksums_that_is_said_and_what_arrived_is_held_to_ever_after(hub, clip, capsys):
    hub.no_checksums = True
    stages = []
    downloads.fetch(clip, lambda done, total, stage: stages.append(stage))
    assert "model.safetensors, for which the hub gives no checksum" in stages
    assert downloads.verify(clip) == [] and "model.safetensors" in downloads.unchecked(clip)
    weights = clip.folder / "model.safetensors"
    weights.write_bytes(bytes([BIG[0] ^ 1]) + BIG[1:])
    assert downloads.verify(clip) == ["model.safetensors"]


def test_without_checksums_a_file_of_another_size_is_refused(hub, clip):
    hub.no_checksums = True
    hub.alter = lambda data: data[:-1] if len(data) > 1000 else data
    with pytest.raises(DamagedError, match="model.safetensors of someone/clip is not what the hub says it is"):
        downloads.fetch(clip)
    assert not clip.present


def test_with_checksums_nothing_is_said_of_them(clip):
    stages = []
    downloads.fetch(clip, lambda done, total, stage: stages.append(stage))
    assert not [stage for stage in stages if "checksum" in stage] and downloads.unchecked(clip) == []


def test_a_finished_file_among_the_partial_ones_is_checked_again(hub, clip, monkeypatch):
    """A try that ended after the large file had come; meanwhile a byte of it changed on the disk."""
    with monkeypatch.context() as patch:
        patch.setattr(downloads, "write_json", lambda *given: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            downloads.fetch(clip)
    (kept,) = clip.folder.parent.glob("*.partial/model.safetensors")
    kept.write_bytes(bytes([BIG[0] ^ 1]) + BIG[1:])
    with pytest.raises(DamagedError, match="model.safetensors"):
        downloads.fetch(clip)
    assert downloads.fetch(clip) and downloads.verify(clip) == []


@pytest.mark.parametrize("page", [b"<html>Log in</html>", b"{}", b"[]", b'{"login": "here"}', b"null"])
def test_what_answers_in_place_of_the_hub_is_told(hub, clip, monkeypatch, page):
    """As the network of a hotel answers until one has logged in."""
    monkeypatch.setattr(hub, "_list", lambda request, *of: hub._send(request, 200, page))
    with pytest.raises(NetworkError, match="is not the hub"):
        downloads.fetch(clip)


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (403, "GatedRepo", "is gated: accept its terms at https://huggingface.co/someone/clip"),
        (401, "RepoNotFound", "is not on the hub, or is private"),
        (404, "RepoNotFound", "is not on the hub, or is private"),
        (404, "RevisionNotFound", "no longer has the revision"),
        (503, "", "The hub answered 503 for someone/clip; try again later"),
        (429, "", "The hub answered 429"),
    ],
)
def test_a_refusal_is_one_sentence(hub, clip, status, code, message):
    hub.refuse = status, code
    with pytest.raises(InputError, match=message) as told:
        downloads.fetch(clip)
    assert "\n" not in str(told.value) and str(told.value).endswith(".")


def test_a_disabled_repository_is_told(hub, clip, monkeypatch):
    hub.refuse = 403, ""
    send = hub._send
    monkeypatch.setattr(
        hub,
        "_send",
        lambda request, status, body, headers: send(
            request, status, body, {"X-Error-Message": "Access to this resource is disabled."}
        ),
    )
    with pytest.raises(InputError, match="has been disabled by the hub"):
        downloads.fetch(clip)


def test_without_a_network_one_sentence_and_nothing_lost(hub, clip):
    hub.close()
    with pytest.raises(InputError, match=r"The hub cannot be reached for someone/clip \(.*\); connect this machine"):
        downloads.fetch(clip)


def test_offline_is_respected(hub, clip, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="while HF_HUB_OFFLINE is set"):
        downloads.fetch(clip)
    assert hub.asked == []


def test_a_file_that_went_away_is_told(hub, clip, monkeypatch):
    wanted = hub_module.plan(clip)
    monkeypatch.setattr(hub_module, "plan", lambda weights: wanted)
    del hub.repos[REPO][clip.revision]["vocab.json"]
    with pytest.raises(InputError, match="A file of someone/clip is gone"):
        downloads.fetch(clip)
    hub.repos[REPO][clip.revision]["vocab.json"] = b"{}"


def test_a_full_disk_is_told_before_anything_is_fetched(hub, clip, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1000}))
    with pytest.raises(InputError, match=r"needs 0\.2 GB and .* has 0\.0 GB free; make room, or set CLIPEXPLORE_HOME"):
        downloads.fetch(clip)
    assert hub.downloads() == []


def test_a_disk_that_fills_up_meanwhile_is_told(clip, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(hub_module, "_append", full)
    with pytest.raises(InputError, match="cannot be fetched: No space left on device; what was fetched is kept"):
        downloads.fetch(clip)


def test_two_at_once_do_not_write_the_same_file(hub, clip):
    inside, leave = threading.Event(), threading.Event()

    def wait(done, total, stage):
        inside.set()
        assert leave.wait(20)

    first = threading.Thread(target=downloads.fetch, args=(clip, wait))
    first.start()
    assert inside.wait(20)
    with pytest.raises(InputError, match="is being fetched by another process"):
        downloads.fetch(clip)
    leave.set()
    first.join()
    assert clip.present


def test_without_a_pin_the_repository_is_pinned_when_it_is_fetched(hub):
    first = hub.add(REPO, CLIP)
    loose = Weights("clip", "MIT", REPO)
    assert loose.pinned is None and not loose.present
    downloads.fetch(loose)
    assert read_lock() == {REPO: first} and loose.pinned == first and loose.present
    hub.add(REPO, {**CLIP, "config.json": b'{"new": 1}'})  # main has moved on
    assert hub_module.plan(loose).commit == first


def test_an_unknown_licence_is_read_from_the_repository(hub, monkeypatch):
    monkeypatch.setattr(hub, "card", {"license": "apache-2.0"}, raising=False)
    weights = Weights("clip", "", REPO, hub.add(REPO, CLIP))
    assert weights.terms_of_use == "not yet known"
    downloads.fetch(weights)
    assert weights.terms_of_use == "apache-2.0"
    assert replace(weights, licence="MIT").terms_of_use == "MIT"


def test_a_bin_is_converted_in_a_process_of_its_own(hub, tmp_path):
    import torch
    from safetensors.numpy import load_file

    tensors = {"a": torch.randn(300, 20), "b": torch.arange(5)}
    tensors["tied"] = tensors["a"][:2]
    torch.save(tensors, tmp_path / "x.bin")
    files = {**TEXTS, "pytorch_model.bin": (tmp_path / "x.bin").read_bytes()}
    weights = Weights("clip", "MIT", REPO, hub.add(REPO, files))
    seen = []
    folder = downloads.fetch(weights, lambda done, total, stage: seen.append(stage))
    assert weights.present and not (folder / "pytorch_model.bin").exists()
    for name, array in load_file(folder / "model.safetensors").items():
        np.testing.assert_array_equal(array, tensors[name].numpy())
    assert any("converting pytorch_model.bin" in stage for stage in seen)
    receipt = json.loads((folder / RECEIPT).read_text())
    assert receipt["model.safetensors"]["from"] == downloads.sha256(tmp_path / "x.bin")
    assert downloads.verify(weights) == []


def test_a_bin_of_a_pipeline_is_called_as_its_library_looks_for_it(hub, tmp_path):
    """diffusers keeps `pytorch` in the name of its safetensors, transformers drops it."""
    import torch
    from diffusers import AutoencoderKL

    vae = AutoencoderKL(block_out_channels=(8,), norm_num_groups=8, latent_channels=2)
    vae.save_config(tmp_path)
    torch.save(vae.state_dict(), tmp_path / "vae.bin")
    files = {
        "model_index.json": b"{}",
        "vae/config.json": (tmp_path / "config.json").read_bytes(),
        "vae/diffusion_pytorch_model.bin": (tmp_path / "vae.bin").read_bytes(),
    }
    folder = downloads.fetch(Weights("pipeline", "MIT", REPO, hub.add(REPO, files)))
    found = AutoencoderKL.from_pretrained(folder / "vae", local_files_only=True, use_safetensors=True)
    assert found.config.latent_channels == 2
    assert downloads.converted_name("text_encoder/pytorch_model.bin") == "text_encoder/model.safetensors"


def test_what_lost_a_file_is_fetched_again(hub, clip):
    folder = downloads.fetch(clip)
    (folder / "vocab.json").unlink()
    assert not clip.present
    assert downloads.fetch(clip) == folder and clip.present and downloads.verify(clip) == []


def test_a_bin_with_code_in_it_is_refused_and_the_code_not_run(hub, tmp_path):
    import torch

    class Bad:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    torch.save({"a": torch.zeros(1000), "b": Bad()}, tmp_path / "x.bin")
    files = {**TEXTS, "pytorch_model.bin": (tmp_path / "x.bin").read_bytes()}
    weights = Weights("clip", "MIT", REPO, hub.add(REPO, files))
    with pytest.raises(InputError, match="pytorch_model.bin cannot be converted to safetensors"):
        downloads.fetch(weights)
    assert not (tmp_path / "ran").exists() and not weights.present


def test_a_repository_without_weights_is_told(hub):
    with pytest.raises(InputError, match="holds no clip that can be used"):
        downloads.fetch(Weights("clip", "MIT", REPO, hub.add(REPO, {"README.md": b"x"})))


def test_a_name_that_leads_out_of_the_folder_is_left_out(hub):
    files = {**CLIP, "model_index.json": b"{}", "../model.safetensors": BIG, "unet/model.safetensors": BIG}
    weights = Weights("pipeline", "MIT", REPO, hub.add(REPO, files))
    assert not [file.name for file in hub_module.plan(weights).files if ".." in file.name]


def test_verify_finds_what_changed_and_remove_frees_it(clip):
    downloads.fetch(clip)
    with open(clip.folder / "model.safetensors", "r+b") as file:
        file.write(b"!")
    assert clip.present and downloads.verify(clip) == ["model.safetensors"]
    assert downloads.remove(clip) > len(BIG) and not clip.present
    with pytest.raises(InputError, match="was not fetched by this program"):
        downloads.verify(clip)


def test_a_folder_is_neither_fetched_nor_deleted(tmp_path):
    own = Weights("clip", "MIT", path=tmp_path)
    for act in (downloads.fetch, downloads.remove):
        with pytest.raises(InputError, match="is a folder of this machine"):
            act(own)
    assert tmp_path.is_dir()


def test_from_the_command_line_to_a_whole_folder(hub, home, tmp_path):
    """In a process of its own, as an operator does it: HF_ENDPOINT names the hub, and HF_HUB_OFFLINE is not set."""
    commit = hub.add(REPO, CLIP)
    (tmp_path / "clipexplore.toml").write_text(f'[[models]]\nkey = "mine"\nclip = "{REPO}"\n')
    own = {"HF_ENDPOINT": hub.url, "CLIPEXPLORE_CONFIG": str(tmp_path / "clipexplore.toml"), "PYTHONPATH": str(ROOT)}
    environ = {**os.environ, **own}
    del environ["HF_HUB_OFFLINE"]

    def run(*arguments):
        command = [sys.executable, "-m", "clipexplore", "models", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=120)

    done = run("get", "mine", "--lines")
    assert done.returncode == 0, done.stderr
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert said[-1]["progress"] == 1.0 and any(each.get("total") for each in said)
    assert replace(Weights("clip", "x", REPO), revision=commit).present
    hub.refuse = 404, "RepoNotFound"
    (home / "models" / "lock.json").unlink()
    gone = run("get", "mine")
    assert (
        gone.returncode == 2
        and gone.stderr.strip().endswith("name another repository or a folder in the configuration.")
        and "Traceback" not in gone.stderr
    )


@pytest.mark.parametrize(
    ("kind", "names", "chosen"),
    [
        (
            "clip",
            "config.json model.safetensors pytorch_model.bin flax_model.msgpack sub/model.safetensors",
            "config.json model.safetensors",
        ),
        ("clip", "config.json pytorch_model.bin merges.txt README.md", "config.json pytorch_model.bin merges.txt"),
        ("clip", "config.json README.md", ""),
        (
            "clip",
            "config.json model-00001-of-00002.safetensors model-00002-of-00002.safetensors "
            "model.safetensors.index.json pytorch_model.bin open_clip_config.json open_clip_model.safetensors "
            "vocab.json",
            "config.json open_clip_config.json open_clip_model.safetensors vocab.json",
        ),
        ("clip", "config.json model-00001-of-00002.safetensors model-00002-of-00002.safetensors", ""),
        (
            "prior",
            "model_index.json prior/config.json prior/diffusion_pytorch_model.safetensors image_encoder/config.json "
            "image_encoder/model.safetensors text_encoder/model.safetensors scheduler/scheduler_config.json",
            "model_index.json prior/config.json prior/diffusion_pytorch_model.safetensors "
            "scheduler/scheduler_config.json",
        ),
        ("lora", "pytorch_lora_weights.safetensors README.md", "pytorch_lora_weights.safetensors"),
        (
            "pipeline",
            "model_index.json v1-5.safetensors unet/config.json unet/diffusion_pytorch_model.safetensors "
            "unet/diffusion_pytorch_model.non_ema.safetensors unet/diffusion_pytorch_model.fp16.safetensors "
            "unet/diffusion_pytorch_model.fp16.bin vae/config.json vae/diffusion_pytorch_model.fp16.safetensors "
            "vae/diffusion_pytorch_model.safetensors tokenizer/merges.txt",
            "model_index.json unet/config.json unet/diffusion_pytorch_model.fp16.safetensors "
            "vae/config.json vae/diffusion_pytorch_model.fp16.safetensors tokenizer/merges.txt",
        ),
        (
            "pipeline",
            "model_index.json unet/diffusion_pytorch_model.fp16.safetensors "
            "unet/diffusion_pytorch_model.safetensors vae/diffusion_pytorch_model.bin "
            "vae/diffusion_pytorch_model.fp16.bin",
            "model_index.json unet/diffusion_pytorch_model.fp16.safetensors vae/diffusion_pytorch_model.fp16.bin",
        ),
        (
            "pipeline",
            "model_index.json unet/diffusion_pytorch_model.fp16.safetensors "
            "unet/diffusion_pytorch_model.safetensors text_encoder/model.safetensors",
            "model_index.json unet/diffusion_pytorch_model.safetensors text_encoder/model.safetensors",
        ),
        (
            "pipeline",
            "model_index.json unet/diffusion_pytorch_model-00001-of-00002.safetensors "
            "unet/diffusion_pytorch_model-00002-of-00002.safetensors "
            "unet/diffusion_pytorch_model.safetensors.index.json",
            "model_index.json unet/diffusion_pytorch_model-00001-of-00002.safetensors "
            "unet/diffusion_pytorch_model-00002-of-00002.safetensors "
            "unet/diffusion_pytorch_model.safetensors.index.json",
        ),
    ],
)
def test_what_of_a_repository_is_fetched(kind, names, chosen):
    assert hub_module.choose(names.split(), kind) == set(chosen.split())
