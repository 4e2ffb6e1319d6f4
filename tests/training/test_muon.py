"""Muon against what defines it: a singular value decomposition."""

import pytest
import torch


@pytest.mark.parametrize("shape", [(8, 8), (6, 40), (40, 6), (1, 5)])
def test_directions_stay_and_lengths_become_one(shape):
    from clipexplore.training.muon import orthogonal

    torch.manual_seed(0)
    matrix = torch.randn(*shape)
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    found = u.T @ orthogonal(matrix, 6) @ v.T  # diagonal where the singular vectors are the same
    lengths = found.diagonal()
    torch.testing.assert_close(found, torch.diag(lengths), atol=1e-3, rtol=0)
    assert lengths.min() > 0.6 and lengths.max() < 1.3


def test_a_step_is_momentum_made_orthogonal():
    """Two steps written out; of a convolution each output is a row."""
    from clipexplore.training.muon import Muon, orthogonal

    torch.manual_seed(0)
    weight, gradients = torch.randn(4, 3, 2, 2), torch.randn(2, 4, 3, 2, 2)
    parameter, kept, expected = torch.nn.Parameter(weight.clone()), torch.zeros_like(weight), weight.clone()
    optimizer = Muon([parameter], lr=0.1, momentum=0.9, decay=0.5, iterations=4)
    for gradient in gradients:
        parameter.grad = gradient.clone()
        optimizer.step()
        kept = 0.9 * kept + gradient
        update = orthogonal((gradient + 0.9 * kept).flatten(1), 4).view_as(weight)
        expected = expected * (1 - 0.1 * 0.5) - 0.1 * 0.2 * 12**0.5 * update
    torch.testing.assert_close(parameter.detach(), expected)


def test_what_has_no_gradient_stays():
    from clipexplore.training.muon import Muon

    parameter = torch.nn.Parameter(torch.ones(2, 2))
    Muon([parameter]).step()
    assert (parameter == 1).all()
