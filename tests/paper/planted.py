"""Made-up results of every part of the plan, with effects of known size."""

from __future__ import annotations

import numpy as np

from dqviz.experiments.result import Result, make_samples, make_table
from dqviz.paper import QUICK, WHOLE, Network, Part, plan
from dqviz.paper.plan import OTHER_BITS
from dqviz.proportions import wilson
from dqviz.specs import CORRUPTIONS, QuantSpec

FAMILIES = ("streetdigits/resnet20", "streetdigits/plain20", "cifar10/resnet20")
FLIPPED = {
    ("vanilla", ""): 8,
    ("dq", ""): 8,
    ("vanilla", "w8a4"): 12,
    ("dq", "w8a4"): 6,
    ("vanilla", "rfgsm-w8a4"): 9,
    ("dq", "rfgsm-w8a4"): 5,
    ("vanilla", "w8a2"): 12,
    ("vanilla", "w8a5"): 12,
}
"""Of twenty images that are right unattacked, how many every attack flips, by kind of network."""

CARRIED = 4
"""So many fewer of them are flipped by an attack carried over from another bit-width."""

MOVED = {
    ("vanilla", ""): 0.1,
    ("dq", ""): 0.1,
    ("vanilla", "w8a4"): 0.2,
    ("dq", "w8a4"): 0.1,
    ("vanilla", "rfgsm-w8a4"): 0.1,
    ("dq", "rfgsm-w8a4"): 0.1,
    ("vanilla", "w8a2"): 0.2,
    ("vanilla", "w8a5"): 0.2,
}
"""The distance at the last layer."""


LAYERS = ("conv1", "linear", "logits")
NOISE = {("in", ""): 0.01, ("out", ""): 0.015, ("predicted", ""): 0.016}
NOISE |= {("in", "_l1"): 0.01, ("out", "_l1"): 0.01, ("predicted", "_l1"): 0.01}
"""What goes into the first layer's quantizer, and what comes out."""


def network(family: str, method: str, training: str, seed: int = 0) -> Network:
    weights = "-".join(part for part in (method, training, f"s{seed}" if seed else "") if part)
    quant = QuantSpec(weight_bits=8, act_bits=int(training[-1])) if training else QuantSpec()
    return Network(
        id=f"{family}/{weights}", method=method, training=training, seed=seed, quant=quant
    )


def everything(families=FAMILIES) -> tuple[Network, ...]:
    """Every kind at full precision and at four bits."""
    kinds = [kind for kind in FLIPPED if not kind[1].endswith(("a2", "a5"))]
    return tuple(network(family, *kind) for family in families for kind in kinds)


def another_seed() -> tuple[Network, ...]:
    """Of both methods, at full precision and at four bits, one network more a family."""
    return tuple(
        network(family, method, training, 1)
        for family in FAMILIES
        for method in ("vanilla", "dq")
        for training in ("", "w8a4")
    )


