"""What this CPU computes fast, and a picture tower laid out for it: in bfloat16 an eighth of the time less for 50
patches, 40 % less for a thousand.

The one place that uses names of torch which are not public; where a version of torch lacks one, the answer is "no"
and a model stays as it was. torch keeps weights in the order of their files and rearranges them at every
multiplication, which costs the more the fewer rows are multiplied; here that is done once, with the multiplication
that torch's own compiler writes into its programs. Its attention in one kernel takes longer in bfloat16 than in float32
where there are no tiles; here it is written out, for as many heads at a time as stay in the cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

CHECKS = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # of torch.cpu
OPERATIONS = ("_reorder_linear_weight", "_linear_pointwise")  # of torch.ops.mkldnn
ATTENTION = "by_heads"  # the name of ours among those that transformers knows
_IN_CACHE = 1 << 19  # weights of attention at a time, 1 MB
_GELU = {"GELUActivation": "none", "GELUTanh": "tanh"}  # by the classes of transformers, what OPERATIONS call them
_STEEPNESS = 1.702  # of QuickGELU, x · sigmoid(1.702 x)


def has_bfloat16() -> bool:
    """Whether this CPU multiplies in bfloat16, and does not only convert."""
    return any(_can(check) for check in CHECKS)


def has_amx() -> bool:
    """Whether this CPU multiplies tiles, for which channels-last convolutions are the fast ones."""
    return _can("_is_amx_tile_supported")


def pack(tower: Any) -> None:
    """Lays out a picture tower in bfloat16, `vision_model` of a model. What it gives differs in the last of the 8 bits
    of a number.

    Not for a text tower, which may be shared with a Stable Diffusion and must give what that one gives, to the bit.
    """
    import torch
    from transformers import AttentionInterface
    from transformers.activations import QuickGELUActivation

    if not all(hasattr(torch.ops.mkldnn, name) for name in OPERATIONS):
        return
    if not has_amx():
        AttentionInterface.register(ATTENTION, _by_heads)
        tower.set_attn_implementation(ATTENTION)
    for parent in list(tower.encoder.modules()):
        _scaled_at_once(parent)
        gelu = _GELU.get(type(getattr(parent, "activation_fn", None)).__name__)
        for name, part in parent.named_children():
            if type(part) is torch.nn.Linear:
                setattr(parent, name, _packed(part, gelu if name == "fc1" else None))
            elif name == "activation_fn" and gelu:
                setattr(parent, name, torch.nn.Identity())  # `fc1` has done it
            elif type(part) is QuickGELUActivation:
                setattr(parent, name, _quick_gelu())


def _can(check: str) -> bool:
    import torch

    return bool(getattr(torch.cpu, check, bool)())


def _by_heads(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    **_options: Any,
) -> tuple[torch.Tensor, None]:
    """Attention of all tokens to all, `(n, heads, length, width)` each; returns `(n, length, heads, width)`. Where
    `reads_first` is set on the module, all get what the first token sees.

    Its weights are rounded to bfloat16 before their softmax, as on a GPU without a kernel for it.
    """
    import torch

    assert attention_mask is None, "a picture has no padding"
    count, heads, length, width = query.shape
    asking = query[:, :, :1] if getattr(module, "reads_first", False) else query
    at_once = max(1, _IN_CACHE // length**2)
    parts = zip(*(each.flatten(0, 1).split(at_once) for each in (asking * scaling, key, value)), strict=True)
    seen = torch.cat([torch.bmm(torch.bmm(q, k.transpose(1, 2)).softmax(2), v) for q, k, v in parts])
    return seen.view(count, heads, -1, width).transpose(1, 2).expand(-1, length, -1, -1).contiguous(), None


def _scaled_at_once(layer: Any) -> None:
    """Scales that a layer of TIPS has for what it adds go into the weights before them: two passes through memory less.

    Others have none.
    """
    import torch

    for scale, part in (("layer_scale1", "attention"), ("layer_scale2", "mlp")):
        if hasattr(layer, scale):
            factors = getattr(layer, scale).lambda1.data
            last = [each for each in getattr(layer, part).children() if isinstance(each, torch.nn.Linear)][-1]
            last.weight.data, last.bias.data = last.weight.data * factors[:, None], last.bias.data * factors
            setattr(layer, scale, torch.nn.Identity())


def _packed(linear: torch.nn.Linear, gelu: str | None = None) -> torch.nn.Module:
    """A layer laid out, and behind it GELU, while its numbers are still in float32."""
    import torch

    after: tuple[str, list, str] = ("none", [], "") if gelu is None else ("gelu", [], gelu)

    class Packed(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach())
            self.weight, self.bias = torch.nn.Parameter(weight, requires_grad=False), linear.bias

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, *after)

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
