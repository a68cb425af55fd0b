"""Made-up rows of a study, many cells in the exact format of a store."""

from __future__ import annotations

import itertools

import pandas as pd

from tests.charts.tables import layer_names, of

BITS = ((32, 32), (8, 4), (4, 4))
EPSILONS = (1 / 255, 2 / 255, 4 / 255)
ONE, OTHER = "cifar10/resnet20/vanilla", "cifar10/resnet20/dq"


def row(metric, value, statistic="value", *, network=ONE, bits=(8, 4), **more):
    """One number of one cell."""
    common = {
        "weight_bits": bits[0],
        "act_bits": bits[1],
        "attack": "fgsm",
        "epsilon": EPSILONS[0],
        "layer": "network",
        "depth": -1,
        "clean_accuracy": 0.9,
        "clean_accuracy_full": 0.9,
        "data": "cifar10 test",
        "n_samples": 64,
        "seed": 0,
        "crafted_on": "itself",
    }
    own = {"metric": metric, "statistic": statistic, "value": value}
    return {**common, **of(network), **own, **more}


def share(value, **more):
    """A robust accuracy with 5 points on either side."""
    ends = (("value", value), ("low", value - 0.05), ("high", value + 0.05))
    return [row("robust_accuracy", number, statistic, **more) for statistic, number in ends]


def costs(network=ONE, bits=(8, 4), **more):
    """A million multiply-accumulates, and 1000 weights."""
    numbers = {"bit_operations": 1e6 * bits[0] * bits[1], "weight_bytes": 125.0 * bits[0]}
    return [row(m, v, network=network, bits=bits, **more) for m, v in numbers.items()]


def accuracy_study(networks=(ONE, OTHER), bits=BITS, epsilons=EPSILONS, seeds=(0, 1)):
    """Robust accuracies that fall with epsilon, and what the networks cost."""
    rows = []
    for (n, network), b, epsilon, seed in itertools.product(
        enumerate(networks), bits, epsilons, seeds
    ):
        of_cell = {"network": network, "bits": b, "epsilon": epsilon, "seed": seed}
        value = 0.8 - 0.1 * 255 * epsilon + 0.01 * min(b) / 8 + 0.02 * n + 0.02 * seed
        rows += [*share(value, **of_cell), *costs(**of_cell)]
    return pd.DataFrame(rows)


def layer_study(networks=(ONE, OTHER), bits=BITS, seeds=(0, 1), layers=20):
    """Relative distances that grow from layer to layer: 0.01 a layer at 32 bits and seed 0."""
    rows = [
        row(
            "relative_distance",
            0.01 * (depth + 1) * (1 + seed) * 32 / a,
            "median",
            network=network,
            bits=(w, a),
            seed=seed,
            layer=layer,
            depth=depth,
        )
        for network, (w, a), seed in itertools.product(networks, bits, seeds)
        for depth, layer in enumerate([*layer_names(layers), "logits"])
    ]
    return pd.DataFrame(rows)
