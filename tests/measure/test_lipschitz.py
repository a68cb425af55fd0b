import math

import pytest
import torch
from torch import nn

from dqviz.measure.errors import MeasureError
from dqviz.measure.lipschitz import layer_norms, measured_gain
from dqviz.measure.matrix_norm import largest_singular_value, orthogonality_deviation
from dqviz.models import Classifier, build
from dqviz.quantize import quantize_model
from dqviz.specs import QuantSpec


def wrapped(net):
    return (
        Classifier(net, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25)).eval().requires_grad_(False)
    )


def shaken(net, seed=0):
    """Random weights, and a BatchNorm that changes something wherever there is one."""
    generator = torch.Generator().manual_seed(seed)
    for tensor in net.parameters():
        tensor.data = torch.randn(tensor.shape, generator=generator) * 0.2
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.weight.data = torch.randn(module.num_features, generator=generator)
            module.running_var = 0.2 + torch.rand(module.num_features, generator=generator)
    return net


def table(rows):
    return {(row.layer, row.metric, row.statistic): row.value for row in rows}


def explicit_norm(function, shape):
    """The largest singular value of a linear function's matrix."""
    numbers = math.prod(shape)
    basis = torch.eye(numbers, dtype=torch.float64).view(numbers, *shape)
    return float(torch.linalg.svdvals((function(basis) - function(0 * basis)).flatten(1)).max())


