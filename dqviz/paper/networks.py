"""The networks that the paper's claims are put to the test on, and which of them form pairs.

A network is measured as it was trained: at full precision, or with its own quantizers in place.
Its name says how it was trained: METHOD-TRAINING-SEED, such as `dq-w8a4-s1`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from typing import Any

from dqviz.cards import Card, load_card, shipped_ids
from dqviz.data import DataError, fingerprint_data
from dqviz.specs import FULL_PRECISION, DataSpec, QuantSpec

VANILLA, DQ = "vanilla", "dq"
METHODS = (VANILLA, DQ)
FULL = ""
"""The training of networks at full precision, on clean images."""

HARDENED = "rfgsm-"
"""How a training begins that was on images attacked by R+FGSM."""

FIELDS = ("weight_bits", "act_bits", "first_bits", "last_bits")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Network:
    """A trained network. `family` is its data set and architecture, `training` how it was trained
    besides by its `method`: `w8a4` quantized, `rfgsm-w8a4` on perturbed images, empty neither."""

    id: str
    method: str
    training: str
    seed: int
    quant: QuantSpec

    @property
    def family(self) -> str:
        """Data set and architecture, such as `cifar10/resnet20`."""
        return self.id.rpartition("/")[0]

    @property
    def dataset(self) -> str:
        """The data set that it was trained on."""
        return self.id.split("/")[0]

    @property
    def bits(self) -> int:
        """Its activation bits, 32 at full precision."""
        return self.quant.act_bits

    @property
    def unit(self) -> str:
        """What a pair of networks shares: the family, and the seed where it is not the first."""
        return f"{self.family}, seed {self.seed}" if self.seed else self.family


def networks(ids: Iterable[str] | None = None) -> tuple[Network, ...]:
    """Those shipped networks that were trained by one of the `METHODS`, in order of their ids.

    Args:
        ids: the networks to look at; None takes all that come with the package.

    Raises:
        CardError: for a card that cannot be read.
    """
    found = (_network(id, load_card(id)) for id in (shipped_ids() if ids is None else ids))
    return tuple(network for network in found if network is not None)


def _network(id: str, card: Card) -> Network | None:
    method, *rest = id.rpartition("/")[2].split("-")
    if method not in METHODS:
        return None
    seed = 0
    if rest and re.fullmatch(r"s\d+", rest[-1]):
        seed = int(rest.pop()[1:])
    trained = card.recipe.get("quant", {})
    bits: dict[str, Any] = {name: int(trained[name]) for name in FIELDS if name in trained}
    quant = QuantSpec(**bits)
    return Network(id=id, method=method, training="-".join(rest), seed=seed, quant=quant)


def without_images(found: Iterable[Network]) -> dict[str, str]:
    """The data sets of these networks that are not there, and why."""
    missing = {}
    for name in dict.fromkeys(network.dataset for network in found):
        try:
            fingerprint_data(DataSpec(name=name))
        except DataError as error:
            missing[name] = str(error)
    return missing


def at_bits(training: str) -> int | None:
    """The activation bits of a training such as `w8a4`; None for full precision and others."""
    found = re.fullmatch(r"w\d+a(\d+)", training)
    return int(found[1]) if found else None


def attacked_at_bits(training: str) -> int | None:
    """The activation bits of a training on attacked images, such as `rfgsm-w8a4`; else None."""
    return at_bits(training.removeprefix(HARDENED)) if training.startswith(HARDENED) else None


def trainings(found: Iterable[Network]) -> tuple[str, ...]:
    """The quantized trainings on clean images that there are, most activation bits first."""
    names = {network.training for network in found if at_bits(network.training) is not None}
    return tuple(sorted(names, key=lambda name: -(at_bits(name) or FULL_PRECISION)))


def pairs(
    found: Iterable[Network], one: tuple[str, str], other: tuple[str, str]
) -> list[tuple[Network, Network]]:
    """Pairs of networks of one family and seed, each given by (method, training).

    A network at full precision stands for all seeds of its family where it has only one: those
    trained quantized start from it.
    """
    found = list(found)
    second = {(n.family, n.seed): n for n in found if (n.method, n.training) == other}
    made = []
    for network in (n for n in found if (n.method, n.training) == one):
        partner = second.get((network.family, network.seed))
        if partner is None and other[1] == FULL:
            partner = second.get((network.family, 0))
        if partner is not None:
            made.append((network, partner))
    return made
