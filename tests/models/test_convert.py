"""The converter itself; its process, and what that refuses, are tested with the downloads that start it."""

import pytest
import torch
from safetensors.torch import load_file

from clipexplore.models.convert import main


@pytest.mark.parametrize("new", [True, False])
def test_tensors_of_either_format_are_copied(tmp_path, new):
    tensors = {"weight": torch.randn(3, 4).T, "half": torch.ones(2, dtype=torch.float16)}
    torch.save(tensors, tmp_path / "a.bin", _use_new_zipfile_serialization=new)
    main(tmp_path / "a.bin", tmp_path / "a.safetensors")
    found = load_file(tmp_path / "a.safetensors")
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(found[name], tensor) and found[name].dtype == tensor.dtype


def test_more_than_tensors_is_refused(tmp_path):
    torch.save({"weight": torch.zeros(2), "step": 7}, tmp_path / "a.bin")
    with pytest.raises(SystemExit, match="more than tensors"):
        main(tmp_path / "a.bin", tmp_path / "b")
    assert not (tmp_path / "b").exists()