class BeforeAndAfter(nn.Module):
    """BatchNorm -> ReLU -> convolution, convolution -> BatchNorm, and a BatchNorm used twice."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 1)
        self.norm0 = nn.BatchNorm2d(4)
        self.conv0 = nn.Conv2d(4, 4, 3, padding=1, groups=2)
        self.norm1 = nn.BatchNorm2d(4)
        self.relu = nn.ReLU()
        self.conv1 = nn.Conv2d(4, 6, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(6)
        self.conv2 = nn.Conv2d(6, 4, 1)
        self.flatten = nn.Flatten()
        self.head = nn.Linear(4 * 36, 3)

    def forward(self, x):
        x = self.stem(x) + 1  # the sum keeps norm0 from being folded into stem
        x = self.norm1(self.conv0(self.relu(self.norm0(x))))
        x = x + self.conv2(self.norm2(self.conv1(x)))
        return self.head(self.flatten(x))


def test_batchnorm_is_folded_by_its_place():
    net = shaken(BeforeAndAfter()).eval().requires_grad_(False)
    found = table(layer_norms(wrapped(net), (3, 6, 6)))

    def scaled(norm):
        gain = norm.weight / (norm.running_var + norm.eps).sqrt()
        return lambda x: x * gain.double().view(1, -1, 1, 1)

    before, after = scaled(net.norm0), scaled(net.norm1)
    expected = {
        "conv0": explicit_norm(lambda x: after(net.conv0.double()(before(x))), (4, 6, 6)),
        "conv1": explicit_norm(lambda x: scaled(net.norm2)(net.conv1.double()(x)), (4, 6, 6)),
    }
    for layer, exact in expected.items():
        lower, upper = (found[layer, "operator_norm_folded", s] for s in ("lower", "upper"))
        assert 0.98 * exact <= lower <= exact * (1 + 1e-6)
        assert exact * (1 - 1e-6) <= upper <= 1.01 * exact
    for layer in ("stem", "conv2", "head"):
        assert (layer, "operator_norm_folded", "upper") not in found


def test_sigma_of_a_grouped_kernel_is_the_largest_of_its_groups():
    net = shaken(BeforeAndAfter()).requires_grad_(False)
    found = table(layer_norms(wrapped(net), (3, 6, 6)))
    weight = net.conv0.weight.double().flatten(1)
    exact = max(float(torch.linalg.matrix_norm(part, 2)) for part in weight.split(2))
    assert found["conv0", "sigma_matrix", "lower"] == pytest.approx(exact, rel=1e-10)
    assert found["conv0", "sigma_matrix", "upper"] >= exact * (1 - 1e-14)


def test_singular_values_come_in_order_and_are_those_of_the_kernel():
    net = shaken(BeforeAndAfter()).requires_grad_(False)
    rows = [r for r in layer_norms(wrapped(net), (3, 6, 6)) if r.metric == "singular_value"]
    conv1 = [row for row in rows if row.layer == "conv1"]
    assert [row.statistic for row in conv1] == [str(rank) for rank in range(6)]
    exact = torch.linalg.svdvals(net.conv1.weight.flatten(1).double())
    assert [row.value for row in conv1] == pytest.approx(exact.tolist())
    assert max(sum(row.layer == layer for row in rows) for layer in ("head", "conv0")) <= 64


def test_an_orthogonal_kernel_deviates_by_nothing():
    rows = torch.linalg.qr(torch.randn(9, 4, dtype=torch.float64)).Q.T
    assert orthogonality_deviation(rows[None]) < 1e-12
    assert orthogonality_deviation(rows.T[None]) < 1e-12
    assert orthogonality_deviation(2 * rows[None]) == pytest.approx(3 * math.sqrt(4))


def test_the_gram_gives_the_largest_singular_value():
    matrices = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    exact = float(torch.linalg.svdvals(matrices).max())
    lower, upper = largest_singular_value(matrices)
    assert lower <= exact <= upper <= lower * (1 + 1e-12)


def test_a_large_gram_is_bounded_instead(monkeypatch):
    monkeypatch.setattr("dqviz.measure.matrix_norm._MANY", 2)
    matrices = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    exact = float(torch.linalg.svdvals(matrices).max())
    lower, upper = largest_singular_value(matrices)
    assert 0.99 * exact <= lower <= exact <= upper <= 1.01 * exact


def test_the_linear_layer_has_the_norm_of_its_matrix():
    net = shaken(BeforeAndAfter()).requires_grad_(False)
    found = table(layer_norms(wrapped(net), (3, 6, 6)))
    exact = float(torch.linalg.matrix_norm(net.head.weight.double(), 2))
    for statistic in ("lower", "upper"):
        assert found["head", "operator_norm", statistic] == pytest.approx(exact, rel=1e-10)


def test_progress_counts_the_layers_and_may_cancel():
    calls = []
    layer_norms(
        wrapped(shaken(BeforeAndAfter())), (3, 6, 6), progress=lambda *call: calls.append(call)
    )
    assert calls == [(n, 5) for n in range(1, 6)]

    def cancel(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        layer_norms(wrapped(shaken(BeforeAndAfter())), (3, 6, 6), progress=cancel)


@pytest.fixture(scope="module")
def pairs():
    generator = torch.Generator().manual_seed(3)
    images = torch.rand(4, 3, 32, 32, generator=generator)
    shift = torch.randn(images.shape, generator=generator) * 0.01
    return images, (images + shift).clamp(0, 1)


@pytest.mark.parametrize("bits", [32, 4])
def test_the_gain_never_exceeds_the_operator_norm(pairs, bits):
    model = wrapped(shaken(build("resnet20", 10, generator=torch.Generator().manual_seed(1))))
    spec = QuantSpec(weight_bits=bits, act_bits=bits)
    network = quantize_model(model, spec, calibration=pairs[0])
    gains = table(measured_gain(network, *pairs, batch_size=3))
    found = table(layer_norms(network, (3, 32, 32)))
    layers = {layer for layer, *_ in gains}
    assert len(layers) == 20
    for layer in layers:
        most = gains[layer, "measured_gain", "max"]
        assert 0 < most <= found[layer, "operator_norm", "upper"] * (1 + 1e-4)
        assert gains[layer, "measured_gain", "median"] <= most


def test_the_gain_is_that_of_the_weights_without_the_bias():
    net = nn.Sequential(nn.Flatten(), nn.Linear(3, 2))
    net[1].weight.data = torch.tensor([[3.0, 0.0, 0.0], [0.0, 4.0, 0.0]])
    images = torch.full((2, 3, 1, 1), 0.5)
    perturbed = images.clone()
    perturbed[0, 1] += 0.25
    found = table(measured_gain(wrapped(net), images, perturbed))
    assert found["1", "measured_gain", "mean"] == pytest.approx(4.0)
    assert found["1", "measured_gain", "nan_count"] == 1  # the second image did not move


def test_the_gain_refuses_images_that_do_not_belong_together(pairs):
    with pytest.raises(MeasureError, match="shape"):
        measured_gain(wrapped(shaken(BeforeAndAfter())), pairs[0], pairs[1][:3])
