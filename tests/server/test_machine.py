"""The machine as the operating system tells of it."""

import os
import platform
import subprocess
import sys

import psutil

from clipexplore.server.machine import look


def test_a_look_agrees_with_the_system():
    found = look()
    assert found.cores == os.cpu_count() and found.memory == psutil.virtual_memory().total
    assert 0 < found.used < found.memory and 0 < found.free < found.memory and found.uptime > 0
    assert 0 <= found.gpu_free <= found.gpu_memory and (found.device == "CPU") == (found.gpu_memory == 0)


def test_what_is_used_grows_with_what_is_held():
    """In a process of its own: one that has let go of much takes that again first."""
    code = "import os; from clipexplore.server.machine import look; before = look().used\n"
    code += "held = bytearray(os.urandom(64 << 20)); assert look().used - before > 48 << 20 and held"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_looking_does_not_import_torch():
    code = "import sys; from clipexplore.server.machine import look; look(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_threads_share_heaps_where_there_would_be_many():
    code = "from clipexplore.server.machine import share_heaps; print(share_heaps())"
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    assert said == str(platform.libc_ver()[0] == "glibc")
