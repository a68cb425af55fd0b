import pytest
import torch
from torch import nn

from dqviz.defense.penalty import (
    folded_kernel,
    orthogonality,
    orthogonality_penalty,
    penalized_layers,
)
from dqviz.models import graph
from dqviz.models.resnet import plain20


def _randomize_norms(model, generator):
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.data.normal_(generator=generator)
            module.running_mean.normal_(generator=generator)
            module.running_var.uniform_(0.3, 3.0, generator=generator)


@pytest.mark.parametrize("shape", [(4, 3, 3, 3), (40, 2, 3, 3), (10, 64), (6, 6)])
def test_the_small_gram_has_the_gradient_of_the_one_in_the_paper(shape):
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True)
    matrix = weight.reshape(shape[0], -1)
    paper = (matrix.T @ matrix - torch.eye(matrix.shape[1])).square().sum()
    ours = orthogonality(weight)
    (expected,) = torch.autograd.grad(paper, weight)
    (received,) = torch.autograd.grad(ours, weight)
    torch.testing.assert_close(received, expected)
    rows, columns = matrix.shape
    assert (paper - ours).item() == pytest.approx(max(columns - rows, 0))


def test_orthonormal_rows_cost_nothing():
    rows = torch.linalg.qr(torch.randn(27, 8, generator=torch.Generator().manual_seed(1)))[0].T
    assert orthogonality(rows.reshape(8, 3, 3, 3)).item() == pytest.approx(0, abs=1e-9)
    assert orthogonality(2 * rows.reshape(8, 3, 3, 3)).item() == pytest.approx(8 * 9, rel=1e-5)


def test_a_grouped_kernel_has_one_gram_a_group():
    weight = torch.randn(6, 2, 3, 3, generator=torch.Generator().manual_seed(2))
    apart = sum(orthogonality(part) for part in weight.chunk(3))
    torch.testing.assert_close(orthogonality(weight, groups=3), apart)


def test_the_folded_kernel_is_the_weight_after_folding():
    model = plain20(10).eval()
    _randomize_norms(model, torch.Generator().manual_seed(3))
    folded = graph.fold_batchnorm(model)
    for layer in penalized_layers(model, input_shape=(3, 32, 32)):
        torch.testing.assert_close(
            folded_kernel(layer), folded.get_submodule(layer.name).weight, rtol=1e-5, atol=1e-6
        )


def test_a_batchnorm_before_a_grouped_convolution_scales_its_columns():
    model = nn.Sequential(
        nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 6, 3, groups=2, bias=False), nn.Flatten()
    )
    generator = torch.Generator().manual_seed(4)
    _randomize_norms(model, generator)
    (layer,) = penalized_layers(model, input_shape=(4, 5, 5))
    norm, conv = model[0], model[2]
    scale = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).abs()
    expected = conv.weight.clone()
    for row in range(6):
        for column in range(2):
            expected[row, column] *= scale[(row // 3) * 2 + column]
    torch.testing.assert_close(folded_kernel(layer), expected)


def test_gradients_reach_gamma_in_the_folded_arm_alone():
    model = plain20(10)
    for arm, reaches in (("raw", False), ("folded", True)):
        model.zero_grad()
        orthogonality_penalty(model, arm=arm).backward()
        assert model.conv1.weight.grad is not None
        assert (model.bn1.weight.grad is not None) == reaches


def test_an_unknown_arm_is_named():
    with pytest.raises(ValueError, match="'raw' or 'folded'; got 'cooked'"):
        orthogonality_penalty(plain20(10), arm="cooked")
