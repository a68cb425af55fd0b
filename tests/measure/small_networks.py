"""Small networks, and what stands at the input of their layers."""

import torch
from torch import nn
from torch.nn import functional as F

from dqviz.models.normalize import Classifier
from dqviz.quantize import AffineQuantizer, quantize_model, quantized_layers
from dqviz.specs import QuantSpec


class Convolutions(nn.Module):
    """Two convolutions, a pooling and a linear layer, small enough to do again by hand."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.conv1 = nn.Conv2d(2, 4, 3, padding=1)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(4, 3, 3, stride=2, padding=1)
        self.relu2 = nn.ReLU()
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(27, 3)
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator) / 2

    def forward(self, x):
        x = self.relu2(self.conv2(self.relu1(self.conv1(x))))
        return self.linear(self.flatten(x))


def images_of(samples, channels=2, size=6, seed=1):
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(samples, channels, size, size, generator=generator)
    noise = torch.randint(0, 2, images.shape, generator=generator) * 2 - 1
    return images, (images + 4 / 255 * noise).clamp(0, 1)


def full_precision():
    return Classifier(Convolutions(), mean=[0.4, 0.5], std=[0.2, 0.3]).eval()


def quantized(act_bits=3, weight_bits=4):
    spec = QuantSpec(act_bits=act_bits, weight_bits=weight_bits, first_bits=4, last_bits=3)
    return quantize_model(full_precision(), spec, calibration=images_of(16)[0])


def activations(model, images):
    """What enters each layer and what its linear map receives, written out without hooks."""
    layers = [model.net.conv1, model.net.conv2, model.net.linear]
    x = model.normalize(images)
    inputs, received, outputs = [], [], []
    for layer, stride in zip(layers, (1, 2, None), strict=True):
        quantizer = getattr(layer, "input_quantizer", None)
        q = x if quantizer is None else quantizer(x)
        if stride is None:
            y = F.linear(q, layer.weight, layer.bias)
        else:
            y = F.conv2d(q, layer.weight, layer.bias, stride=stride, padding=1)
        inputs.append(x.detach().double().numpy())
        received.append(q.detach().double().numpy())
        outputs.append(y.detach().double().numpy())
        x = F.relu(y) if layer is layers[0] else F.relu(y).flatten(1)
    return inputs, received, outputs


class TwoLinear(nn.Module):
    def __init__(self):
        super().__init__()
        self.flatten = nn.Flatten()
        self.first = nn.Linear(2, 2)
        self.second = nn.Linear(2, 2)
        self.first.weight.data = torch.tensor([[1.0, 2.0], [0.0, 1.0]])
        self.first.bias.data = torch.tensor([0.0, 1.0])
        self.second.weight.data = torch.eye(2)
        self.second.bias.data = torch.zeros(2)

    def forward(self, x):
        return self.second(self.first(self.flatten(x)))


def hand_quantized():
    """The two layers with a step of 1/4 before the first and none before the second."""
    model = Classifier(TwoLinear(), mean=[0.0], std=[1.0]).eval()
    network = quantize_model(model, QuantSpec())
    quantizer = AffineQuantizer(scale=0.25, zero_point=0, quant_min=0, quant_max=15)
    dict(quantized_layers(network))["net.first"].input_quantizer = quantizer
    return model, network
