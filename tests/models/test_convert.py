"""The converter on its own; what it refuses is tested with the downloads that use it."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("new", [True, False])
def test_tensors_of_either_format_are_copied(tmp_path, new):
    import torch
    from safetensors.torch import load_file

    tensors = {"weight": torch.randn(3, 4).T, "half": torch.ones(2, dtype=torch.float16)}
    torch.save(tensors, tmp_path / "a.bin", _use_new_zipfile_serialization=new)
    subprocess.run([sys.executable, "-m", "clipexplore.models.convert", tmp_path / "a.bin", tmp_path / "a.safetensors"], cwd=ROOT, check=True)
    found = load_file(tmp_path / "a.safetensors")
    assert found.keys() == tensors.keys() and all(torch.equal(found[name], tensors[name]) and found[name].dtype == tensors[name].dtype for name in tensors)


def test_more_than_tensors_is_refused(tmp_path):
    import torch

    torch.save({"weight": torch.zeros(2), "step": 7}, tmp_path / "a.bin")
    done = subprocess.run([sys.executable, "-m", "clipexplore.models.convert", tmp_path / "a.bin", tmp_path / "b"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode and "more than tensors" in done.stderr and not (tmp_path / "b").exists()
