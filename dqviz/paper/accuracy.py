"""Clean accuracy as the networks' cards tell it, and which networks have collapsed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dqviz.cards import load_card
from dqviz.charts.tidy import COLLAPSE

from .networks import FULL, Network, at_bits


def accuracy_of(network: Network) -> Mapping[str, float]:
    """`value, low, high` (shares of 1) and `n` on all test images; empty where it is not told."""
    told = load_card(network.id).accuracy
    return {name: float(told[name]) for name in ("value", "low", "high", "n") if name in told}


def collapsed(networks: Iterable[Network]) -> frozenset[str]:
    """The ids of networks below 80 % of the clean accuracy that their like has at full precision.

    Their like is the network of the same family and method, of the same seed or else the first.
    Nothing is concluded from what has collapsed. Training on attacked images costs accuracy by
    itself, so what was trained so is not judged by it.
    """
    told = {network: accuracy_of(network).get("value") for network in networks}
    full = {(n.family, n.method, n.seed): own for n, own in told.items() if n.training == FULL}
    found = set()
    for network, own in told.items():
        kind = (network.family, network.method)
        whole = full.get((*kind, network.seed), full.get((*kind, 0)))
        if at_bits(network.training) is None or own is None or whole is None:
            continue
        if own < COLLAPSE * whole:
            found.add(network.id)
    return frozenset(found)
