"""Equal weights are shared, others left alone; at the true size of CLIP ViT-L/14 in test_true_sizes."""

import copy

import pytest
import torch

from clipexplore.draw.pipelines import share_weights


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


@pytest.mark.parametrize(
    ("change", "apart"),
    [
        (another_value, {"1.bias"}),
        (another_dtype, {"0.weight", "0.bias", "1.weight", "1.bias"}),
        (another_name, {"2.weight", "2.bias"}),
        (another_shape, {"1.weight", "1.bias"}),
    ],
)
def test_what_differs_stays_apart(change, apart):
    owner, module = network(), network()
    change(module)
    before = copy.deepcopy(module.state_dict())
    saved = share_weights(module, owner)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    theirs = {each.data_ptr() for each in owner.parameters()}
    mine = dict(module.named_parameters())
    assert {name for name, each in mine.items() if each.data_ptr() not in theirs} == apart
    assert saved == sum(each.nbytes for name, each in mine.items() if name not in apart)


def test_most_is_shared_where_one_file_has_rounded_to_16_bits_before():
    """CLIP's weights are published in 32 bits and Stable Diffusion's in 16; both run in bfloat16."""
    torch.manual_seed(0)
    clip = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.Linear(64, 64))
    with torch.no_grad():
        clip[0].weight.copy_(clip[0].weight.half())  # what was trained in 16 bits
        clip[0].bias.zero_()
    encoder = copy.deepcopy(clip).half().bfloat16()
    assert not torch.equal(encoder[1].weight, clip.bfloat16()[1].weight)
    assert share_weights(encoder, clip) == encoder[0].weight.nbytes + encoder[0].bias.nbytes
