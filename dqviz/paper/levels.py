"""The numbers behind the claims: one row for each network, measure, attack and epsilon.

A claim is a difference; these are what it is a difference of, to be drawn against the bits.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from dqviz.experiments.result import Result
from dqviz.proportions import wilson
from dqviz.specs import CORRUPTIONS

from .accuracy import accuracy_of, collapsed
from .corrupted import PREFIX
from .effects import Effect, evidence, flips_ratio, quantizer_gain, right_by_image
from .networks import Network
from .plan import (
    ADVERSARIAL,
    AMPLIFICATION,
    CORRUPTED,
    OTHER_BITS,
    ROBUST,
    SQUARE,
    SQUEEZED,
    STRONGEST,
    TRANSFER,
    VERDICTS_ATTACK,
    Part,
)

COLUMNS = (
    *("measure", "network", "family", "method", "seed", "act_bits", "attack", "epsilon"),
    *("value", "low", "high", "n", "collapsed"),
)
SUCCESS = "attack_success"
GAIN, FLIPS, FAILURE = "quantizer_gain", "flips_ratio", "failure_auc"
DISTANCES = ("relative_distance", "amplification", "amplification_centred")
COSTS = ("bit_operations", "parameters", "weight_bytes")
ALL_CORRUPTIONS = "all five"
CARRIED, CARRIED_BITS = "transfer", "transfer from other bits"
"""What perturbations crafted on another network are called beside the attacks."""

COMPARED = (ROBUST, STRONGEST, TRANSFER, SQUARE)
"""The experiments whose networks are compared on the images that all of them classify correctly."""

APART = {SQUEEZED: ", squeezed", ADVERSARIAL: ", R+FGSM"}
"""What is added to the method where the experiment changes the network or its training."""


def level_table(parts: Sequence[Part], results: Mapping[Part, Result]) -> pd.DataFrame:
    """One row for each network, measure, attack and epsilon that there is a result of.

    Columns `COLUMNS`. Accuracies and successes are percent, with Wilson's 95 % interval over `n`
    images; distances are medians over the images at the input of the last layer. `attack_success`
    is counted on the images that all networks of the family classify correctly unattacked, and not
    told of those that have collapsed: see `dqviz.paper.accuracy`.

    Args:
        parts: of the plan; those without a result are left out.
        results: by part.
    """
    there = [part for part in parts if part in results]
    rows: list[dict[str, Any]] = []
    networks = dict.fromkeys(part.network for part in there if part.experiment == ROBUST)
    gone = collapsed(networks)
    for network in networks:
        rows += _clean(network)
    for part in there:
        rows += [{**_named(part.network), **row} for row in _of_part(part, results[part])]
    rows += _successes([part for part in there if part.network.id not in gone], results)
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.assign(collapsed=table["network"].isin(gone))


def _named(network: Network) -> dict[str, Any]:
    return {
        "network": network.id,
        "family": network.family,
        "method": network.method,
        "seed": network.seed,
        "act_bits": network.bits,
    }


def _clean(network: Network) -> Iterator[dict[str, Any]]:
    """Clean accuracy on all test images, from the network's card."""
    told = accuracy_of(network)
    if "value" in told:
        share = {"measure": "clean_accuracy", **_ends(told, 100.0), "n": told.get("n")}
        yield {**_named(network), **share}


def _ends(told: Mapping[str, float], factor: float = 1.0) -> dict[str, float]:
    """A number and its interval, as far as they are told."""
    return {name: factor * told[name] for name in ("value", "low", "high") if name in told}


def _of_part(part: Part, result: Result) -> Iterator[dict[str, Any]]:
    if part.experiment == AMPLIFICATION:
        yield from _noise(part, result)
    elif part.experiment == CORRUPTED:
        yield from _corrupted(result)
    elif part.experiment in (*COMPARED, *APART):
        for row in _under_attack(part, result):
            yield {**row, "method": part.network.method + APART.get(part.experiment, "")}
        if (part.experiment, part.label) == (ROBUST, VERDICTS_ATTACK):
            yield from _costs(result)


def _attack(part: Part) -> str:
    """What the attack is called: by its name, or by where its perturbations come from."""
    if part.experiment == TRANSFER:
        return CARRIED_BITS if part.label == OTHER_BITS else CARRIED
    return part.spec.attack.name