def planted(part: Part, *, shift: int = 0) -> Result:
    """The result of a part; `shift` more images are flipped in every network."""
    spec, own = part.spec, part.network
    kind = own.method, own.training
    model, _, weights = own.id.rpartition("/")
    shared = {
        "model": model,
        "weights": weights,
        "weight_bits": own.quant.weight_bits,
        "act_bits": own.quant.act_bits,
        "clean_accuracy": 1.0,
        "clean_accuracy_full": 1.0,
        "n_samples": 20,
        "crafted_on": "itself",
        "calibration": "training",
    }
    # A little of its own in every family, as measurements have.
    flipped = FLIPPED[kind] + shift + FAMILIES.index(own.family) % 2
    if part.label == OTHER_BITS:
        flipped -= CARRIED
    right = {"clean_accuracy": np.ones(20), "robust_accuracy": (np.arange(20) >= flipped) * 1.0}
    rows, samples = [], []
    for epsilon in spec.attack.epsilons:
        where = {"attack": spec.attack.name, "epsilon": epsilon}
        rows += [{**where, **row} for row in (*_rows(kind), *_share("robust_accuracy", flipped))]
        for metric, values in right.items():
            samples.append({**where, "layer": "network", "metric": metric, "value": values})
        moved = MOVED[kind] * np.linspace(0.9, 1.1, 20)
        distance = {"layer": "linear", "metric": "relative_distance", "value": moved}
        samples.append({**where, **distance})
        if spec.controls:
            aside = {"attack": "random_signs", "epsilon": epsilon}
            rows += [{**aside, **row} for row in _distances(kind)]
            unaimed = moved / 10 if not own.training else moved
            samples.append({**aside, **distance, "value": unaimed})
    if spec.kind == "corruptions":
        ones = {"attack": "none", "epsilon": np.nan, "layer": "network"}
        samples = [{**ones, "metric": "clean_accuracy", "value": right["clean_accuracy"]}]
        rows = []
        for name in CORRUPTIONS:
            wrong = {**ones, "attack": name, "metric": "corrupted_accuracy_3"}
            samples.append({**wrong, "value": right["robust_accuracy"]})
            rows += [
                {**wrong, **row, "attack": name, "epsilon": np.nan}
                for row in _share(wrong["metric"], flipped)
            ]
    names = ("model", "weights", "weight_bits", "act_bits")
    named = [{**{name: shared[name] for name in names}, **row} for row in samples]
    return Result(
        table=make_table(rows, shared=shared),
        arrays={},
        notes=(),
        spec_key=f"{part.experiment} {own.id} {part.label}",
        version="0",
        samples=make_samples(named),
    )


def _rows(kind):
    yield {
        "layer": "network",
        "depth": -1,
        "metric": "bit_operations",
        "statistic": "value",
        "value": 1000.0 * (32 if not kind[1] else 4),
    }
    for name, shift in (("amplification", 0.0), ("margin", 0.05)):
        for statistic, value in (("value", 0.8), ("low", 0.7), ("high", 0.9)):
            yield {
                "layer": "network",
                "depth": -1,
                "metric": f"failure_auc_{name}",
                "statistic": statistic,
                "value": value + shift,
            }
    yield from _distances(kind)
    for depth, layer in enumerate(LAYERS):
        place = {"layer": layer, "depth": depth, "statistic": "median"}
        yield {**place, "metric": "flip_contribution", "value": MOVED[kind] / 2}
        if layer != "logits":
            yield {**place, "metric": "quantizer_gain", "value": 1.5}
            for name, value in NOISE.items():
                for suffix in ("", "_zero", "_inside", "_clipped"):
                    size = 0.0 if suffix == "_zero" else value * (1 + depth)
                    yield {
                        **place,
                        "metric": f"quantizer_noise_{name[0]}{suffix}{name[1]}",
                        "value": size,
                    }


def _share(metric, flipped):
    """How many of the twenty images are still right, with Wilson's interval."""
    share = wilson(20 - flipped, 20)
    for name in ("value", "low", "high"):
        place = {"layer": "network", "depth": -1, "metric": metric}
        yield {**place, "statistic": name, "value": getattr(share, name)}


def _distances(kind):
    for depth, layer in enumerate(LAYERS):
        place = {"layer": layer, "depth": depth, "statistic": "median"}
        last = MOVED[kind]
        yield {**place, "metric": "relative_distance", "value": last if depth else 0.02}
        yield {**place, "metric": "amplification", "value": 1 + 4 * depth}
        yield {**place, "metric": "amplification_centred", "value": 1 + 5 * depth}


def results_of(networks, size=WHOLE, **more) -> tuple[list[Part], dict[Part, Result]]:
    parts = [part for part in plan(networks, size) if part.experiment != "trust"]
    return parts, {part: planted(part, **more) for part in parts}


__all__ = ["QUICK", "WHOLE", "another_seed", "everything", "network", "planted", "results_of"]
