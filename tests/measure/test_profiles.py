"""Several perturbations of the same images, measured together."""

import pytest
import torch
from torch import nn

from dqviz.measure.amplification import measure_profile, measure_profiles
from dqviz.measure.errors import MeasureError
from dqviz.models.normalize import Classifier
from dqviz.models.resnet import resnet20
from dqviz.quantize import quantize_model
from dqviz.specs import QuantSpec
from tests.measure.small_networks import full_precision, images_of, quantized


class InPlace(nn.Module):
    """A network whose operations change what its layers were given and what they returned."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.first = nn.Conv2d(2, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator) / 2
        self.eval()

    def forward(self, x):
        x = self.first(x).relu_()
        y = self.second(x).add_(x)
        x.zero_()
        return y.mean(dim=(2, 3))


def residual(act_bits):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Classifier(resnet20(10), mean=[0.5] * 3, std=[0.25] * 3).eval()
    images = images_of(4, channels=3, size=32)[0]
    network = quantize_model(model, QuantSpec(act_bits=act_bits), calibration=images)
    return network.to(memory_format=torch.channels_last)


NETWORKS = {
    "full precision": (full_precision, 2, 6),
    "quantized": (quantized, 2, 6),
    "in place": (InPlace, 2, 6),
    "residual": (lambda: residual(32), 3, 32),
    "residual quantized": (lambda: residual(4), 3, 32),
}


def perturbations(images, count):
    """So many, each stronger than the one before."""
    generator = torch.Generator().manual_seed(count)
    signs = torch.randint(0, 2, images.shape, generator=generator) * 2 - 1
    return [(images + (k + 1) / 255 * signs).clamp(0, 1) for k in range(count)]


def same(one, other, *, bits):
    """Equal bit for bit, or but for the rounding of float32 sums."""
    close = {"rtol": 0.0, "atol": 0.0} if bits else {"rtol": 1e-4, "atol": 1e-6}
    assert one.layers == other.layers
    for layer in one.layers:
        assert list(one.values[layer]) == list(other.values[layer])
        for metric, values in one.values[layer].items():
            found = other.values[layer][metric]
            torch.testing.assert_close(values, found, equal_nan=True, **close)
    torch.testing.assert_close(one.clean_logits, other.clean_logits, **close)
    torch.testing.assert_close(one.adversarial_logits, other.adversarial_logits, **close)


@pytest.mark.parametrize("held_bytes", [0, 2**40])
@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("batch_size", [3, 64])
@pytest.mark.parametrize("name", NETWORKS)
def test_each_gives_what_it_gives_alone(name, batch_size, count, held_bytes, monkeypatch):
    """Bit for bit where each stands beside the clean images, as it does alone. Where the clean ones
    are held, perturbations change places within a pass, and on some processors that moves the last
    bits of a matrix product."""
    monkeypatch.setattr("dqviz.measure.clean.HELD_BYTES", held_bytes)
    make, channels, size = NETWORKS[name]
    model = make()
    images = images_of(7, channels=channels, size=size)[0]
    adversarial = perturbations(images, count)
    options = {"reference": make() if size == 6 else residual(32), "batch_size": batch_size}
    together = measure_profiles(model, images, adversarial, **options)
    assert len(together) == count
    for perturbed, profile in zip(adversarial, together, strict=True):
        alone = measure_profile(model, images, perturbed, **options)
        same(profile, alone, bits=held_bytes == 0)
    last = together[0].layers[-1]
    assert not torch.equal(
        together[0].values[last]["relative_distance"], together[1].values[last]["relative_distance"]
    )


def images_passed(model, images, adversarial, **options):
    """How many images each pass of a measurement took."""
    sizes = []
    handle = model.register_forward_hook(lambda _, inputs, __: sizes.append(len(inputs[0])))
    measure_profiles(model, images, adversarial, **options)
    handle.remove()
    return sizes


def test_the_clean_images_pass_once_where_they_may_be_held(monkeypatch):
    images = images_of(4)[0]
    several = perturbations(images, 7)
    assert images_passed(quantized(), images, several) == [1, 8, 8, 8, 8]
    assert images_passed(quantized(), images, several, batch_size=2) == [1, *[4] * 8]
    assert images_passed(quantized(), images, several[:1]) == [8]
    # inputs, what stands behind the quantizer, and outputs, of four images
    elements = 4 * (2 * (2 * 36 + 4 * 36 + 27) + 4 * 36 + 3 * 9 + 3)
    monkeypatch.setattr("dqviz.measure.clean.HELD_BYTES", 4 * elements)
    assert images_passed(quantized(), images, several) == [1, 8, 8, 8, 8]
    monkeypatch.setattr("dqviz.measure.clean.HELD_BYTES", 4 * elements - 1)
    assert images_passed(quantized(), images, several) == [1, *[8] * 7]
    assert images_passed(quantized(), images, several, batch_size=2) == [1, *[4] * 8]


@pytest.mark.parametrize(
    ("held_bytes", "expected"),
    [(2**40, [2, 6, 8, 12, 14, 18]), (0, [2, 4, 6, 8, 10, 12, 14, 16, 18])],
)
def test_progress_counts_perturbed_images_and_may_cancel(held_bytes, expected, monkeypatch):
    monkeypatch.setattr("dqviz.measure.clean.HELD_BYTES", held_bytes)
    model, images = quantized(), images_of(6)[0]
    seen = []

    def progress(done, total):
        seen.append(done)
        assert total == 18
        if len(seen) == stop:
            raise InterruptedError

    stop = None
    measure_profiles(model, images, perturbations(images, 3), batch_size=2, progress=progress)
    assert seen == expected
    seen, stop = [], 2
    with pytest.raises(InterruptedError):
        measure_profiles(model, images, perturbations(images, 3), batch_size=2, progress=progress)
    assert seen == expected[:2]
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_bad_input_is_named():
    images = images_of(4)[0]
    with pytest.raises(MeasureError, match="at least one perturbation of the images; got none"):
        measure_profiles(quantized(), images, [])
    with pytest.raises(MeasureError, match=r"\(4, 2, 6, 6\) and \(3, 2, 6, 6\)"):
        measure_profiles(quantized(), images, [images, images[:3]])
    with pytest.raises(MeasureError, match="batch_size must be at least 1; got 0"):
        measure_profiles(quantized(), images, [images, images], batch_size=0)