def _under_attack(part: Part, result: Result) -> Iterator[dict[str, Any]]:
    rows = result.table[result.table["metric"] == "robust_accuracy"]
    for epsilon, own in rows.groupby("epsilon"):
        told = dict(zip(own["statistic"], own["value"], strict=True))
        yield {
            "measure": "robust_accuracy",
            "attack": _attack(part),
            "epsilon": epsilon,
            **_ends(told, 100.0),
            "n": own["n_samples"].iloc[0],
        }


def _costs(result: Result) -> Iterator[dict[str, Any]]:
    table = result.table.drop_duplicates(["metric", "statistic"])
    for metric, value in zip(table["metric"], table["value"], strict=True):
        if metric in COSTS:
            yield {"measure": metric, "value": value}


def _noise(part: Part, result: Result) -> Iterator[dict[str, Any]]:
    """Distances at the input of the last layer, and what the quantizers do."""
    table = result.table
    inner = table[table["metric"].isin(DISTANCES) & (table["statistic"] == "median")]
    inner = inner[inner["layer"] != "logits"]
    for _, row in inner[inner["depth"] == inner["depth"].max()].iterrows():
        yield _measured(row, str(row["metric"]), str(row["attack"]))
    whole = table[(table["layer"] == "network") & (table["attack"] == part.spec.attack.name)]
    for metric, by in (
        ("failure_auc_amplification", "amplification"),
        ("failure_auc_margin", "margin"),
    ):
        for epsilon, own in whole[whole["metric"] == metric].groupby("epsilon"):
            told = dict(zip(own["statistic"], own["value"], strict=True))
            n = own["n_samples"].iloc[0]
            yield {"measure": FAILURE, "attack": by, "epsilon": epsilon, **_ends(told), "n": n}
    if part.network.training:
        yield from _quantizers(part, result)


def _measured(row: pd.Series[Any], measure: str, attack: str) -> dict[str, Any]:
    told = {name: row[name] for name in ("epsilon", "value")}
    return {"measure": measure, "attack": attack, **told, "n": row["n_samples"]}


def _quantizers(part: Part, result: Result) -> Iterator[dict[str, Any]]:
    found = evidence([part], {part: result})
    measured: dict[str, Callable[..., Effect | None]] = {GAIN: quantizer_gain, FLIPS: flips_ratio}
    for measure, effect in measured.items():
        for epsilon in part.spec.attack.epsilons:
            told = effect(found, part.network, epsilon=epsilon)
            if told is not None:
                attack = part.spec.attack.name
                value = math.exp(told.value)
                yield {"measure": measure, "attack": attack, "epsilon": epsilon, "value": value}


def _corrupted(result: Result) -> Iterator[dict[str, Any]]:
    """Accuracy under each corruption and under all, the mean over the severities."""
    table = result.table
    rows = table[table["metric"].str.startswith(PREFIX) & (table["statistic"] == "value")]
    means = rows.groupby("attack")["value"].mean()
    named = {name: means[name] for name in CORRUPTIONS if name in means}
    for name, value in {**named, ALL_CORRUPTIONS: means.mean()}.items():
        n = rows["n_samples"].iloc[0]
        yield {"measure": "corrupted_accuracy", "attack": name, "value": 100 * value, "n": n}


def _successes(parts: Sequence[Part], results: Mapping[Part, Result]) -> Iterator[dict[str, Any]]:
    """How often each attack flips, of the images that all networks of a family are right on."""
    groups: dict[tuple[str, str], list[Part]] = defaultdict(list)
    for part in parts:
        if part.experiment in COMPARED:
            groups[part.network.family, _attack(part)].append(part)
    for (_, attack), own in groups.items():
        epsilons = own[0].spec.attack.epsilons  # the plan asks the same of all
        clean = [right_by_image(results[part], "clean_accuracy", epsilons[0]) for part in own]
        right = pd.concat(clean, axis=1, join="inner").min(axis=1) > 0
        common = right.index[right]
        if common.empty:
            continue
        for epsilon, part in itertools.product(epsilons, own):
            robust = right_by_image(results[part], "robust_accuracy", epsilon)
            share = wilson(int((robust.loc[common] == 0).sum()), len(common))
            yield {
                **_named(part.network),
                "measure": SUCCESS,
                "attack": attack,
                "epsilon": epsilon,
                **_ends(dataclasses.asdict(share), 100.0),
                "n": share.n,
            }
