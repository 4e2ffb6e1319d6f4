"""One copy of weights that two models have in common: the text tower of CLIP ViT-L/14 and the text encoder of Stable Diffusion 1.

Separate because it is checked and not assumed, and the check is neither model's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def share_weights(module: torch.nn.Module, owner: torch.nn.Module) -> int:
    """Lets `module` compute with each tensor of `owner` that equals its own of that name; the bytes that this saves.

    One by one, since of the same weights one repository may hold 32 bits and the other 16, and what was rounded twice on its way to
    bfloat16 differs in some places. A tensor of another shape, data type, device or with any other value is left alone.
    """
    import torch

    theirs, saved = dict(owner.named_parameters()), 0
    for name, tensor in module.named_parameters():
        other = theirs.get(name)
        if other is not None and (tensor.shape, tensor.dtype, tensor.device) == (other.shape, other.dtype, other.device) and torch.equal(tensor, other):
            tensor.data = other.data
            saved += tensor.nbytes
    return saved
