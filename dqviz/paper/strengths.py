"""The beta series: one network fine-tuned with each arm of the penalty at several strengths.

What the penalty's strength does to accuracy, to norms and to the noise. Beside it a network without
BatchNorm, trained with and without the penalty: there the kernel that it acts on is what is
applied. One seed, so no verdict: it is shown, and nothing is said of the method.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import pandas as pd

from dqviz.cards import Card, load_card, shipped_ids
from dqviz.charts.tidy import read_curves, select
from dqviz.experiments.result import Result
from dqviz.specs import AttackSpec, QuantSpec

from .networks import Network
from .plan import HEADLINE, STEPS, Part, Size, make_part

SERIES = "series"
ACCURACY, NOISE, NORMS = "accuracy", "noise", "norms"
_NAME = re.compile(r"(none|raw|folded|operator)-beta[0-9.e-]+")
_BARE = re.compile(r".*_nonorm/(vanilla|dq)")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Graded:
    """A network of the series: the arm, the strength and the weight decay it was trained with.

    `batch_norm` says whether it has any.
    """

    network: Network
    arm: str
    beta: float
    weight_decay: float
    batch_norm: bool = True


def series(ids: Iterable[str] | None = None) -> tuple[Graded, ...]:
    """The shipped networks of the series, by arm and rising strength.

    Args:
        ids: the networks to look at; None takes all that come with the package.

    Raises:
        CardError: for a card that cannot be read.
    """
    names = shipped_ids() if ids is None else ids
    own = [id for id in names if _NAME.match(id.rpartition("/")[2]) or _BARE.fullmatch(id)]
    found = [_graded(id, load_card(id)) for id in own]
    return tuple(
        sorted(
            found, key=lambda g: (not g.batch_norm, g.arm != "none", g.arm, g.beta, g.weight_decay)
        )
    )


def _graded(id: str, card: Card) -> Graded:
    network = Network(id=id, method=card.penalty["arm"], training="", seed=0, quant=QuantSpec())
    return Graded(
        network=network,
        arm=str(card.penalty["arm"]),
        beta=float(card.penalty["beta"]),
        weight_decay=float(card.recipe.get("weight_decay", 0.0)),
        batch_norm=_BARE.fullmatch(id) is None,
    )


def series_plan(graded: Sequence[Graded], size: Size) -> list[Part]:
    """Accuracy under PGD, noise under FGSM, and norms, of every network at full precision."""
    return [part for member in graded if size.graded for part in _parts(member.network, size)]


def _parts(network: Network, size: Size) -> Iterator[Part]:
    pgd = AttackSpec(name="pgd", epsilons=(HEADLINE,), steps=STEPS)
    fgsm = AttackSpec(name="fgsm", epsilons=(HEADLINE,))
    for label, kind, attack, n_samples in (
        (ACCURACY, "accuracy", pgd, size.graded),
        (NOISE, "amplification", fgsm, size.amplification),
        (NORMS, "lipschitz", fgsm, None),
    ):
        yield make_part(SERIES, network, kind, attack, n_samples, label=label)


def series_table(graded: Sequence[Graded], results: Mapping[Part, Result]) -> pd.DataFrame:
    """One row a network whose results are all there.

    Columns `network, arm, beta, weight_decay, batch_norm, clean, robust` (percent, with `_low` and
    `_high` of Wilson's 95 % interval), `raw_norm` and `folded_norm` (the largest over the layers:
    the raw kernel's largest singular value, and the upper bound of the operator norm, BatchNorm
    folded in where there is any) and `amplification` (centred, the median at the input of the last
    layer).
    """
    found = {
        (part.network.id, part.label): result
        for part, result in results.items()
        if part.experiment == SERIES
    }
    rows = []
    for member in graded:
        own = [found.get((member.network.id, label)) for label in (ACCURACY, NOISE, NORMS)]
        accuracy, noise, norms = own
        if accuracy is None or noise is None or norms is None:
            continue
        rows.append(
            {
                "network": member.network.id,
                "arm": member.arm,
                "beta": member.beta,
                "weight_decay": member.weight_decay,
                "batch_norm": member.batch_norm,
                **_shares(accuracy, "clean", "clean_accuracy"),
                **_shares(accuracy, "robust", "robust_accuracy"),
                "raw_norm": _largest(norms, "sigma_matrix"),
                "folded_norm": _largest(
                    norms, "operator_norm_folded" if member.batch_norm else "operator_norm"
                ),
                "amplification": _last(noise),
            }
        )
    return pd.DataFrame(rows)


def _shares(result: Result, name: str, metric: str) -> dict[str, float]:
    rows = result.table[result.table["metric"] == metric]
    told = dict(zip(rows["statistic"], rows["value"], strict=True))
    return {
        name: 100 * told["value"],
        f"{name}_low": 100 * told["low"],
        f"{name}_high": 100 * told["high"],
    }


def _largest(result: Result, metric: str) -> float:
    rows = result.table[(result.table["metric"] == metric) & (result.table["statistic"] == "upper")]
    return float(rows["value"].max())


def _last(result: Result) -> float:
    """The centred amplification's median at the input of the last layer."""
    rows = select(result.table, "amplification_centred", epsilon=HEADLINE)
    curve = next(curve for curve in read_curves(rows) if not curve.is_control)
    inner = [layer for layer in curve.layers if layer != "logits"]
    return curve.values("median")[curve.layers.index(inner[-1])]
