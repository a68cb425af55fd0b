"""Weights as codes and scales."""

import pytest
import torch

from dqviz.models import ModelError
from dqviz.models.stored import pack, unpack


@pytest.mark.parametrize("quant_max", [1, 7, 127])
def test_codes_times_scales_are_the_nearest_levels(quant_max):
    weight = torch.randn(5, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    weight[3] = 0
    codes, scale = pack(weight, quant_max=quant_max)
    assert codes.dtype == torch.int8
    assert codes.abs().amax((1, 2, 3)).tolist() == [quant_max] * 3 + [0, quant_max]
    back = unpack({"a.weight": codes, "a.weight_scale": scale}, name="file")
    assert list(back) == ["a.weight"]
    off = (back["a.weight"] - weight).abs()
    assert bool((off <= scale.view(-1, 1, 1, 1) / 2 + 1e-6).all())
    again, _ = pack(back["a.weight"], quant_max=quant_max)
    assert torch.equal(again, codes)


def test_other_tensors_stay_what_they_are():
    tensors = {"a.weight": torch.ones(2, 2), "a.bias": torch.zeros(2), "scale": torch.ones(1)}
    assert unpack(tensors, name="file") == tensors


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"a.weight_scale": torch.ones(2)}, "needs int8 codes 'a.weight' .* got none"),
        ({"a.weight": torch.ones(2, 2), "a.weight_scale": torch.ones(2)}, "got torch.float32"),
        (
            {"a.weight": torch.ones(2, 2).to(torch.int8), "a.weight_scale": torch.ones(3)},
            r"got torch.int8 \(2, 2\) for scales \(3,\)",
        ),
        (
            {"a.weight": torch.ones(2, 2).to(torch.int8), "a.weight_scale": torch.zeros(2)},
            "positive finite numbers alone",
        ),
    ],
)
def test_codes_and_scales_that_do_not_fit_are_refused(tensors, said):
    with pytest.raises(ModelError, match=said):
        unpack(tensors, name="file")
    with pytest.raises(ValueError, match="got quant_max 128"):
        pack(torch.ones(1, 1), quant_max=128)
