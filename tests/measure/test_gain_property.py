import copy
import math

import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from torch import nn

from dqviz.measure.activations import observe
from dqviz.measure.lipschitz import layer_norms, measured_gain
from dqviz.models.graph import LAYERS, display_name
from dqviz.quantize import quantize_model
from dqviz.specs import QuantSpec
from dqviz.specs.methods import RANGES
from tests.measure.test_lipschitz import table
from tests.measure.test_network_bounds import networks

ROUNDING = 1 + 1e-4
BITS = st.integers(2, 8)
SPECS = st.builds(
    QuantSpec,
    weight_bits=BITS,
    act_bits=BITS,
    first_bits=BITS,
    last_bits=BITS,
    ranges=st.sampled_from(RANGES),
    fold_batchnorm=st.booleans(),
)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Threads on layers this small only wait for one another, long where cores are shared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def uneven(model, generator):
    """The same network, its BatchNorms with random statistics."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean = torch.randn(module.num_features, generator=generator)
            module.running_var = torch.rand(module.num_features, generator=generator) + 0.1
    return model


def pairs(images, generator):
    """The images three times, and as often changed: by noise, in one pixel, in their colour."""
    noise = 0.05 * torch.randn(images.shape, generator=generator)
    pixel = torch.zeros_like(images)
    pixel[..., 8, 8] = torch.randn(images.shape[:2], generator=generator)
    colour = 0.1 * torch.randn(*images.shape[:2], 1, 1, generator=generator).expand_as(images)
    return images.repeat(3, 1, 1, 1), torch.cat([images + d for d in (noise, pixel, colour)])


def layers_as_run(model, images):
    """(name, layer, shape of one input) of every layer, in the order of execution."""
    shapes = {}
    observe(model, images, lambda view: shapes.update({view.name: view.quantized.shape[1:]}))
    modules = {display_name(name): module for name, module in model.named_modules()}
    return [(name, modules[name], shape) for name, shape in shapes.items()]


def worst_gain(layer, shape, generator):
    """Almost as much as the layer, without bias and quantizer, can stretch: by power iteration."""
    linear = copy.deepcopy(layer)
    linear.bias, linear.input_quantizer = None, nn.Identity()
    x = torch.randn(1, *shape, generator=generator)
    for _ in range(30):
        x.requires_grad_(True)
        (x,) = torch.autograd.grad(linear(x).square().sum(), x)
        x = x / x.norm()
    return float(linear(x).norm() / x.norm())


def count_layers(model):
    return sum(isinstance(module, LAYERS) for module in model.modules())


@settings(max_examples=30, deadline=None, phases=set(Phase) - {Phase.shrink})
@given(networks(), SPECS, st.integers(0, 10**6))
def test_no_layer_stretches_a_difference_more_than_its_operator_norm(case, spec, seed):
    generator = torch.Generator().manual_seed(seed)
    model, images = uneven(case[0], generator), case[1]
    clean, perturbed = pairs(images, generator)
    for network in (model, quantize_model(model, spec, calibration=images)):
        norms = table(layer_norms(network, images.shape[1:]))
        gains = table(measured_gain(network, clean, perturbed, batch_size=5))
        found = layers_as_run(network, images)
        assert len(found) == count_layers(network)
        for name, layer, shape in found:
            upper = norms[name, "operator_norm", "upper"]
            most, unmoved = (gains[name, "measured_gain", s] for s in ("max", "nan_count"))
            assert 0 <= most <= upper * ROUNDING or (math.isnan(most) and unmoved == len(clean))
            assert 0.8 * upper <= worst_gain(layer, shape, generator) <= upper * ROUNDING
