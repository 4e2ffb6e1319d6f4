"""Where models run, and in which numbers."""

from pathlib import Path

import psutil
import pytest
import torch

from clipexplore.models import devices
from clipexplore.models.devices import calibrate_threads, default_device, default_dtype, free_memory, is_out_of_memory


@pytest.mark.parametrize(
    ("device", "size", "has", "expected"),
    [
        ("cuda", 1_000, False, torch.float16),
        ("cuda", 10**9, True, torch.float16),
        ("cpu", 10**9, True, torch.bfloat16),
        ("cpu", 10**9, False, torch.float32),
        ("cpu", 20_000_000, True, torch.float32),  # the bundled model: its stored vectors were made so
        ("mps", 10**9, True, torch.float32),
    ],
)
def test_numbers_go_by_the_device(monkeypatch, device, size, has, expected):
    monkeypatch.setattr(devices, "has_bfloat16", lambda: has)
    assert default_dtype(torch.device(device), size) is expected


def test_bfloat16_is_what_the_processor_says():
    told = Path("/proc/cpuinfo")
    if not told.is_file():
        pytest.skip("only Linux tells")
    flags = set(told.read_text().split())
    if torch.backends.cpu.get_cpu_capability() == "DEFAULT" or not flags & {"avx2"}:
        pytest.skip("not an x86 processor")
    assert devices.has_bfloat16() == bool(flags & {"avx512_bf16", "amx_bf16"})


def test_free_memory_of_the_cpu_is_that_of_the_machine():
    assert free_memory(torch.device("cpu")) == pytest.approx(psutil.virtual_memory().available, rel=0.2)
    assert default_device().type in ("cpu", "cuda", "mps", "xpu")


@pytest.fixture
def threads(home, monkeypatch):
    """Eight threads to begin with, and a clock that a test sets; nothing is really changed."""
    now = [8]
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: now[0])
    monkeypatch.setattr(torch, "set_num_threads", lambda number: now.__setitem__(0, number))
    devices._fastest_number.cache_clear()
    yield now
    devices._fastest_number.cache_clear()


@pytest.mark.parametrize(
    ("seconds", "best"), [({1: 1, 4: 9, 8: 5}, 1), ({1: 8, 4: 3, 8: 1}, 8), ({1: 8, 4: 1, 8: 2}, 4)]
)
def test_the_fastest_number_of_threads_is_taken(threads, monkeypatch, seconds, best):
    monkeypatch.setattr(devices, "_seconds_with", seconds.get)
    assert calibrate_threads() == best == threads[0]


@pytest.mark.parametrize("damage", ["", "{", "[1]", '{"torch": 2}'])
def test_another_day_has_the_same_number_of_threads_whatever_is_fastest_then(threads, home, monkeypatch, damage):
    monkeypatch.setattr(devices, "_seconds_with", {1: 9, 4: 1, 8: 5}.get)
    assert calibrate_threads() == 4
    devices._fastest_number.cache_clear()
    threads[0] = 8
    monkeypatch.setattr(devices, "_seconds_with", {1: 1, 4: 9, 8: 5}.get)
    if damage:
        (home / "threads.json").write_text(damage)
    assert calibrate_threads() == threads[0] == (1 if damage else 4)


def test_a_thread_that_had_another_number_gets_that_one(threads, monkeypatch):
    monkeypatch.setattr(devices, "_seconds_with", {1: 9, 4: 1, 8: 5}.get)
    calibrate_threads()
    threads[0] = 8
    assert calibrate_threads() == 4


def test_the_operators_number_stays(threads, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setattr(devices, "_seconds_with", lambda number: pytest.fail("was measured"))
    assert calibrate_threads() == 8


def test_a_measurement_is_a_time(threads):
    assert 0 < devices._seconds_with(1) < 5


def test_memory_that_is_out_is_known_by_what_torch_raises():
    with pytest.raises(RuntimeError) as real:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(real.value)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), True),
        (MemoryError(), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"), True),
        (RuntimeError("GET was unable to find an engine to execute this computation"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied (1x2 and 3x4)"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_memory_that_is_out_is_known_by_what_the_libraries_below_say(error, expected):
    assert is_out_of_memory(error) == expected
