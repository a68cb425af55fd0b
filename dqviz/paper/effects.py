"""How large an effect is, pair by pair of trained networks: numbers out of the experiments' rows.

Two networks are compared on the same images. What is said of attacks is said of the images that
both classify correctly unattacked, since their clean accuracies differ.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import pandas as pd

from dqviz.charts.paired import paired_ratio
from dqviz.charts.tidy import Curve, read_curves, same_epsilon, select
from dqviz.experiments.result import Result
from dqviz.proportions import paired_of

from .accuracy import accuracy_of
from .networks import Network
from .plan import AMPLIFICATION, Part

Evidence = Mapping[tuple[str, str, str], Result]
"""Results by (experiment, the network's id, label)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Effect:
    """One pair's effect: a difference in points, or the natural logarithm of a ratio.

    `low` and `high` are its 95 % interval over the images, NaN where there is none; `n` counts
    these. `networks` are what it was measured on.
    """

    unit: str
    seed: int
    value: float
    networks: tuple[str, ...]
    low: float = math.nan
    high: float = math.nan
    n: int = 0


def evidence(parts: Sequence[Part], results: Mapping[Part, Result]) -> Evidence:
    """The results there are, as effects look them up."""
    return {
        (part.experiment, part.network.id, part.label): results[part]
        for part in parts
        if part in results
    }


def success_difference(
    found: Evidence,
    one: Network,
    other: Network,
    *,
    experiment: str,
    label: str,
    epsilon: float,
    against: tuple[str, str] | None = None,
) -> Effect | None:
    """How much more often an attack flips one network than another, in points.

    Over the images that both classify correctly unattacked; the interval is Newcombe's. `against`
    is the other's experiment and label where they differ from the one's.
    """
    asked = ((one, experiment, label), (other, *(against or (experiment, label))))
    results = [found.get((name, network.id, text)) for network, name, text in asked]
    if None in results:
        return None
    right = [
        right_by_image(result, metric, epsilon)
        for metric in ("clean_accuracy", "robust_accuracy")
        for result in results
        if result is not None
    ]
    table = pd.concat(right, axis=1, join="inner", ignore_index=True)
    common = table[(table[0] > 0) & (table[1] > 0)]
    if common.empty:
        return None
    told = paired_of(common[2] == 0, common[3] == 0)  # flipped
    return Effect(
        unit=one.unit,
        seed=one.seed,
        value=100 * told.value,
        low=100 * told.low,
        high=100 * told.high,
        n=told.n,
        networks=tuple(dict.fromkeys((one.id, other.id))),
    )


def right_by_image(result: Result, metric: str, epsilon: float) -> pd.Series[float]:
    """Whether each image is classified correctly, 1 or 0, by its number."""
    rows = result.samples
    at = rows["epsilon"].map(lambda e: same_epsilon(float(e), epsilon))
    chosen = rows[at & (rows["metric"] == metric)]
    values: pd.Series[float] = chosen.set_index("image")["value"].astype(float)
    return values


def distance_ratio(
    found: Evidence, one: Network, other: Network, *, epsilon: float, attack: str | None = None
) -> Effect | None:
    """By which factor the last layer is moved further in one network than in another, as a log.

    The relative distance at the input of the last layer under FGSM crafted on each network itself,
    or under the control named `attack`; the geometric mean over the images, with Student's
    interval.
    """
    results = [found.get((AMPLIFICATION, network.id, "")) for network in (one, other)]
    if results[0] is None or results[1] is None:
        return None
    curves = [_curve(result, "relative_distance", epsilon, attack) for result in results if result]
    samples = pd.concat([result.samples for result in results if result])
    samples = samples[samples["epsilon"].map(lambda e: same_epsilon(float(e), epsilon))]
    layers = set(samples.loc[samples["metric"] == "relative_distance", "layer"])
    if len(layers) != 1:
        return None
    told = paired_ratio(samples, curves[0], curves[1], layers.pop(), "relative_distance")
    if told is None:
        return None
    low, high = math.log(told.low), math.log(told.high)
    return Effect(
        unit=one.unit,
        seed=one.seed,
        value=math.log(told.value),
        low=low,
        high=high,
        n=told.n,
        networks=(one.id, other.id),
    )


def _curve(result: Result, metric: str, epsilon: float, attack: str | None = None) -> Curve:
    """A metric's curve, layer by layer, of the attack itself or of the control of that name."""
    curves = read_curves(select(result.table, metric, epsilon=epsilon))
    if attack is None:
        return next(curve for curve in curves if not curve.is_control)
    return next(curve for curve in curves if curve.attack == attack)


def amplification(found: Evidence, network: Network, *, epsilon: float) -> Effect | None:
    """By which factor the noise has grown at the input of the last layer, as a log.

    The median of the centred relative distance over that of the normalised image.
    """
    result = found.get((AMPLIFICATION, network.id, ""))
    if result is None:
        return None
    curve = _curve(result, "amplification_centred", epsilon)
    inner = [layer for layer in curve.layers if layer != "logits"]
    value = curve.values("median")[curve.layers.index(inner[-1])]
    return _of_one(network, math.log(value)) if value > 0 else None


def quantizer_gain(found: Evidence, network: Network, *, epsilon: float) -> Effect | None:
    """By which factor a quantizer enlarges the noise, as a log: the median over the layers."""
    result = found.get((AMPLIFICATION, network.id, ""))
    if result is None:
        return None
    gains = [g for g in _curve(result, "quantizer_gain", epsilon).values("median") if g > 0]
    return _of_one(network, math.log(pd.Series(gains).median())) if gains else None


def flips_ratio(found: Evidence, network: Network, *, epsilon: float) -> Effect | None:
    """By which factor bucket flips enlarge the distance at the logits, as a log.

    The median distance of the real run over that with all codes frozen at the clean image.
    """
    result = found.get((AMPLIFICATION, network.id, ""))
    if result is None:
        return None
    real = _curve(result, "relative_distance", epsilon)
    extra = _curve(result, "flip_contribution", epsilon)
    whole, added = (c.values("median")[c.layers.index("logits")] for c in (real, extra))
    return _of_one(network, math.log(whole / (whole - added))) if whole > max(added, 0) else None


def failure_area(found: Evidence, network: Network, *, epsilon: float) -> Effect | None:
    """How much better than a coin amplification ranks the images that flip, in points of AUC."""
    result = found.get((AMPLIFICATION, network.id, ""))
    if result is None:
        return None
    rows = select(result.table, "failure_auc_amplification", epsilon=epsilon)
    rows = rows[(rows["layer"] == "network") & (rows["attack"] == "fgsm")]
    told = dict(zip(rows["statistic"], rows["value"], strict=True))
    if not math.isfinite(told.get("value", math.nan)):
        return None
    value, low, high = (100 * (told[name] - 0.5) for name in ("value", "low", "high"))
    n = int(rows["n_samples"].iloc[0])
    return Effect(
        unit=network.unit,
        seed=network.seed,
        value=value,
        low=low,
        high=high,
        n=n,
        networks=(network.id,),
    )


def clean_difference(one: Network, other: Network) -> Effect | None:
    """Clean accuracy of one minus that of another in points, on all test images of their cards."""
    told = [accuracy_of(network) for network in (one, other)]
    if not all("value" in card for card in told):
        return None
    value = 100 * (told[0]["value"] - told[1]["value"])
    n = int(told[0].get("n", 0))
    return Effect(unit=one.unit, seed=one.seed, value=value, n=n, networks=(one.id, other.id))


def cost_ratio(
    found: Evidence, one: Network, other: Network, *, experiment: str, label: str
) -> Effect | None:
    """Bit operations of one over those of another for one image, as a log."""
    results = [found.get((experiment, network.id, label)) for network in (one, other)]
    if None in results:
        return None
    costs = [
        float(rows.loc[rows["metric"] == "bit_operations", "value"].iloc[0])
        for rows in (result.table for result in results if result is not None)
    ]
    return Effect(
        unit=one.unit,
        seed=one.seed,
        value=math.log(costs[0] / costs[1]),
        networks=(one.id, other.id),
    )


def _of_one(network: Network, value: float) -> Effect:
    return Effect(unit=network.unit, seed=network.seed, value=value, networks=(network.id,))
