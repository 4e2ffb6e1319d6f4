"""Loaded once, kept while there is room, and the least recently used goes first."""

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from fixtures_models import hollow
from transformers import CLIPModel

from clipexplore.errors import InputError, OutOfMemoryError
from clipexplore.models import devices
from clipexplore.models.embedder import Embedder
from clipexplore.models.residents import SPARE, Residents, size_of


class Thing:
    """Stands for a model of some size; knows when it is gone."""

    def __init__(self, memory, size):
        self._memory, self._size = memory, size
        memory[0] -= size
        weakref.finalize(self, lambda: memory.__setitem__(0, memory[0] + size))


@pytest.fixture
def memory():
    return [1000]


@pytest.fixture
def residents(memory):
    return Residents(free=lambda: memory[0])


def hold(residents, memory, key, size):
    return residents.get(key, lambda: Thing(memory, size), needs=lambda: size)


def test_one_copy_for_all_threads(residents):
    loads, start = [], threading.Barrier(8)

    def ask(_):
        start.wait()
        return residents.get("a", lambda: loads.append(1) or object())

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, range(8)))
    assert len(loads) == 1 and len(set(map(id, found))) == 1


def test_the_least_recently_used_goes_before_memory_runs_out(residents, memory):
    for key in "ab":
        hold(residents, memory, key, 400)
    hold(residents, memory, "a", 400)
    hold(residents, memory, "c", 400)  # 200 are left, and it needs 400 and 30 % more
    assert residents.keys() == ["a", "c"] and memory[0] == 200
    hold(residents, memory, "b", 400)  # comes back when it is asked for again
    assert residents.keys() == ["c", "b"]


def test_what_is_in_use_stays_alive_and_its_memory_comes_back_later(residents, memory):
    kept = hold(residents, memory, "a", 300)
    hold(residents, memory, "b", 500)
    assert residents.keys() == ["a", "b"] and memory[0] == 200
    residents.drop("a")
    assert memory[0] == 200
    del kept
    gc.collect()
    assert memory[0] == 500


def test_what_never_fits_is_told_and_nothing_is_lost_but_room(residents, memory):
    hold(residents, memory, "a", 300)
    with pytest.raises(
        InputError,
        match=r"needs about .* GB of memory and .* GB are free; close other programs or choose a smaller model",
    ):
        hold(residents, memory, "b", int(1001 / (1 + SPARE)) + 1)
    assert memory[0] == 1000 and residents.keys() == []


def test_a_load_that_fails_is_tried_again(residents):
    def fail():
        raise InputError("no")

    for _ in range(2):
        with pytest.raises(InputError):
            residents.get("a", fail)
    assert residents.get("a", lambda: "here") == "here"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (torch.cuda.OutOfMemoryError("CUDA out of memory."), InputError),
        (None, InputError),
        (RuntimeError("something else"), RuntimeError),
    ],
)
def test_memory_that_runs_out_while_loading_is_a_sentence(residents, error, told):
    def load():
        if error:
            raise error
        torch.empty(2**60, dtype=torch.uint8)  # really more than there is

    with pytest.raises(told, match="too little memory to load this model" if told is InputError else "something else"):
        residents.get("a", load)
    assert residents.keys() == [] and residents.get("a", lambda: "here") == "here"


def test_memory_that_runs_out_in_a_library_is_no_damage(tiny_clip, monkeypatch):
    def from_pretrained(*args, **kwargs):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(CLIPModel, "from_pretrained", from_pretrained)
    with pytest.raises(OutOfMemoryError, match="too little memory to load this model"):
        Embedder.resident(tiny_clip, residents=Residents())


def test_a_frozen_model_is_really_freed(residents, tiny_clip):
    residents.get("clip", lambda: Embedder.load(tiny_clip), needs=lambda: 1)
    gone = weakref.ref(residents.find("clip")._model)
    gc.freeze()  # as after the warm-up
    residents.drop("clip")
    frozen = gc.get_freeze_count()
    gc.unfreeze()
    assert gone() is None and frozen > 0


def test_what_is_loaded_is_not_measured_again(residents):
    residents.get("it", object, needs=lambda: 1)
    assert residents.get("it", object, needs=lambda: 1 / 0) is residents.find("it")


def test_the_size_of_a_folder_is_that_of_its_numbers(tiny_clip, tmp_path):
    model = Embedder.load(tiny_clip, device="cpu")._model
    assert size_of(tiny_clip) == 4 * sum(
        each.numel() for each in model.state_dict().values() if each.is_floating_point()
    )
    assert size_of(tiny_clip / "nothing") == 0
    for damaged in (b"", b"x", b"\xff" * 99, b"\2\0\0\0\0\0\0\0[]", b'\7\0\0\0\0\0\0\0{"a":1}'):
        (tmp_path / "model.safetensors").write_bytes(damaged)
        assert size_of(tmp_path) == 0, "that it is damaged is said when it is loaded"


@pytest.mark.parametrize("held", ["F16", "F32"])
@pytest.mark.parametrize("computes", [True, False])
def test_weights_take_as_much_as_they_are_computed_in(tmp_path, monkeypatch, held, computes):
    shape = [2000, devices.SMALL // 2000]
    with torch.device("meta"):
        hollow(tmp_path / "unet/a.safetensors", {"a": torch.empty(shape)}, held)
    monkeypatch.setattr(devices, "has_bfloat16", lambda: computes)
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    assert size_of(tmp_path) == devices.SMALL * (2 if computes else 4)
