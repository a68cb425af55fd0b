import numpy as np
import pytest
import torch
from torch import nn

from dqviz.measure.errors import MeasureError
from dqviz.measure.feature_maps import feature_maps


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.conv = nn.Conv2d(2, 3, 1)
        self.more = nn.Conv2d(3, 4, 3, padding=1)
        self.linear = nn.Linear(4, 2)
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator)
        self.eval()

    def forward(self, x):
        return self.linear(self.more(self.conv(x).relu()).mean(dim=(2, 3)))


def pair():
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(1, 2, 5, 4, generator=generator)
    return image, (image + 0.1 * torch.rand(image.shape, generator=generator)).clamp(0, 1)


def test_maps_equal_numpy():
    model, (image, adversarial) = Net(), pair()
    found = feature_maps(model, image, adversarial, ["more", "conv"])
    assert list(found) == ["conv", "more"]
    np.testing.assert_allclose(
        found["conv"], np.abs((adversarial - image)[0].numpy()).mean(axis=0), rtol=1e-6
    )
    weight = model.conv.weight.detach().numpy()[:, :, 0, 0]
    bias = model.conv.bias.detach().numpy()[:, None, None]
    maps = [
        np.maximum(np.einsum("oc,chw->ohw", weight, pixels[0].numpy()) + bias, 0)
        for pixels in (image, adversarial)
    ]
    np.testing.assert_allclose(
        found["more"], np.abs(maps[1] - maps[0]).mean(axis=0), rtol=1e-4, atol=1e-6
    )
    channels = feature_maps(model, image, adversarial, ["more"], channels=True)["more"]
    np.testing.assert_allclose(channels, np.abs(maps[1] - maps[0]), rtol=1e-4, atol=1e-6)


def test_a_linear_layer_is_one_row():
    found = feature_maps(Net(), *pair(), ["linear"])
    assert found["linear"].shape == (1, 4)
    assert feature_maps(Net(), *pair(), ["linear"], channels=True)["linear"].shape == (1, 1, 4)


def test_bad_input_is_named():
    image, adversarial = pair()
    with pytest.raises(MeasureError, match="no layer absent; the network has conv, more, linear"):
        feature_maps(Net(), image, adversarial, ["absent"])
    with pytest.raises(MeasureError, match=r"one image \(1, C, H, W\); got \(2, 2, 5, 4\)"):
        feature_maps(Net(), image.repeat(2, 1, 1, 1), adversarial.repeat(2, 1, 1, 1), ["conv"])
