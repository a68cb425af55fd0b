"""Wide residual networks against the paper's numbers and a forward pass written out by hand."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dqviz.models import ModelError, build
from dqviz.models.wrn import EXAMPLES, WideResNet, count_weights, parse_name


@pytest.mark.parametrize(
    ("depth", "width", "millions"), [(40, 1, 0.6), (40, 2, 2.2), (40, 4, 8.9), (28, 10, 36.5)]
)
def test_the_numbers_of_parameters_are_those_of_the_paper(depth, width, millions):
    with torch.device("meta"):
        network = WideResNet(depth, width, classes=10)
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count / 1e6 == pytest.approx(millions, abs=0.06)
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert len([c for c in convolutions if c.kernel_size == (3, 3)]) == depth - 3


@pytest.mark.parametrize(("depth", "width"), [(10, 1), (16, 2), (22, 3)])
def test_weights_are_counted_without_making_the_network(depth, width):
    with torch.device("meta"):
        network = WideResNet(depth, width, classes=10)
    groups = [network.block1, network.block2, network.block3]
    convolutions = [m for g in groups for m in g.modules() if isinstance(m, nn.Conv2d)]
    assert count_weights(depth, width) == sum(c.weight.numel() for c in convolutions)


def written_out(state, x):
    """wrn_10_2 from section 2 of the paper, with functions only."""

    def norm(name, x):
        parts = ("running_mean", "running_var", "weight", "bias")
        return F.batch_norm(x, *(state[f"{name}.{part}"] for part in parts))

    x = F.conv2d(x, state["conv1.weight"], padding=1)
    for group, stride in (("block1", 1), ("block2", 2), ("block3", 2)):
        at = f"{group}.layer.0"
        active = F.relu(norm(f"{at}.bn1", x))
        out = F.conv2d(active, state[f"{at}.conv1.weight"], stride=stride, padding=1)
        out = F.conv2d(F.relu(norm(f"{at}.bn2", out)), state[f"{at}.conv2.weight"], padding=1)
        x = out + F.conv2d(active, state[f"{at}.convShortcut.weight"], stride=stride)
    pooled = F.avg_pool2d(F.relu(norm("bn1", x)), 8).flatten(1)
    return F.linear(pooled, state["fc.weight"], state["fc.bias"])


def test_the_forward_pass_is_the_papers():
    generator = torch.Generator().manual_seed(1)
    network = build("wrn_10_2", 7, seed=2).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(generator=generator)
            module.running_var.uniform_(0.5, 2.0, generator=generator)
            module.weight.data.normal_(generator=generator)
            module.bias.data.normal_(generator=generator)
    images = torch.randn(3, 3, 32, 32, generator=generator)
    with torch.no_grad():
        expected = written_out(network.state_dict(), images)
        torch.testing.assert_close(network(images), expected, rtol=1e-4, atol=1e-4)
    assert expected.std() > 0.1


def test_where_the_width_does_not_change_the_shortcut_is_the_identity():
    network = build("wrn_16_1", 10)
    assert network.block1.layer[0].convShortcut is None
    assert network.block2.layer[0].convShortcut is not None
    assert network.block2.layer[1].convShortcut is None


@pytest.mark.parametrize("name", [*EXAMPLES, "wrn_10_1", "wrn_10_17", "wrn_100_2"])
def test_valid_names(name):
    depth, width = parse_name(name)
    assert name == f"wrn_{depth}_{width}"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("wrn_17_2", "nearest valid name is wrn_16_2"),
        ("wrn_20_2", "nearest valid name is wrn_22_2"),
        ("wrn_4_2", "nearest valid name is wrn_10_2"),
        ("wrn_0_2", "nearest valid name is wrn_10_2"),
        ("wrn_16_0", "nearest valid name is wrn_16_1"),
        ("wrn_16", "named wrn_DEPTH_WIDTH, such as wrn_16_2; got 'wrn_16'"),
        ("wrn_a_b", "named wrn_DEPTH_WIDTH"),
        ("wrn_16_-2", "named wrn_DEPTH_WIDTH"),
        ("wrn_016_2", "named wrn_DEPTH_WIDTH"),
        ("wrn_16_2\n", "named wrn_DEPTH_WIDTH"),
        ("wrn_99999999999999_2", "named wrn_DEPTH_WIDTH"),
        ("wrn_16_999", "at most 500,000,000"),
        ("wrn_100000_100", "at most 500,000,000"),
    ],
)
def test_an_invalid_name_says_what_is_valid_and_what_is_nearest(name, said):
    with pytest.raises(ModelError) as caught:
        build(name, 10)
    assert said in str(caught.value)
    assert repr(name) in str(caught.value)
