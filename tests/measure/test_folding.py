"""BatchNorm is folded only where nothing else sees what stands before it.

Every network's function is compared with its folded copy's, and every folded norm with the largest
singular value of the matrix of the path that it stands for.
"""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dqviz.measure.lipschitz import layer_norms
from dqviz.measure.network_bounds import network_lipschitz
from dqviz.models.graph import fold_batchnorm, layers, trace
from dqviz.quantize import quantize_model
from dqviz.specs import QuantSpec
from tests.measure.test_lipschitz import explicit_norm, shaken, table

SHAPE = (3, 5, 5)


class Base(nn.Module):
    """A convolution, a BatchNorm, and two layers that may all see it."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.left = nn.Conv2d(4, 3, 1)
        self.right = nn.Conv2d(4, 3, 3, padding=1)


class ConvSeenTwice(Base):
    """The convolution's output goes into the BatchNorm and past it."""

    def forward(self, x):
        x = self.first(x)
        return self.left(self.norm(x)) + self.right(x)


class ConvSeenThroughRelu(Base):
    """The same, with the second look through a ReLU."""

    def forward(self, x):
        x = self.first(x)
        return self.left(self.norm(x) + F.relu(x)) + self.right(x * 2)


class NormSeenTwice(Base):
    """The BatchNorm, which cannot be folded backwards, feeds two layers."""

    def forward(self, x):
        x = self.norm(self.first(x) + 1)
        return self.left(x) + self.right(x)


class ReluSeenTwice(Base):
    """The BatchNorm feeds one ReLU, which feeds two layers."""

    def forward(self, x):
        x = F.relu(self.norm(self.first(x) + 1))
        return self.left(x) + self.right(x)


class NormSeenBesideRelu(Base):
    """One layer sees the BatchNorm through a ReLU, another one without."""

    def forward(self, x):
        x = self.norm(self.first(x) + 1)
        return self.left(F.relu(x)) + self.right(x)


class FoldedThenSeenTwice(Base):
    """The convolution feeds the BatchNorm alone, which feeds two layers: rows, and no columns."""

    def forward(self, x):
        x = self.norm(self.first(x))
        return self.left(x) + self.right(x)


class OneNormInTwoPlaces(Base):
    """One BatchNorm follows a convolution alone, and stands once more where it cannot be folded."""

    def forward(self, x):
        return self.left(self.norm(self.norm(self.first(x)) + 1))


FOLDED = {
    ConvSeenTwice: {"left"},
    ConvSeenThroughRelu: set(),
    NormSeenTwice: set(),
    ReluSeenTwice: set(),
    NormSeenBesideRelu: set(),
    FoldedThenSeenTwice: {"first"},
    OneNormInTwoPlaces: set(),
}
"""The layers that take in a BatchNorm, by network."""


@pytest.fixture(params=FOLDED, ids=lambda kind: kind.__name__)
def kind(request):
    return request.param


@pytest.fixture
def net(kind):
    network = shaken(kind(), seed=3).eval().requires_grad_(False)
    network.norm.weight.data *= 5  # a gain that is left out shows
    network.norm.running_mean.data = torch.linspace(-1, 1, 4)
    return network


@pytest.fixture
def images():
    return torch.rand(16, *SHAPE, generator=torch.Generator().manual_seed(0))


def test_only_what_stands_alone_is_folded(kind, net):
    listed = layers(trace(net), SHAPE)
    assert {i.name for i in listed if i.norm_after or i.norm_before} == FOLDED[kind]
    found = table(layer_norms(net, SHAPE))
    assert {layer for layer, metric, _ in found if metric.endswith("_folded")} == FOLDED[kind]


def test_the_folded_copy_computes_the_same(kind, net, images):
    folded = fold_batchnorm(net)
    torch.testing.assert_close(folded(images), net(images), rtol=1e-4, atol=1e-4)
    left = [node for node in folded.graph.nodes if node.target == "norm"]
    assert bool(left) == (kind is not FoldedThenSeenTwice)
    torch.testing.assert_close(
        quantize_model(net, QuantSpec())(images), net(images), rtol=1e-4, atol=1e-4
    )


def test_the_folded_norm_is_that_of_convolution_and_batchnorm_together():
    net = shaken(FoldedThenSeenTwice(), seed=3).eval().requires_grad_(False).double()
    found = table(layer_norms(net.float(), SHAPE))
    exact = explicit_norm(lambda x: net.double().norm(net.first(x)), SHAPE)
    assert found["first", "operator_norm_folded", "upper"] == pytest.approx(exact, rel=0.02)


def test_the_networks_bound_is_no_smaller_than_what_it_does(kind, net, images):
    flat = nn.Sequential(net, nn.Flatten())
    images = torch.cat([images, 10 * images, -10 * images])
    found = network_lipschitz(flat, SHAPE, images=images)
    values = {row.statistic: row.value for row in found.rows if row.metric == "lipschitz"}
    assert values["lower"] <= values["upper"], found.reasons
    if kind in (ConvSeenTwice, NormSeenTwice, FoldedThenSeenTwice, OneNormInTwoPlaces):
        exact = explicit_norm(net.double(), SHAPE)  # without a ReLU the network is one matrix
        assert exact <= values["upper"]
