"""The fast path: what is chosen, what it is called, and that the network itself is the judge."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from dqviz.attacks import BIM, prepare_for_attack
from dqviz.attacks.arithmetic import in_words, own_arithmetic, threads_of
from dqviz.attacks.fast import choose, gradients_in
from dqviz.models.normalize import Classifier
from dqviz.quantize import AffineQuantizer, BackwardThrough, quantize_model
from dqviz.specs import QuantSpec

OWN = own_arithmetic()
ROUNDED = dataclasses.replace(OWN, precision="bfloat16")
ALONE = dataclasses.replace(OWN, threads=1)
W8A4 = QuantSpec(weight_bits=8, act_bits=4)


def test_only_what_gains_much_is_taken() -> None:
    assert choose({OWN: 1.0, ROUNDED: 0.5, ALONE: 0.8}, OWN) == ROUNDED
    assert choose({OWN: 1.0, ROUNDED: 0.95, ALONE: 0.9}, OWN) == OWN
    assert choose({OWN: 1.0, ROUNDED: 60.0, ALONE: 0.8}, OWN) == ALONE
    assert choose({OWN: 1.0}, OWN) == OWN


def test_each_arithmetic_has_words_of_its_own() -> None:
    assert in_words(OWN) == "float32"
    assert in_words(ROUNDED) == "bfloat16 gradients, judged in float32"
    gpu = dataclasses.replace(OWN, device="cuda")
    assert in_words(gpu) == "float32 gradients on cuda, judged in float32"
    many = dataclasses.replace(ROUNDED, threads=OWN.threads + 3)
    words = f"bfloat16 gradients with {OWN.threads + 3} threads, judged in float32"
    assert in_words(many) == words


def test_threads_come_back_also_after_an_error() -> None:
    other = dataclasses.replace(OWN, threads=OWN.threads + 1)
    seen = []

    def fail() -> None:
        with threads_of(other):
            seen.append(torch.get_num_threads())
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert [*seen, torch.get_num_threads()] == [OWN.threads + 1, OWN.threads]


def test_float32_takes_the_gradients_of_the_network_itself(net: Classifier) -> None:
    assert gradients_in(net, OWN) is None
    assert gradients_in(net, ALONE) is None


def test_codes_of_a_rounded_copy_are_computed_in_float32(
    net: Classifier, images: torch.Tensor
) -> None:
    """Every quantizer of the copy returns the very levels that float32 gives for its input."""
    quantized = quantize_model(net, W8A4, calibration=images)
    copy = gradients_in(quantized, ROUNDED)
    assert copy is not None
    seen: list[torch.dtype] = []

    def check(layer: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        seen.append(inputs[0].dtype)
        assert isinstance(layer, AffineQuantizer)
        with torch.autocast("cpu", enabled=False):
            levels = layer.forward(inputs[0].float())
        assert torch.equal(output, levels.to(output.dtype))

    for module in copy.modules():
        if isinstance(module, AffineQuantizer):
            module.register_forward_hook(check)
    logits = copy(images)
    assert logits.dtype == torch.float32
    assert seen == [torch.float32, torch.bfloat16]
    assert (logits - quantized(images)).norm() < 0.2 * logits.norm()


@pytest.mark.parametrize("quant", [QuantSpec(), W8A4], ids=["full", "W8A4"])
def test_gradients_of_the_copy_point_where_those_of_the_network_do(
    quant: QuantSpec, net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    network = quantize_model(net, quant, calibration=images)
    copy = gradients_in(network, ROUNDED)
    assert copy is not None
    one, other = (BIM(n).gradient(images, labels)[0].flatten(1) for n in (network, copy))
    assert (torch.cosine_similarity(one, other) > 0.9).float().mean() > 0.9
    assert not torch.equal(one, other)


def test_backward_through_the_unquantized_network_stays_so(
    net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    quantized = quantize_model(net, W8A4, calibration=images)
    both = BackwardThrough(quantized, backward=quantize_model(net, QuantSpec()))
    copy = gradients_in(both, ROUNDED)
    assert copy is not None
    assert torch.equal(copy(images), quantized(images))
    one, other = (BIM(n).gradient(images, labels)[0].flatten(1) for n in (both, copy))
    assert torch.cosine_similarity(one, other).min() > 0.98
    plain = prepare_for_attack(both)
    exact = BIM(plain).gradient(images, labels)[0].flatten(1)
    torch.testing.assert_close(exact, one, rtol=1e-4, atol=1e-6)


class Contrary(nn.Module):
    """A copy that is wrong: to it every image is fooled already."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return -self.network(x)


def test_a_copy_that_errs_says_of_no_image_that_it_is_fooled(
    net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    """An image rests only once the network itself is fooled; until then it moves on."""
    attack = BIM(net, eps=0.03, steps=3, gradients_of=Contrary(net))
    resting = attack(images, labels, early_stop=True)
    final = attack(images, labels)
    right = net(resting).argmax(1) == labels
    assert right.any()
    assert torch.equal(resting[right], final[right])
    assert not torch.equal(resting[right], images[right])
