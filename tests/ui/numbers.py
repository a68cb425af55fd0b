"""Made-up but plausible results, so that pages can be tested without any network.

Distances grow with depth, epsilon and fewer bits, and are smaller for a network called `dq`. They
are a function of the specification alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from dqviz import __version__
from dqviz.experiments.provenance import Provenance
from dqviz.experiments.result import Result, array_name, make_samples, make_table
from dqviz.specs import CONTROLS, FAST_KINDS, ExperimentSpec, to_json
from tests.ui.robust_numbers import (
    accuracy_rows,
    accuracy_samples,
    masking_rows,
    smallest_rows,
    smallest_samples,
)

BLOCKS = [f"layer{stage}.{block}" for stage in (1, 2, 3) for block in (0, 1)]
LAYERS = ["conv1", *[f"{b}.{c}" for b in BLOCKS for c in ("conv1", "conv2")], "linear"]
PLAIN_LAYERS = [f"features.{place}" for place in range(len(LAYERS) - 1)] + ["linear"]
"""The layers of plain20, so that there are networks whose layers have other names."""

COLLAPSED_BELOW = 3
SIZES = {"fgsm": 1.0, "rfgsm": 0.95, "bim": 1.1, "pgd": 1.2}
SIZES |= {"mifgsm": 1.15, "apgd_ce": 1.25, "apgd_dlr": 1.25, "square": 0.8, "standard": 1.25}
CONTROL_SIZES = {"random_signs": 0.45, "gaussian": 0.4, "other_image": 0.7}


def key_of(spec: ExperimentSpec) -> str:
    """A name for the specification, which need not be resolved."""
    return hashlib.sha256(repr(to_json(spec)).encode()).hexdigest()[:32]


def result_of(spec: ExperimentSpec) -> Result:
    """The made-up result of a specification."""
    makers = {
        "amplification": amplification_rows,
        "lipschitz": lipschitz_rows,
        "playground": playground_rows,
        "accuracy": accuracy_rows,
        "smallest_epsilon": smallest_rows,
        "masking": masking_rows,
    }
    rows = [{**common(spec), **row} for row in makers[spec.kind](spec)]
    arrays = playground_arrays(spec) if spec.kind == "playground" else {}
    columns = {"playground": PLAYGROUND_COLUMNS, "accuracy": ("estimator",)}
    extra = {**columns, "masking": ("variant", "other")}.get(spec.kind, ())
    return Result(
        table=make_table(rows, extra),
        arrays=arrays,
        notes=("Ranges from the card's histograms.",),
        spec_key=key_of(spec),
        version=__version__,
        samples=make_samples(by_image(spec)),
        provenance=made_by(spec),
    )


def made_by(spec: ExperimentSpec) -> Provenance:
    """The arithmetic that it was made in, of a made-up machine."""
    fast = spec.fast and spec.kind in FAST_KINDS
    return Provenance(
        version=__version__,
        code="0" * 16,
        libraries="{}",
        precision="bfloat16 gradients" if fast else "float32",
        threads=1,
        machine="made up",
        seconds=0.0,
    )


def layers_of(spec: ExperimentSpec) -> list[str]:
    """The made-up layers of a network."""
    return PLAIN_LAYERS if "/plain20/" in f"/{spec.model.id}/" else LAYERS


def by_image(spec: ExperimentSpec) -> Iterator[dict[str, Any]]:
    """The numbers by image, of the kinds that have them."""
    network = {name: common(spec)[name] for name in ("model", "weights", "weight_bits", "act_bits")}
    if spec.kind == "amplification":
        yield from distances_by_image(spec, network)
    elif spec.kind == "accuracy":
        yield from accuracy_samples(spec, network)
    elif spec.kind == "smallest_epsilon":
        yield from smallest_samples(spec, network)


def distances_by_image(spec: ExperimentSpec, network: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The made-up distances of twenty images at the last layer, and who is right on which."""
    right = {"clean_accuracy": 19, "robust_accuracy": 15 if spec.model.id.endswith("dq") else 5}
    for attack in (spec.attack.name, *(CONTROLS if spec.controls else ())):
        for epsilon in spec.attack.epsilons:
            distance = size(spec, attack, epsilon, len(LAYERS) - 1)
            place = {**network, "attack": attack, "epsilon": epsilon}
            numbers = {"metric": "relative_distance", "layer": layers_of(spec)[-1]}
            yield {**place, **numbers, "value": distance * np.linspace(0.8, 1.2, 20)}
            for metric, count in right.items():
                numbers = {"metric": metric, "layer": "network"}
                yield {**place, **numbers, "value": (np.arange(20) < count).astype(float)}


