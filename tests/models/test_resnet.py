"""The parameter-free shortcut against the slices that it stands for."""

import pytest
import torch
from torch.nn import functional as F

from dqviz.models.resnet import PadShortcut


def sliced(x, stride, pad):
    return F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, pad, pad))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(8, 8), (7, 9), (1, 1)])
def test_the_shortcut_takes_every_second_pixel(size, stride, dtype):
    x = torch.randn(2, 4, *size, generator=torch.Generator().manual_seed(0)).to(dtype)
    found = []
    for shortcut in (PadShortcut(stride=stride, pad=3), lambda x: sliced(x, stride, 3)):
        inputs = x.clone().requires_grad_()
        output = shortcut(inputs)
        upstream = torch.linspace(-1, 1, output.numel(), dtype=dtype).view_as(output)
        found.append((output, torch.autograd.grad(output, inputs, upstream)[0]))
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])


def test_the_gradient_has_the_memory_layout_of_the_image():
    x = torch.rand(2, 4, 8, 8).contiguous(memory_format=torch.channels_last)
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(PadShortcut(stride=2, pad=2)(x).sum(), x)
    assert gradient.is_contiguous(memory_format=torch.channels_last)
    assert not gradient.is_contiguous()
