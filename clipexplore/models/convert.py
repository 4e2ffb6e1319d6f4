"""`python -m clipexplore.models.convert SOURCE TARGET`: the tensors of a `.bin` file as safetensors.

The one place that opens a file which can hold code, so a process of its own that does nothing else, with
`weights_only=True`: PyTorch then builds tensors and plain containers, and refuses everything else.
"""

import sys
import zipfile


def main(source: str, target: str) -> None:
    """Reads `source`, a dict of names to tensors, and writes it to `target`, every tensor with memory of its own."""
    import torch
    from safetensors.torch import save_file

    found = torch.load(source, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(source))
    tensors = {name: tensor for name, tensor in found.items() if isinstance(tensor, torch.Tensor)}
    if len(tensors) != len(found):
        raise SystemExit("it holds more than tensors")
    save_file(
        {name: tensor.clone().contiguous() for name, tensor in tensors.items()}, target, metadata={"format": "pt"}
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
