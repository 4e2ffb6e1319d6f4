"""A CLIP that computes in bfloat16 on a CPU, laid out as the CPU multiplies: an eighth of the time less for the same vectors.

Separate because it is about processors and not about models. torch keeps weights in the order of their files and rearranges them at every
multiplication, which costs the more the fewer rows are multiplied; here that is done once. And QuickGELU, x · sigmoid(1.702 x), is computed
in one pass through memory instead of three. (The multiplication is the one that torch's own compiler writes into its programs, without the
half minute that this takes. A torch that has it no longer, or under another name, leaves the model as it was.)
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from transformers import CLIPModel

_OPERATIONS = ("_reorder_linear_weight", "_linear_pointwise")
_STEEPNESS = 1.702


def pack(model: CLIPModel) -> None:
    """Lays out the picture tower, and nothing else: the text tower may be shared with what draws, and gives what that one gives, to the bit.

    What a picture tower gives then is what it gave, but for the last of the 8 bits of each number.
    """
    import torch
    from transformers.activations import QuickGELUActivation

    if not all(hasattr(torch.ops.mkldnn, name) for name in _OPERATIONS):
        return
    packed, one_pass = _layers()
    for part in model.vision_model.encoder.modules():
        if type(part) is torch.nn.Linear:
            part.weight = torch.nn.Parameter(torch.ops.mkldnn._reorder_linear_weight(part.weight.detach()), requires_grad=False)
            part.__class__ = packed
        elif type(part) is QuickGELUActivation:
            part.__class__ = one_pass


@cache
def _layers() -> tuple[type[torch.nn.Linear], type[torch.nn.Module]]:
    import torch

    class Packed(torch.nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")

    class OnePass(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:  # of the layer before alone, so it may be written over
            return torch.nn.functional.silu(x.mul_(_STEEPNESS), inplace=True).mul_(1 / _STEEPNESS)

    return Packed, OnePass
