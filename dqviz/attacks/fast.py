"""The fast path: the arithmetic in which attacks take their gradients, by what it gains here.

An attack may be crafted with approximate gradients, so long as its success is judged on the network
itself in float32 (`gradients_of` of `Attack`). Which approximation is taken, if any, is decided
here and nowhere else, from times that were measured on this machine (`speed_file`). What changes no
more than the rounding of sums is always done, also off the fast path: BatchNorm folded into the
weights, parameters frozen, channels last.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from dqviz.attacks.arithmetic import Arithmetic, own_arithmetic
from dqviz.attacks.prepare import prepare_for_attack
from dqviz.attacks.speed_file import speeds
from dqviz.quantize.coded import most_bits
from dqviz.specs import FULL_PRECISION, QuantSpec

GAIN = 1.15
"""Another arithmetic than the usual one is taken where it is at least this many times as fast."""


def fast_arithmetic(quant: QuantSpec) -> Arithmetic:
    """The arithmetic in which gradients are taken fastest on this machine.

    The first call on a machine measures, for a few seconds.

    Args:
        quant: how the network is quantized.
    """
    return choose(speeds()[kind_of(quant)], own_arithmetic())


def kind_of(quant: QuantSpec) -> str:
    """Which of `PRECISIONS` serve a network that is quantized so."""
    if quant.act_bits == FULL_PRECISION or quant.estimator == "unquantized":
        return "full"
    codes = quant.weight_bits <= 8 and quant.act_bits <= most_bits()
    return "coded" if codes else "rounded"


def choose(seconds: Mapping[Arithmetic, float], usual: Arithmetic) -> Arithmetic:
    """The fastest, or the usual one where none is faster by the factor `GAIN`.

    Args:
        seconds: for the same work, in each arithmetic; `usual` is among them.
        usual: what is taken off the fast path.
    """
    best = min(seconds, key=seconds.__getitem__)
    return best if seconds[usual] / seconds[best] >= GAIN else usual


def gradients_in(network: nn.Module, arithmetic: Arithmetic) -> nn.Module | None:
    """The copy of a network that gradients are taken of; None where that is the network itself."""
    if arithmetic.is_exact:
        return None
    return prepare_for_attack(network, precision=arithmetic.precision, device=arithmetic.device)
