"""The theory of quantizer noise on activations of a network trained by others."""

import pytest
import torch

from dqviz.data import load_data
from dqviz.measure.amplification import measure_profile
from dqviz.models import load_checkpoint
from dqviz.quantize import quantize_model
from dqviz.specs import DataSpec, QuantSpec

STATS = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


@pytest.fixture(scope="module")
def images(shared_folder):
    path = shared_folder / "datasets" / "cifar10" / "test-lossless.parquet"
    return load_data(DataSpec(name=f"parquet:{path}", n_samples=32)).images


@pytest.fixture(scope="module")
def profile(shared_folder, images):
    path = shared_folder / "checkpoints" / "resnet20-12fca82f.th"
    model = load_checkpoint(path, arch="resnet20", classes=10, **STATS)
    network = quantize_model(model, QuantSpec(act_bits=4), calibration=images)
    generator = torch.Generator().manual_seed(0)
    signs = torch.randint(0, 2, images.shape, generator=generator) * 2 - 1
    adversarial = (images + signs / 255).clamp(0, 1)
    return measure_profile(network, images, adversarial, reference=model)


def test_the_prediction_holds_layer_by_layer(profile):
    for layer in profile.layers[1:-1]:  # the first has 8 bits and an input on a grid of its own
        metrics = profile.values[layer]
        predicted = metrics["quantizer_noise_predicted_inside"]
        ratio = float((metrics["quantizer_noise_out_inside"] / predicted).mean())
        assert ratio == pytest.approx(1, abs=0.1), layer
        assert float(metrics["quantizer_gain_inside_l1"].mean()) == pytest.approx(1, abs=0.15)
        assert float(metrics["quantizer_gain_inside"].mean()) > 0.95


def test_the_first_coarse_quantizer_enlarges_the_noise_most(profile):
    gains = [float(profile.values[layer]["quantizer_gain"].mean()) for layer in profile.layers[1:9]]
    assert gains[0] == max(gains)
    assert gains[0] > 1.5


def test_quantization_noise_is_larger_at_four_bits_than_at_the_first_layers_eight(profile):
    noise = [float(profile.values[layer]["sqnr_db"].mean()) for layer in profile.layers]
    assert noise[0] > 35
    assert max(noise[1:]) < 30
