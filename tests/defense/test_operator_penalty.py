"""The operator norm's penalty against singular values of explicit matrices."""

import pytest
import torch
from torch import nn

from dqviz.defense import train_network
from dqviz.defense.operator_penalty import OperatorPenalty
from dqviz.defense.penalty import folded_kernel, penalized_layers
from dqviz.measure import layer_norms
from dqviz.measure.convolution import read_convolution
from dqviz.specs import DefenseSpec
from tests.defense.test_training import images, recipe

SHAPE = (4, 6, 6)


@pytest.fixture
def model():
    generator = torch.Generator().manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(4, 6, 3, padding=1, stride=2, groups=2, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(54, 3),
    )
    for module in net:
        for parameter in module.parameters():
            parameter.data.normal_(generator=generator)
    net[1].running_var.uniform_(0.3, 2.0, generator=generator)
    return net.eval()


def matrices(layers):
    """Every layer as an explicit matrix of its folded kernel, differentiable: one column a unit."""
    found = []
    for layer in layers:
        kernel = folded_kernel(layer)
        if isinstance(layer.module, nn.Linear):
            found.append(kernel)
            continue
        conv = read_convolution(layer.module).with_weight(kernel)
        units = torch.eye(4 * 36).view(-1, *SHAPE)
        found.append(conv.apply(units).flatten(1).T)
    return found


def test_it_is_that_of_the_largest_singular_values_with_their_gradients(model):
    layers = penalized_layers(model, input_shape=SHAPE)
    penalty = OperatorPenalty(layers, seed=0)
    for _ in range(1000):
        found = penalty()
    largest = [torch.linalg.svdvals(matrix)[0] for matrix in matrices(layers)]
    assert min(largest) > 1
    expected = sum((value - 1) ** 2 for value in largest)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    for value, wanted in zip(penalty.norms().values(), largest, strict=True):
        assert value == pytest.approx(wanted.item(), rel=1e-4)
    parameters = [model[0].weight, model[1].weight, model[4].weight]
    ours = torch.autograd.grad(penalty(), parameters)
    theirs = torch.autograd.grad(expected, parameters)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-2, atol=2e-2)


def test_layers_below_one_cost_nothing(model):
    layers = penalized_layers(model, input_shape=SHAPE)
    for module in (model[0], model[4]):
        module.weight.data *= 1e-3
    found = OperatorPenalty(layers, seed=0)()
    assert found.item() == 0
    found.backward()
    assert model[0].weight.grad.abs().max() == 0


def test_its_state_goes_on_where_it_stood(model):
    layers = penalized_layers(model, input_shape=SHAPE)
    first, second = OperatorPenalty(layers, seed=0), OperatorPenalty(layers, seed=1)
    first(), first()
    assert not torch.equal(first(), second())
    second.restore(first.state())
    assert torch.equal(first(), second())


def test_training_with_it_brings_the_norms_down(tmp_path):
    highest = {}
    for beta in (0.0, 1.0):
        wanted = recipe(epochs=3, defense=DefenseSpec(arm="operator", beta=beta))
        model = train_network(wanted, tmp_path / f"{beta}", data=images()).model
        rows = layer_norms(model, (3, 32, 32))
        chosen = ("operator_norm_folded", "upper")
        highest[beta] = max(r.value for r in rows if (r.metric, r.statistic) == chosen)
    assert highest[1.0] < 0.8 * highest[0.0]
