"""Where a model runs: on which device, in which numbers, with how many threads, and how much memory is left for it."""

from __future__ import annotations

import gc
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, TypeVar

import psutil

from clipexplore.models.cpu import has_bfloat16
from clipexplore.paths import write_whole
from clipexplore.settings import settings

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)
T = TypeVar("T")

_calibrating = threading.Lock()
SMALL = 100_000_000  # bytes of weights below which 16 bits gain nothing on a CPU
# What libraries below torch say when memory is out; cuBLAS and cuDNN may then not even start, and cuDNN finds no way
# to compute a convolution.
_NO_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "ALLOC_FAILED",
    "ALLOCATION_FAILED",
    "STATUS_NOT_INITIALIZED",
    "unable to find an engine",
)
_ROUNDS = 5  # of a calibration, which takes the best: other programs only ever make it slower


def default_device() -> torch.device:
    """The accelerator of this machine, else the CPU."""
    import torch

    return torch.accelerator.current_accelerator() if torch.accelerator.is_available() else torch.device("cpu")


def default_dtype(device: torch.device, size: int) -> torch.dtype:
    """The numbers that weights of `size` bytes run in: float16 on CUDA, bfloat16 on a CPU that computes in it, else
    float32.
    """
    import torch

    if device.type == "cuda":
        return torch.float16
    return torch.bfloat16 if device.type == "cpu" and size > SMALL and has_bfloat16() else torch.float32


def free_memory(device: torch.device) -> int:
    """Bytes that can still be allocated on a device, torch's own reserve included."""
    import torch

    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + kept
    return psutil.virtual_memory().available


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory is out, of the device or of the machine; only some of them have a class of
    their own.
    """
    torch = sys.modules.get("torch")
    return (
        isinstance(error, (torch.OutOfMemoryError, MemoryError) if torch else MemoryError)
        or isinstance(error, RuntimeError)
        and any(words in str(error) for words in _NO_MEMORY)
    )


def give_back_memory() -> None:
    """Gives back what nobody holds any more, objects frozen out of the collector's sight included."""
    frozen = gc.get_freeze_count()
    gc.unfreeze()
    gc.collect()
    if frozen:
        gc.freeze()
    if (torch := sys.modules.get("torch")) and torch.cuda.is_available():
        torch.cuda.empty_cache()


def if_memory_suffices(work: Callable[[], T]) -> T | None:
    """The result of `work`; None if it ran out of memory, which has been given back then."""
    try:
        return work()
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        log.warning("memory is out: %s", str(error).split("\n")[0][:300])
        error.__traceback__ = None  # and with it everything the failed call held
    give_back_memory()
    return None


def calibrate_threads() -> int:
    """Sets the number of threads that torch has in this thread to what was fastest when this machine was first used;
    returns it. The first time takes half a second.

    On cores that other programs use too, two threads wait for each other and are several times slower than one. But
    another number of threads rounds sums otherwise, and the same link shall give the same pixels: so it is kept. A
    number in OMP_NUM_THREADS is the operator's choice and stays.
    """
    import torch

    if not os.environ.get("OMP_NUM_THREADS"):
        with _calibrating:
            number = _fastest_number()
        torch.set_num_threads(number)
    return torch.get_num_threads()


@cache
def _fastest_number() -> int:
    """That of threads, as the home remembers it for this torch and so many cores."""
    import torch

    kept, most = settings().home / "threads.json", torch.get_num_threads()
    by, known = f"torch {torch.__version__}, {most} threads at most", {}
    with suppress(OSError, ValueError, TypeError):  # a file that cannot be read is written again
        known = dict(json.loads(kept.read_text(encoding="utf-8")))
    if type(known.get(by)) is not int:
        known[by] = min(sorted({1, max(most // 2, 1), most}), key=_seconds_with)
        with suppress(OSError):  # where the disk refuses it is measured the next time too
            write_whole(kept, json.dumps(known, indent=2).encode())
    return min(max(known[by], 1), most)


def _seconds_with(threads: int) -> float:
    """How long one layer of a ViT-B takes for eight pictures."""
    import torch

    torch.set_num_threads(threads)
    rows, weights = torch.ones(400, 768), torch.ones(768, 3072)
    best = float("inf")
    for _round in range(_ROUNDS):
        start = time.perf_counter()
        for _repeat in range(4):
            rows @ weights
        best = min(best, time.perf_counter() - start)
    return best
