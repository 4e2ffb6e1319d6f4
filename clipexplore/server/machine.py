"""What this process runs on and how much of it is left: processor, memory, GPU.

A GPU is looked for only once torch is imported: asking costs the seconds of that import.
"""

import ctypes
import platform
import sys
import time
from dataclasses import dataclass

_ARENA_MAX = -8  # malloc.h


@dataclass(frozen=True)
class Machine:
    """A look at the machine; memory in bytes (of a GPU 0 where there is none), `uptime` of this process in seconds."""

    processor: str
    cores: int
    device: str
    used: int
    free: int
    memory: int
    gpu_free: int
    gpu_memory: int
    uptime: float


def look() -> Machine:
    """How the machine is doing now."""
    import psutil

    process, memory = psutil.Process(), psutil.virtual_memory()
    device, gpu_free, gpu_memory = _gpu()
    return Machine(
        processor=platform.processor() or platform.machine(),
        cores=psutil.cpu_count() or 1,
        device=device,
        used=process.memory_info().rss,
        free=memory.available,
        memory=memory.total,
        gpu_free=gpu_free,
        gpu_memory=gpu_memory,
        uptime=time.time() - process.create_time(),
    )


def share_heaps() -> bool:
    """Makes all threads share two heaps; whether this is the C library that needs it. To be called before there are
    many threads.

    glibc gives every thread a heap of its own, up to eight a core. Each run of a page is a new thread, so what all of
    them leave free adds up to hundreds of megabytes, for no gain in speed.
    """
    if sys.platform != "linux" or not hasattr(library := ctypes.CDLL(None), "mallopt"):
        return False
    return bool(library.mallopt(_ARENA_MAX, 2))


def _gpu() -> tuple[str, int, int]:
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "cuda") or not torch.cuda.is_available():
        return "CPU", 0, 0
    return torch.cuda.get_device_name(), *torch.cuda.mem_get_info()
