"""A GPU that is not there: tensors of the CPU that say they are on it, and refuse what tensors on a GPU refuse.

So a machine without one finds what would fail on the first real one: tensors of two devices in one operation, a
generator of the wrong device, an array made of a tensor that was not copied back. It knows no speed and runs out of no
memory. Threads that the code under test starts are outside of it.
"""

from types import SimpleNamespace

import pytest
import torch
from torch.overrides import TorchFunctionMode

# bytes: free, in all, held by torch, and of those in use
FREE, MEMORY, KEPT, TAKEN = (500_000_000, 800_000_000, 100_000_000, 60_000_000)
CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)
# which take an index or a source of another device
_MIXED = {"__setitem__", "__getitem__", "to", "copy_", "index_put_"}


class OnGpu(torch.Tensor):
    """A tensor that says it is on the GPU."""


class Dice(torch.Generator):
    """A generator that knows on which device it was asked to be."""

    def __new__(cls, device="cpu"):
        made = super().__new__(cls)
        made.there = torch.device(device).type == "cuda"
        return made

    device = property(lambda self: CUDA if self.there else CPU)


class PretendGpu(TorchFunctionMode):
    """While it is entered, "cuda" is a device."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs, name = dict(kwargs or {}), getattr(func, "__name__", "")
        given = list(_tensors((args, kwargs)))
        there = any(map(_is_there, given))
        if there and name == "__get__" and func.__self__ in (torch.Tensor.device, torch.Tensor.is_cuda):
            return CUDA if func.__self__ is torch.Tensor.device else True
        if func is torch.device or name in (
            "_parse_to",
            "__set__",
        ):  # what only names a device; and `data`, which is set on the tensor itself
            return func(*args, **kwargs)
        if name == "_has_compatible_shallow_copy_type":  # whether a parameter that moves stays the same object
            return _is_there(args[0]) == _is_there(args[1])
        self._refuse(name, given, there)
        target, args, kwargs = _target(name, args, kwargs, there)
        if target and (dice := kwargs.get("generator")) is not None and dice.device == CPU:
            raise RuntimeError(f"Expected a 'cuda' device type for generator but found 'cpu' ({name})")
        return _mapped(func(*_mapped(args, False), **_mapped(kwargs, False)), target)

    def _refuse(self, name, given, there):
        if there and name in ("numpy", "__array__"):
            raise TypeError(
                "can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy the "
                "tensor to host memory first."
            )
        if there and name not in _MIXED and any(not _is_there(each) and each.ndim for each in given):
            raise RuntimeError(
                "Expected all tensors to be on the same device, but found at least two devices, "
                f"cuda:0 and cpu! ({name})"
            )


def _target(name, args, kwargs, there):
    """Whether the result is on the GPU, and the arguments with every device replaced by the CPU."""
    named = ["cpu"] if name == "cpu" else [str(each) for each in (*args, *kwargs.values()) if _is_device(each)]
    if name == "to" and any(map(_is_there, args[1:])):
        named.append("cuda")
    args = tuple(CPU if _is_device(each) else each for each in args)
    kwargs = {key: CPU if _is_device(each) else each for key, each in kwargs.items()}
    return (named[0].startswith("cuda") if named else there), args, kwargs


def _is_there(value) -> bool:
    return isinstance(value, OnGpu) or isinstance(value, torch.Tensor) and getattr(value, "there", False)


def _is_device(value) -> bool:
    return isinstance(value, (str, torch.device)) and str(value).split(":")[0] in ("cpu", "cuda")


def _tensors(value):
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple, dict)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _tensors(each)


def _mapped(value, there: bool):
    """The same with every tensor in it on the GPU, or with none."""
    if isinstance(value, torch.Tensor) and value.layout is not torch.strided:
        value.there = there or _is_there(value)  # which cannot be of another class
    elif isinstance(value, torch.Tensor):
        return value if isinstance(value, OnGpu) == there else value.as_subclass(OnGpu if there else torch.Tensor)
    if isinstance(value, dict):
        return {key: _mapped(each, there) for key, each in value.items()}
    if isinstance(value, (list, tuple)) and any(True for _ in _tensors(value)):
        found = [_mapped(each, there) for each in value]
        return found if isinstance(value, list) else tuple(found) if type(value) is tuple else type(value)(found)
    return value


@pytest.fixture
def gpu(monkeypatch):
    """A machine whose default device is a GPU, for as long as the test runs."""
    numbers = {
        "mem_get_info": (FREE, MEMORY),
        "memory_reserved": KEPT,
        "memory_allocated": TAKEN,
        "max_memory_allocated": KEPT,
        "get_device_name": "Pretended",
    }
    for name, answer in (
        numbers
        | {"is_available": True, "get_device_properties": SimpleNamespace(name="Pretended", total_memory=MEMORY)}
    ).items():
        monkeypatch.setattr(torch.cuda, name, lambda device=None, answer=answer: answer)
    for name in ("empty_cache", "synchronize", "reset_peak_memory_stats"):
        monkeypatch.setattr(torch.cuda, name, lambda device=None: None)
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("cuda"))
    monkeypatch.setattr(torch, "Generator", Dice)
    with torch.no_grad(), PretendGpu():
        yield