def common(spec: ExperimentSpec) -> dict[str, Any]:
    """The columns that all rows of a specification share."""
    model, _, weights = spec.model.label.rpartition("/")
    accurate = 0.2 if spec.quant.act_bits < COLLAPSED_BELOW else 0.93
    return {
        "model": model,
        "weights": weights,
        "weight_bits": spec.quant.weight_bits,
        "act_bits": spec.quant.act_bits,
        "clean_accuracy": accurate,
        "clean_accuracy_full": 0.95,
        "data": spec.data.name,
        "n_samples": spec.data.n_samples,
        "seed": spec.data.seed,
        "crafted_on": "itself" if spec.crafted_on is None else spec.crafted_on.label,
        "calibration": "card",
        "version": __version__,
    }


def size(spec: ExperimentSpec, attack: str, epsilon: float, depth: int) -> float:
    """The made-up relative distance at a depth."""
    levels = epsilon * 255
    growth = 0.10 if spec.model.id.endswith("dq") else 0.16
    bits = 1 + 4 * 2.0 ** -min(spec.quant.act_bits, spec.quant.weight_bits, 16)
    kind = SIZES.get(attack) or CONTROL_SIZES[attack]
    kind *= 1 + 0.01 * spec.attack.steps * (attack in ("bim", "pgd"))
    samples = 1 + 0.02 * np.log2(spec.data.n_samples or 64) + 0.001 * spec.data.seed
    distance = 0.02 * kind * levels * bits * samples * np.exp(growth * depth)
    return float(distance / (1 + 0.6 * distance))


def spread(value: float) -> Iterator[tuple[str, float]]:
    """The five statistics of a made-up sample around a value."""
    yield from (("mean", value), ("median", 0.97 * value))
    yield from (("q10", 0.7 * value), ("q90", 1.4 * value), ("nan_count", 0.0))


def amplification_rows(spec: ExperimentSpec) -> Iterator[dict[str, Any]]:
    """Every metric of an amplification."""
    attacks = (spec.attack.name, *(CONTROLS if spec.controls else ()))
    for attack in attacks:
        for epsilon in spec.attack.epsilons:
            for row in profile(spec, attack, epsilon):
                yield {"attack": attack, "epsilon": epsilon, **row}


def profile(spec: ExperimentSpec, attack: str, epsilon: float) -> Iterator[dict[str, Any]]:
    """All rows of one perturbation."""
    for depth, layer in enumerate([*layers_of(spec), "logits"]):
        distance = size(spec, attack, epsilon, depth)
        values = {
            "relative_distance": distance,
            "relative_distance_centred": 1.3 * distance,
            "amplification": distance / size(spec, attack, epsilon, 0),
            "sqnr_db": 60.0 - depth if spec.quant.is_full_precision else 28.0 - depth,
        }
        if layer != "logits":
            values |= quantizer_values(spec, distance)
        if spec.details:
            values["flip_contribution"] = 0.01 * depth - 0.5 * distance
        for metric, value in values.items():
            for statistic, number in spread(value):
                yield row_of(layer, depth, metric, statistic, number)
        for statistic, number in (("value", 0.6), ("low", 0.5), ("high", 0.7)):
            yield row_of(layer, depth, "failure_auc_amplification", statistic, number)
    yield from network_rows(spec, epsilon)


def quantizer_values(spec: ExperimentSpec, distance: float) -> dict[str, float]:
    """The metrics that only layers have."""
    gain = 1 + 2.0 ** -min(spec.quant.act_bits, 16)
    flips = min(0.9, distance * 2.0 ** (min(spec.quant.act_bits, 8) - 4))
    values = {"linear_gain": 1.1, "bucket_flip_rate": flips}
    values |= {
        "element_share_zero": 0.5,
        "element_share_inside": 0.48,
        "element_share_clipped": 0.02,
    }
    for suffix in ("", "_zero", "_inside", "_clipped", "_l1"):
        values[f"quantizer_noise_in{suffix}"] = 10 * distance
        values[f"quantizer_noise_out{suffix}"] = 10 * distance * gain
        values[f"quantizer_noise_predicted{suffix}"] = 10.2 * distance * gain
        values[f"quantizer_gain{suffix}"] = gain
    return values


def network_rows(spec: ExperimentSpec, epsilon: float) -> Iterator[dict[str, Any]]:
    """Accuracies, and how well amplification predicts failure."""
    levels = epsilon * 255
    numbers = {
        "clean_accuracy": 0.93,
        "robust_accuracy": 0.93 * float(np.exp(-0.35 * levels)),
        "failure_auc_amplification": 0.62,
        "failure_auc_margin": 0.81,
    }
    for metric, value in numbers.items():
        for statistic, number in (("value", value), ("low", value - 0.05), ("high", value + 0.05)):
            yield row_of("network", -1, metric, statistic, min(max(number, 0.0), 1.0))


