"""What this CPU computes fast, and a picture tower laid out for it: an eighth of the time less in bfloat16, for the
same vectors.

The one place that uses names of torch which are not public; where a version of torch lacks one, the answer is "no"
and a model stays as it was. torch keeps weights in the order of their files and rearranges them at every
multiplication, which costs the more the fewer rows are multiplied; here that is done once, with the multiplication
that torch's own compiler writes into its programs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

CHECKS = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # of torch.cpu
OPERATIONS = ("_reorder_linear_weight", "_linear_pointwise")  # of torch.ops.mkldnn
_STEEPNESS = 1.702  # of QuickGELU, x · sigmoid(1.702 x)


def has_bfloat16() -> bool:
    """Whether this CPU multiplies in bfloat16, and does not only convert."""
    return any(_can(check) for check in CHECKS)


def has_amx() -> bool:
    """Whether this CPU multiplies tiles, for which channels-last convolutions are the fast ones."""
    return _can("_is_amx_tile_supported")


def pack(tower: torch.nn.Module) -> None:
    """Lays out a picture tower in bfloat16. What it gives differs in the last of the 8 bits of a number.

    Not for a text tower, which may be shared with a Stable Diffusion and must give what that one gives, to the bit.
    """
    import torch
    from transformers.activations import QuickGELUActivation

    if not all(hasattr(torch.ops.mkldnn, name) for name in OPERATIONS):
        return
    for parent in list(tower.modules()):
        for name, part in parent.named_children():
            if type(part) is torch.nn.Linear:
                setattr(parent, name, _packed(part))
            elif type(part) is QuickGELUActivation:
                setattr(parent, name, _quick_gelu())


def _can(check: str) -> bool:
    import torch

    return bool(getattr(torch.cpu, check, bool)())


def _packed(linear: torch.nn.Linear) -> torch.nn.Module:
    import torch

    class Packed(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach())
            self.weight, self.bias = torch.nn.Parameter(weight, requires_grad=False), linear.bias

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")

    return Packed()


def _quick_gelu() -> torch.nn.Module:
    """QuickGELU in one pass through memory instead of three, in place: its input is the layer's before and nobody
    else's.
    """
    import torch

    class OnePass(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.silu(x.mul_(_STEEPNESS), inplace=True).mul_(1 / _STEEPNESS)

    return OnePass()
