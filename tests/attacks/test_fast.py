"""The fast path: what is chosen, what it is called, and that the network itself is the judge."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn
from torch.nn import functional

from benchmarks.emulation import emulated
from dqviz.attacks import APGD, BIM, prepare_for_attack
from dqviz.attacks.arithmetic import PRECISIONS, in_words, own_arithmetic, threads_of
from dqviz.attacks.fast import choose, gradients_in, kind_of
from dqviz.models import build
from dqviz.models.normalize import Classifier
from dqviz.quantize import BackwardThrough, quantize_model
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
    coded = dataclasses.replace(OWN, precision="int8, bfloat16 backward")
    assert in_words(coded) == "int8 forward and bfloat16 backward, judged in float32"
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


@pytest.mark.parametrize(
    ("quant", "kind"),
    [
        (QuantSpec(), "full"),
        (QuantSpec(weight_bits=8), "full"),
        (QuantSpec(act_bits=4), "rounded"),
        (W8A4, "coded"),
        (QuantSpec(weight_bits=2, act_bits=1), "coded"),
        (QuantSpec(weight_bits=8, act_bits=4, estimator="unquantized"), "full"),
    ],
)
def test_what_a_network_has_decides_what_may_serve_it(quant: QuantSpec, kind: str) -> None:
    assert kind_of(quant) == kind


@pytest.mark.parametrize(
    ("quant", "precision"),
    [
        (quant, precision)
        for quant in (QuantSpec(), QuantSpec(act_bits=4), W8A4)
        for precision in PRECISIONS[kind_of(quant)][1:]
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_gradients_of_the_copy_point_where_those_of_the_network_do(
    quant: QuantSpec, precision: str, net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    network = quantize_model(net, quant, calibration=images)
    copy = gradients_in(network, dataclasses.replace(OWN, precision=precision))
    assert copy is not None
    assert copy(images).dtype == torch.float32
    one, other = (BIM(n).gradient(images, labels)[0].flatten(1) for n in (network, copy))
    assert (torch.cosine_similarity(one, other) > 0.98).all()
    assert not torch.equal(one, other)
    if precision != "bfloat16":  # the forward pass is the network's
        torch.testing.assert_close(copy(images), network(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("quant", [QuantSpec(), QuantSpec(act_bits=4), W8A4])
def test_the_emulation_computes_what_bfloat16_does(
    quant: QuantSpec, generator: torch.Generator
) -> None:
    """Of `benchmarks/emulation.py`, against torch's own bfloat16."""
    images = torch.rand(4, 3, 32, 32, generator=generator)
    resnet = Classifier(build("resnet20", 10, seed=0), mean=(0.5,) * 3, std=(0.25,) * 3).eval()
    network = quantize_model(resnet, quant, calibration=images)
    network = network.to(memory_format=torch.channels_last)
    images = images.contiguous(memory_format=torch.channels_last)
    labels = network(images).argmax(1)
    precision = max(PRECISIONS[kind_of(quant)], key=len)
    copies = emulated(network, precision), prepare_for_attack(network, precision=precision)
    one, other = (BIM(n).gradient(images, labels)[0].flatten(1) for n in copies)
    exact = BIM(network).gradient(images, labels)[0].flatten(1)
    difference = (one - other).norm()
    if precision == "bfloat16":
        assert difference < 0.3 * (exact - other).norm()
    else:  # without instructions for bfloat16, torch rounds within the sums of a backward pass too
        assert difference < 0.03 * other.norm()
    assert not torch.equal(one, exact)
    assert not torch.equal(other, exact)


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


class Rough(nn.Module):
    """A copy whose logits are right to half a unit only, with another network's gradients."""

    def __init__(self, network: nn.Module, other: nn.Module, *, rounds: bool) -> None:
        super().__init__()
        self.network = network
        self.other = other
        self.rounds = rounds

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        astray = self.other(x)
        return astray - astray.detach() + (2 * self.network(x)).round().detach() / 2


@pytest.mark.parametrize("loss", ["cross_entropy", "dlr"])
def test_apgd_leaves_what_withstands_a_rough_copy_to_the_network_itself(
    loss: str, net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    """For the second half of the steps: then it breaks all images that it breaks without a copy."""
    other = nn.Sequential(nn.Flatten(), nn.Linear(images[0].numel(), 5)).requires_grad_(False)

    def broken(gradients_of: nn.Module | None, steps: int = 20) -> torch.Tensor:
        attack = APGD(net, eps=0.03, steps=steps, loss=loss, seed=1, gradients_of=gradients_of)
        resting, final = (attack(images, labels, early_stop=rests) for rests in (True, False))
        fooled = net(final).argmax(1) != labels
        assert torch.equal(fooled, net(resting).argmax(1) != labels)
        return fooled

    astray, helped = (broken(Rough(net, other, rounds=rounds)) for rounds in (False, True))
    assert broken(None).sum() >= broken(None, steps=10).sum() > astray.sum() + 3
    assert (broken(None) <= helped).all()


def test_the_second_half_asks_the_network_of_standing_images_only(
    net: Classifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    """The losses of a step tell who was asked: a rough copy's belong to rounded logits.

    In the fifth of eight, images that still stand go back to their best points.
    """
    copy = Rough(net, net, rounds=True)
    attack = APGD(net, eps=0.02, steps=8, gradients_of=copy)
    before = images
    for step in attack.iterate(images, labels):
        if step.step not in (1, 5):
            own, rough = (
                functional.cross_entropy(network(before), labels, reduction="none")
                for network in (net, copy)
            )
            exact, late = torch.isclose(step.loss, own), step.step > 5
            assert (exact | torch.isclose(step.loss, rough)).all()
            assert exact.any() == late
            assert not exact.all()
            assert not late or (net(step.best).argmax(1) == labels)[exact].any()
        before = step.adversarial