def lipschitz_rows(spec: ExperimentSpec) -> Iterator[dict[str, Any]]:
    """Constants by layer and for the network."""
    scale = 0.6 if spec.model.id.endswith("dq") else 1.0
    for depth, layer in enumerate(layers_of(spec)):
        sigma = scale * (1.5 + 0.2 * depth)
        bounds = {"operator_norm": 2.1 * sigma, "operator_norm_folded": (0.8 + 0.3 * depth) * scale}
        yield row_of(layer, depth, "sigma_matrix", "value", sigma)
        yield row_of(layer, depth, "orthogonality_deviation", "value", sigma**2)
        for metric, value in bounds.items():
            yield row_of(layer, depth, metric, "lower", value)
            yield row_of(layer, depth, metric, "upper", 1.04 * value)
        for epsilon in spec.attack.epsilons:
            gain = (0.4 + 10 * epsilon) * bounds["operator_norm"]
            place = {"attack": spec.attack.name, "epsilon": epsilon}
            for statistic, number in spread(gain):
                yield place | row_of(layer, depth, "measured_gain", statistic, number)
        for index in range(16):
            value = sigma * 0.85**index
            yield row_of(layer, depth, "singular_value", str(index), value)
    for statistic, value in (("lower", 30.0 * scale), ("upper", 1e9 * scale)):
        yield row_of("network", -1, "lipschitz", statistic, value)
    for statistic, value in spread(1e-8 / scale):
        yield row_of("network", -1, "margin_over_lipschitz", statistic, value)


PLAYGROUND_COLUMNS = ("stage", "class", "class_index", "probability", "label", "predicted")


def playground_rows(spec: ExperimentSpec) -> Iterator[dict[str, Any]]:
    """Distances by layer, and probabilities of the classes before and after."""
    for epsilon in spec.attack.epsilons:
        yield from playground_rows_at(spec, epsilon)


def playground_rows_at(spec: ExperimentSpec, epsilon: float) -> Iterator[dict[str, Any]]:
    """The rows of one epsilon."""
    place = {"attack": spec.attack.name, "epsilon": epsilon}
    for depth, layer in enumerate([*layers_of(spec), "logits"]):
        distance = size(spec, spec.attack.name, epsilon, depth)
        yield place | row_of(layer, depth, "relative_distance", "value", distance)
    label, shift = playground_label(spec), min(0.9, size(spec, spec.attack.name, epsilon, 12))
    for stage, kept in (("clean", 0.95), ("adversarial", 0.95 * (1 - shift))):
        shares = np.full(10, (1 - kept) / 20)
        shares[label] += kept
        shares[(label + 1) % 10] += (1 - kept) / 2
        words = {"stage": stage, "label": str(label), "predicted": str(int(shares.argmax()))}
        for index, share in enumerate(shares):
            row = row_of("logits", len(LAYERS), "probability", stage, float(share))
            which = {"class": str(index), "class_index": index, "probability": float(share)}
            yield place | row | words | which


def playground_image(spec: ExperimentSpec) -> np.ndarray:
    """The image asked for, (3, 32, 32): the upload, or a pattern that says the sample."""
    if spec.image is not None:
        with Image.open(spec.image) as picture:
            return np.asarray(picture.resize((32, 32)), np.float32).transpose(2, 0, 1) / 255
    place = np.linspace(0, 1, 32, dtype=np.float32)
    return np.stack([np.outer(place, np.roll(place, 5 * c + spec.sample)) for c in range(3)])


def playground_label(spec: ExperimentSpec) -> int:
    """The sample's class, or a class that says how bright the upload is: 3 from 0.3 to 0.4."""
    return spec.sample % 10 if spec.image is None else int(9.99 * playground_image(spec).mean())


def playground_arrays(spec: ExperimentSpec) -> dict[str, np.ndarray]:
    """The images, and a picture of the noise for each layer asked for."""
    clean = playground_image(spec)
    arrays = {"clean": clean}
    for epsilon in spec.attack.epsilons:
        generator = np.random.default_rng(spec.sample)
        signs = generator.choice(np.float32([-1, 1]), (3, 32, 32))
        adversarial = np.clip(clean + np.float32(epsilon) * signs, 0, 1)
        arrays[array_name("perturbation", epsilon)] = adversarial - clean
        arrays[array_name("adversarial", epsilon)] = adversarial
        for layer in spec.layers:
            depth = layers_of(spec).index(layer)
            side = 32 >> max(0, (depth - 1) // 4)
            noise = generator.random((side, side), dtype=np.float32)
            distance = size(spec, spec.attack.name, epsilon, depth)
            arrays[array_name(f"difference/{layer}", epsilon)] = noise * distance
    return {name: np.float32(array) for name, array in arrays.items()}


def row_of(layer: str, depth: int, metric: str, statistic: str, value: float) -> dict[str, Any]:
    """One number with its place."""
    return {
        "layer": layer,
        "depth": depth,
        "metric": metric,
        "statistic": statistic,
        "value": value,
    }
