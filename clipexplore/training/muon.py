"""Muon: momentum whose matrices are made orthogonal before they are taken off the weights, so that every direction of a
layer learns at the same pace.

Source: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"; the rate by the larger side, so
that it means what AdamW's does: Liu et al. 2025, "Muon is Scalable for LLM Training".
"""

import torch

QUINTIC = (
    3.4445,
    -4.7750,
    2.0315,
)  # coefficients of a step that draws singular values towards 1 quickly, and not all the way


class Muon(torch.optim.Optimizer):
    """For weights of two dimensions and more; what a convolution makes of one output stands as a row.

    Parameters
    ----------
    lr
        The root mean square of an update is a fifth of it.
    """

    def __init__(self, parameters, lr: float = 1e-3, momentum: float = 0.95, decay: float = 0.01, iterations: int = 4):
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "decay": decay, "iterations": iterations})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                kept = self.state[weight].setdefault("momentum", torch.zeros_like(weight))
                kept.mul_(group["momentum"]).add_(weight.grad)
                ahead = weight.grad.add(kept, alpha=group["momentum"]).flatten(1)  # as Nesterov looks ahead
                update = orthogonal(ahead, group["iterations"]).view_as(weight)
                weight.mul_(1 - group["lr"] * group["decay"]).add_(
                    update, alpha=-0.2 * group["lr"] * max(ahead.shape) ** 0.5
                )


def orthogonal(matrix: torch.Tensor, iterations: int) -> torch.Tensor:
    """A matrix `(m, n)` with the same singular vectors and singular values near 1 (.7 to 1.2), by Newton–Schulz
    iterations on the smaller of its two squares; under autocast in bfloat16, which is enough.
    """
    a, b, c = QUINTIC
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    wide = wide / (wide.norm() + 1e-7)
    for _ in range(iterations):
        square = wide @ wide.T
        wide = torch.addmm(wide, torch.addmm(square, square, square, beta=b, alpha=c), wide, beta=a)
    return wide if matrix.shape[0] <= matrix.shape[1] else wide.T
