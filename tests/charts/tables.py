"""Made-up tidy tables in the exact format of the experiments, for tests of charts and sentences."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

VANILLA = "streetdigits/resnet20/vanilla"
DQ = "streetdigits/resnet20/dq"
EPSILON = 1 / 255
SPREAD = {"mean": 1.05, "median": 1.0, "q10": 0.6, "q90": 1.7}


def layer_names(count: int = 20) -> list[str]:
    """Names like those of a CIFAR ResNet with `count` quantizable layers."""
    per_stage = max((count - 2) // 6, 1)
    blocks = [f"layer{s}.{b}.conv{c}" for s in (1, 2, 3) for b in range(per_stage) for c in (1, 2)]
    return ["conv1", *blocks, "linear"][:count]


def table(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """A tidy table; columns that all rows share are filled in."""
    common = {
        "model": "streetdigits/resnet20",
        "weights": "vanilla",
        "weight_bits": 32,
        "act_bits": 32,
        "attack": "fgsm",
        "epsilon": EPSILON,
        "clean_accuracy": 0.95,
        "clean_accuracy_full": 0.96,
        "data": "streetdigits",
        "n_samples": 64,
        "seed": 0,
        "crafted_on": "itself",
        "calibration": "card",
        "version": "0.1.0",
    }
    return pd.DataFrame([{**common, **row} for row in rows])


def of(network: str, **more: Any) -> dict[str, Any]:
    """The columns that name a network, and others."""
    model, _, weights = network.rpartition("/")
    return {"model": model, "weights": weights, **more}


def profile(
    network: str = VANILLA,
    *,
    metric: str = "relative_distance",
    values: Sequence[float] | None = None,
    layers: Sequence[str] | None = None,
    logits: bool = True,
    nan_count: float = 0.0,
    **more: Any,
) -> list[dict[str, Any]]:
    """One metric by layer: its median is `values`, or rises from 0.02 by a tenth a layer."""
    names = [*(layers or layer_names()), *(["logits"] if logits else [])]
    numbers = values or [0.02 * 1.1**i for i in range(len(names))]
    rows = []
    for depth, (layer, value) in enumerate(zip(names, numbers, strict=True)):
        place = {**of(network, **more), "layer": layer, "depth": depth, "metric": metric}
        for statistic, factor in SPREAD.items():
            rows.append({**place, "statistic": statistic, "value": factor * value})
        rows.append({**place, "statistic": "nan_count", "value": nan_count})
    return rows


def whole(
    network: str, metric: str, value: float, low: float, high: float, **more: Any
) -> list[dict[str, Any]]:
    """A number of the whole network with its interval."""
    place = {**of(network, **more), "layer": "network", "depth": -1, "metric": metric}
    parts = {"value": value, "low": low, "high": high}
    return [{**place, "statistic": s, "value": v} for s, v in parts.items()]


def bounds(network: str, metric: str, values: Sequence[float], **more: Any) -> list[dict[str, Any]]:
    """A norm by layer with `lower` and `upper`, the latter 4 % above."""
    rows = []
    for depth, (layer, value) in enumerate(zip(layer_names(len(values)), values, strict=True)):
        place = {**of(network, **more), "layer": layer, "depth": depth, "metric": metric}
        rows.append({**place, "statistic": "lower", "value": value})
        rows.append({**place, "statistic": "upper", "value": 1.04 * value})
    return rows


def amplification_table(
    networks: Sequence[str] = (VANILLA, DQ),
    *,
    bits: Sequence[tuple[int, int]] = ((32, 32), (8, 4)),
    epsilons: Sequence[float] = (EPSILON,),
    layers: int = 20,
    controls: bool = False,
) -> pd.DataFrame:
    """Everything that an amplification experiment measures, for several networks and bits."""
    attacks = ["fgsm", *(["random_signs", "gaussian", "other_image"] if controls else [])]
    return table(
        row
        for network in networks
        for w, a in bits
        for epsilon in epsilons
        for attack in attacks
        for row in _everything(network, w, a, epsilon, attack, layers)
    )


def _everything(
    network: str, w: int, a: int, epsilon: float, attack: str, layers: int
) -> Iterator[dict[str, Any]]:
    names = layer_names(layers)
    more = {"weight_bits": w, "act_bits": a, "epsilon": epsilon, "attack": attack, "layers": names}
    size = 255 * epsilon * (0.5 if attack != "fgsm" else 1.0) * (1 + 4 * 2.0 ** -min(a, 16))
    growth = 0.09 if network.endswith("dq") else 0.13
    base = [0.02 * size * math.exp(growth * i) for i in range(layers + 1)]
    yield from profile(network, values=base, **more)
    centred = [1.3 * v for v in base]
    yield from profile(network, metric="relative_distance_centred", values=centred, **more)
    yield from profile(network, metric="amplification", values=[v / base[0] for v in base], **more)
    sqnr = [30.0 - 0.5 * i for i in range(layers + 1)]
    yield from profile(network, metric="sqnr_db", values=sqnr, **more)
    inner = {**more, "logits": False}
    yield from profile(network, metric="linear_gain", values=[1.1] * layers, **inner)
    if a != 32:
        yield from _quantizer(network, base[:-1], inner)
        signs = [0.02 * math.sin(i) for i in range(layers + 1)]
        yield from profile(network, metric="flip_contribution", values=signs, **more)
    plain = {k: v for k, v in more.items() if k != "layers"}
    yield from whole(network, "clean_accuracy", 0.95, 0.90, 0.98, **plain)
    yield from whole(network, "robust_accuracy", 0.6, 0.48, 0.71, **plain)
    yield from whole(network, "failure_auc_amplification", 0.66, 0.55, 0.77, **plain)
    yield from whole(network, "failure_auc_margin", 0.83, 0.72, 0.92, **plain)
    for depth, layer in enumerate(names[1:], start=1):
        for row in whole(network, "failure_auc_amplification", 0.6, 0.5, 0.7, **plain):
            yield {**row, "layer": layer, "depth": depth}


def _quantizer(
    network: str, base: Sequence[float], more: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    for kind in ("", "_zero", "_inside", "_clipped"):
        for norm in ("", "_l1"):
            for name, factor in (("in", 1.0), ("out", 1.2), ("predicted", 1.18)):
                metric = f"quantizer_noise_{name}{kind}{norm}"
                yield from profile(
                    network, metric=metric, values=[factor * v for v in base], **more
                )
            gain = f"quantizer_gain{kind}{norm}"
            yield from profile(network, metric=gain, values=[1.2] * len(base), **more)
    for kind, share in (("zero", 0.55), ("inside", 0.43), ("clipped", 0.02)):
        name = f"element_share_{kind}"
        yield from profile(network, metric=name, values=[share] * len(base), **more)
    rate = [0.5 * v for v in base]
    yield from profile(network, metric="bucket_flip_rate", values=rate, **more)


def lipschitz_table(networks: Sequence[str] = (VANILLA, DQ), *, layers: int = 20) -> pd.DataFrame:
    """Everything that a Lipschitz experiment measures."""
    rows: list[dict[str, Any]] = []
    for network in networks:
        scale = 0.5 if network.endswith("dq") else 1.0
        raw = [scale * (4 + 0.3 * i) for i in range(layers)]
        folded = [scale * (1.5 + 0.1 * i * i) for i in range(layers)]
        for row in bounds(network, "operator_norm", [v / 2 for v in raw]):
            if row["statistic"] == "upper":
                rows.append({**row, "metric": "sigma_matrix", "statistic": "value"})
        rows += bounds(network, "operator_norm", raw)
        rows += bounds(network, "operator_norm_folded", folded)
        gains = [0.4 * v for v in raw]
        names = layer_names(layers)
        rows += profile(network, metric="measured_gain", values=gains, layers=names, logits=False)
        rows += [
            {
                **of(network),
                "layer": "conv1",
                "depth": 0,
                "metric": "singular_value",
                "statistic": str(k),
                "value": 2 * scale * 0.8**k,
            }
            for k in range(16)
        ]
        place = {**of(network), "layer": "network", "depth": -1}
        for statistic, value in (("lower", 20 * scale), ("upper", 1e8 * scale)):
            rows.append({**place, "metric": "lipschitz", "statistic": statistic, "value": value})
        for statistic, factor in SPREAD.items():
            value = factor * 3e-8 / scale
            rows.append(
                {**place, "metric": "margin_over_lipschitz", "statistic": statistic, "value": value}
            )
    made = table(rows)
    return made.assign(attack="", epsilon=np.nan)


def playground_table(
    networks: Sequence[str] = (VANILLA, DQ),
    *,
    bits: Sequence[tuple[int, int]] = ((32, 32), (8, 4)),
    classes: int = 10,
) -> pd.DataFrame:
    """Probabilities of one image: the clean one is class 3, the adversarial one class 8."""
    rows = []
    for network in networks:
        for w, a in bits:
            for stage, top in (("clean", 3), ("adversarial", 8)):
                for index in range(classes):
                    share = 0.7 if index == top else 0.3 / (classes - 1)
                    rows.append(
                        {
                            **of(network, weight_bits=w, act_bits=a),
                            "layer": "logits",
                            "depth": 20,
                            "metric": "probability",
                            "statistic": stage,
                            "value": share,
                            "stage": stage,
                            "class": str(index),
                            "class_index": index,
                            "probability": share,
                            "label": "3",
                            "predicted": str(top),
                        }
                    )
    return table(rows)
