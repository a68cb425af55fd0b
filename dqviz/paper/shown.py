"""Which numbers stand behind each claim: what is drawn against the bits on its card."""

from __future__ import annotations

import dataclasses

import pandas as pd

from dqviz.charts.tidy import ATTACK_NAMES, epsilon_text, same_epsilon
from dqviz.specs import CONTROLS

from .levels import ALL_CORRUPTIONS, CARRIED, CARRIED_BITS, FAILURE, FLIPS, GAIN, SUCCESS
from .networks import DQ, VANILLA
from .plan import ATTACKED_AT, BLACK_BOX, HEADLINE, SMALL, VERDICTS_ATTACK

FGSM, PGD = "fgsm", VERDICTS_ATTACK
WORDS = {
    DQ: "DQ",
    **ATTACK_NAMES,
    CARRIED: "from full precision",
    CARRIED_BITS: "from other bits",
    PGD: "PGD on itself",
    "amplification": "by amplification",
    "margin": "by clean margin",
}
"""What a curve is called, where it is not called as in the table."""


WHERE = {CARRIED: "PGD crafted on full precision"}
"""What an attack is called in a title, where that is longer."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shown:
    """Rows of `level_table`: a measure under these attacks, of these methods.

    Of several attacks each is a curve of its own, else each method is.
    """

    measure: str
    attacks: tuple[str, ...] = ()
    epsilon: float | None = None
    methods: tuple[str, ...] = (VANILLA, DQ)


def _success(attack: str, epsilon: float = HEADLINE) -> Shown:
    return Shown(measure=SUCCESS, attacks=(attack,), epsilon=epsilon)


def _noise(measure: str) -> Shown:
    return Shown(measure=measure, attacks=(FGSM,), epsilon=HEADLINE)


VANILLA_ONLY = (VANILLA,)
SHOWN = {
    "vulnerable": dataclasses.replace(_success(PGD), methods=VANILLA_ONLY),
    "grows": Shown(
        measure="amplification_centred",
        attacks=(FGSM, *CONTROLS),
        epsilon=HEADLINE,
        methods=VANILLA_ONLY,
    ),
    "enlarged": dataclasses.replace(_noise("relative_distance"), methods=VANILLA_ONLY),
    "threshold": Shown(measure=GAIN, attacks=(FGSM,), epsilon=SMALL, methods=VANILLA_ONLY),
    "flips": Shown(measure=FLIPS, attacks=(FGSM,), epsilon=HEADLINE, methods=VANILLA_ONLY),
    "failure": Shown(
        measure=FAILURE,
        attacks=("amplification", "margin"),
        epsilon=HEADLINE,
        methods=VANILLA_ONLY,
    ),
    "lowered": _noise("relative_distance"),
    "nonexpansive": _noise("amplification_centred"),
    "robust": _success(PGD),
    "strongest": _success("standard"),
    "beyond": _success(PGD),
    "transfer": _success(CARRIED, BLACK_BOX),
    "other_bits": Shown(
        measure=SUCCESS,
        attacks=(PGD, CARRIED_BITS),
        epsilon=BLACK_BOX,
        methods=VANILLA_ONLY,
    ),
    "square": _success("square", BLACK_BOX),
    "squeezing": Shown(
        measure="robust_accuracy",
        attacks=(PGD,),
        epsilon=HEADLINE,
        methods=(VANILLA, DQ, "vanilla, squeezed"),
    ),
    "adversarial": Shown(
        measure="robust_accuracy",
        attacks=(PGD,),
        epsilon=ATTACKED_AT,
        methods=("vanilla, R+FGSM", "dq, R+FGSM"),
    ),
    "clean": Shown(measure="clean_accuracy"),
    "cost": Shown(measure="bit_operations"),
    "enlarged_small": dataclasses.replace(
        _noise("relative_distance"), methods=VANILLA_ONLY, epsilon=SMALL
    ),
    "unaimed": Shown(
        measure="relative_distance",
        attacks=(FGSM, *CONTROLS),
        epsilon=HEADLINE,
        methods=VANILLA_ONLY,
    ),
    "corruptions": Shown(measure="corrupted_accuracy", attacks=(ALL_CORRUPTIONS,)),
}
"""By the claim's id."""


def shown_rows(table: pd.DataFrame, shown: Shown) -> pd.DataFrame:
    """The rows of `level_table` that are drawn, with the column `series`: which curve is whose."""
    if table.empty:
        return table
    rows = table[(table["measure"] == shown.measure) & table["method"].isin(shown.methods)]
    if shown.attacks:
        rows = rows[rows["attack"].isin(shown.attacks)]
    if (wanted := shown.epsilon) is not None:
        rows = rows[rows["epsilon"].map(lambda e: same_epsilon(float(e), wanted)).astype(bool)]
    names, order = (
        ("attack", shown.attacks) if len(shown.attacks) > 1 else ("method", shown.methods)
    )
    ordered = rows.assign(rank=rows[names].map(order.index)).sort_values("rank", kind="stable")
    return ordered.drop(columns="rank").assign(series=ordered[names].map(_word))


def where(shown: Shown) -> str:
    """The attack and epsilon in words: `PGD at 1/255`. A legend tells several attacks."""
    names = [WHERE.get(name, ATTACK_NAMES.get(name, name)) for name in shown.attacks]
    words = [names[0]] if len(names) == 1 and names[0] != ALL_CORRUPTIONS else []
    words += [] if shown.epsilon is None else [f"at {epsilon_text(shown.epsilon)}"]
    return " ".join(words)


def _word(name: str) -> str:
    method, _, more = name.partition(", ")
    return ", ".join(part for part in (WORDS.get(method, method), more) if part)
