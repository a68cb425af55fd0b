import copy

import pytest
import torch
from torch import nn

from dqviz.measure.amplification import measure_profile
from dqviz.measure.distances import relative_distance
from dqviz.measure.flips import FrozenQuantizer, freeze_codes, frozen_quantizers
from dqviz.models.normalize import Classifier
from dqviz.quantize import AffineQuantizer, quantize_model, quantized_layers
from dqviz.specs import QuantSpec


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.conv = nn.Conv2d(2, 5, 3, padding=1)
        self.norm = nn.BatchNorm2d(5)
        self.relu = nn.ReLU()
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(180, 3)
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator) / 3

    def forward(self, x):
        return self.linear(self.flatten(self.relu(self.norm(self.conv(x)))))


def images_of(samples):
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(samples, 2, 6, 6, generator=generator)
    noise = torch.randint(0, 2, images.shape, generator=generator) * 2 - 1
    return images, (images + 4 / 255 * noise).clamp(0, 1)


def network(act_bits=3):
    model = Classifier(Net(), mean=[0.4, 0.5], std=[0.2, 0.3]).eval()
    spec = QuantSpec(act_bits=act_bits, first_bits=act_bits, last_bits=act_bits)
    return quantize_model(model, spec, calibration=images_of(16)[0])


def naive_frozen_logits(model, images, adversarial, frozen_layers):
    """Layer by layer without hooks: Q(u) + clip(u') - clip(u) where frozen, else Q(u')."""
    u, v = model.normalize(images), model.normalize(adversarial)
    for name, layer in (("conv", model.net.conv), ("linear", model.net.linear)):
        quantizer = layer.input_quantizer
        qu, qv = quantizer(u), quantizer(v)
        if name in frozen_layers:
            qv = qu + quantizer.clip(v) - quantizer.clip(u)
        apply = layer._conv_forward if name == "conv" else torch.nn.functional.linear
        u, v = apply(qu, layer.weight, layer.bias), apply(qv, layer.weight, layer.bias)
        if name == "conv":
            u, v = u.relu().flatten(1), v.relu().flatten(1)
    return u, v


@pytest.mark.parametrize("frozen_layers", [("conv", "linear"), ("conv",), ("linear",)])
def test_frozen_runs_equal_a_run_written_out(frozen_layers):
    model = network()
    images, adversarial = images_of(6)
    clean, expected = naive_frozen_logits(model, images, adversarial, frozen_layers)
    frozen = freeze_codes(model, images)
    for name, quantizer in frozen_quantizers(frozen).items():
        quantizer.active = name in frozen_layers
    torch.testing.assert_close(frozen(adversarial), expected, rtol=1e-4, atol=1e-5)

    profile = measure_profile(model, images, adversarial, flips="layers", batch_size=2)
    row = "logits" if len(frozen_layers) == 2 else frozen_layers[0]
    distance = relative_distance(clean, expected)
    metrics = profile.values[row]
    torch.testing.assert_close(metrics["logit_distance_frozen"], distance, rtol=1e-3, atol=1e-6)
    real = profile.values["logits"]["relative_distance"]
    assert float((real - distance).abs().max()) > 1e-3  # at 3 bits flips matter
    torch.testing.assert_close(metrics["flip_contribution"], real - distance, rtol=1e-3, atol=1e-5)


def test_on_the_clean_images_nothing_changes():
    model, images = network(), images_of(6)[0]
    torch.testing.assert_close(freeze_codes(model, images)(images), model(images))


def test_the_network_given_stays_as_it_was():
    model, images = network(), images_of(4)[0]
    before = copy.deepcopy(model.state_dict())
    frozen = freeze_codes(model, images)
    assert all(isinstance(q.input_quantizer, AffineQuantizer) for _, q in quantized_layers(model))
    assert all(torch.equal(model.state_dict()[name], was) for name, was in before.items())
    assert frozen.net.conv.weight is model.net.conv.weight  # shared, not copied
    assert sum(len(module._forward_hooks) for module in frozen.modules()) == 0


def test_the_gradient_is_the_straight_through_one():
    quantizer = AffineQuantizer(scale=0.25, zero_point=0, quant_min=0, quant_max=15)
    clean = torch.tensor([[0.3, 0.8, 9.0]])
    frozen = FrozenQuantizer(quantizer, clean)
    x = torch.tensor([[0.4, 0.7, 9.5]], requires_grad=True)
    levels = frozen(x)
    torch.testing.assert_close(levels.detach(), torch.tensor([[0.35, 0.65, 3.75]]))
    levels.sum().backward()
    assert x.grad.tolist() == [[1.0, 1.0, 0.0]]
    frozen.active = False
    assert torch.equal(frozen(x), quantizer(x))
    assert torch.equal(frozen.codes(x), quantizer.codes(x))


def test_an_attack_on_the_frozen_network_moves_its_loss():
    model = network()
    images, _ = images_of(6)
    labels = model(images).argmax(dim=1)
    frozen = freeze_codes(model, images)
    x = images.clone().requires_grad_()
    loss = nn.functional.cross_entropy(frozen(x), labels)
    loss.backward()
    adversarial = (images + 2 / 255 * x.grad.sign()).clamp(0, 1)
    with torch.no_grad():
        assert nn.functional.cross_entropy(frozen(adversarial), labels) > loss
    profile = measure_profile(
        model, images, images_of(6)[1], flips="all", adversarial_frozen=adversarial
    )
    logits = profile.values["logits"]
    with torch.no_grad():
        own = relative_distance(model(images), frozen(adversarial))
    torch.testing.assert_close(logits["logit_distance_frozen_crafted"], own, rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(
        logits["flip_contribution_crafted"], logits["relative_distance"] - own, rtol=1e-3, atol=1e-5
    )
    assert "flip_contribution" not in profile.values["linear"]  # only with flips="layers"


def test_without_quantized_inputs_there_is_nothing_to_freeze():
    model = quantize_model(Classifier(Net(), mean=[0.4, 0.5], std=[0.2, 0.3]).eval(), QuantSpec())
    profile = measure_profile(model, *images_of(3), flips="layers")
    assert all("flip_contribution" not in metrics for metrics in profile.values.values())
