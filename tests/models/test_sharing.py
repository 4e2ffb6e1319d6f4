"""Equal weights are shared, others left alone; at the true size of CLIP ViT-L/14 in test_true_sizes."""

import copy

import pytest
import torch

from clipexplore.models.sharing import share_weights


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.LayerNorm(7))


def test_equal_weights_become_one_copy():
    owner, module = network(), network()
    before = module(torch.ones(2, 5))
    assert share_weights(module, owner) == sum(each.nbytes for each in owner.parameters())
    assert [each.data_ptr() for each in module.parameters()] == [each.data_ptr() for each in owner.parameters()]
    assert torch.equal(module(torch.ones(2, 5)), before)


def another_value(module):
    with torch.no_grad():
        module[1].bias[3] += 1e-6


def another_dtype(module):
    module.half()


def another_name(module):
    module.append(torch.nn.LayerNorm(7))


def another_shape(module):
    module[1] = torch.nn.LayerNorm(8)


@pytest.mark.parametrize("change", [another_value, another_dtype, another_name, another_shape])
def test_what_differs_stays_apart(change):
    owner, module = network(), network()
    change(module)
    before = copy.deepcopy(module.state_dict())
    assert share_weights(module, owner) == 0
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert not {each.data_ptr() for each in module.parameters()} & {each.data_ptr() for each in owner.parameters()}
