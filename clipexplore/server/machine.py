"""What this process runs on and how much of it is left: processor, memory, GPU.

Separate so that the status page, the choice of a model and the benchmarks say the same. A GPU is looked for only once
torch is imported: asking costs the seconds of that import.
"""

import ctypes
import platform
import sys
import time
from dataclasses import dataclass

_ARENA_MAX = -8  # malloc.h


@dataclass(frozen=True)
class Machine:
    """A look at the machine; memory in bytes, `uptime` of this process in seconds.

    `gpu_free` and `gpu_memory` are 0 where there is no GPU.
    """

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
        processor=platform.processor() or platform.machine(), cores=psutil.cpu_count() or 1, device=device, used=process.memory_info().rss,
        free=memory.available, memory=memory.total, gpu_free=gpu_free, gpu_memory=gpu_memory, uptime=time.time() - process.create_time(),
    )  # fmt: skip


def share_heaps() -> bool:
    """Has all threads share two heaps; whether this is the C library that needs it. Before there are many threads.

    That of Linux gives every thread a heap of its own, up to eight a core. Each run of a page is a new thread, so what all of them
    leave free here and there adds up to hundreds of megabytes, for no gain in speed.
    """
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    return hasattr(library, "mallopt") and bool(library.mallopt(_ARENA_MAX, 2))


def _gpu() -> tuple[str, int, int]:
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "cuda") or not torch.cuda.is_available():
        return "CPU", 0, 0
    return torch.cuda.get_device_name(), *torch.cuda.mem_get_info()
