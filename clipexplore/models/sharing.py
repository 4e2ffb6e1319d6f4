"""One copy of weights that two models have in common: the text tower of CLIP ViT-L/14 and the text encoder of Stable Diffusion 1.

Separate because it is checked and not assumed, and the check is neither model's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def share_weights(module: torch.nn.Module, owner: torch.nn.Module) -> int:
    """Lets `module` compute with the tensors of `owner`, if all of them are equal; the bytes that this saves.

    Returns 0, and nothing has changed, if a name, shape, data type, device or value differs.
    """
    import torch

    mine, theirs = dict(module.named_parameters()), dict(owner.named_parameters())
    if mine.keys() != theirs.keys():
        return 0
    for name, tensor in mine.items():
        other = theirs[name]
        alike = (tensor.shape, tensor.dtype, tensor.device) == (other.shape, other.dtype, other.device)
        if not (alike and torch.equal(tensor, other)):
            return 0
    for name, tensor in mine.items():
        tensor.data = theirs[name].data
    return sum(tensor.nbytes for tensor in mine.values())
