"""The noise layer by layer, and what each quantizer does to it, as small tables to be drawn.

The experiments' own tables hold every statistic of every layer; these hold what the figures show.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from dqviz.charts.quantizer import ELEMENTS
from dqviz.charts.tidy import same_epsilon
from dqviz.experiments.result import Result

from .accuracy import collapsed
from .networks import FULL, VANILLA
from .plan import AMPLIFICATION, HEADLINE, Part
from .tables import records

LAYER_COLUMNS = (
    *("family", "method", "act_bits", "attack", "layer", "place"),
    *("amplification", "amplification_centred"),
)
QUANTIZER_COLUMNS = (
    *("family", "act_bits", "epsilon", "elements", "layer"),
    *("noise_in", "noise_out", "predicted", "noise_in_l1", "noise_out_l1"),
)


def layer_table(parts: Sequence[Part], results: Mapping[Part, Result]) -> pd.DataFrame:
    """Amplification by layer, plain and centred, under FGSM at 1/255 and the matched controls.

    Medians over the images, networks of the first seed but those that have collapsed; `place`
    counts layers from 1 in order of execution.
    """
    rows: list[dict[str, Any]] = []
    for part, table in _tables(parts, results):
        at = table["epsilon"].map(lambda e: same_epsilon(float(e), HEADLINE))
        wanted = table["metric"].isin(LAYER_COLUMNS[-2:]) & (table["statistic"] == "median")
        kept = table[at & wanted]
        wide = kept.pivot(index=["attack", "depth", "layer"], columns="metric", values="value")
        order = {layer: place for place, layer in enumerate(_in_order(kept), 1)}
        own = {
            "family": part.network.family,
            "method": part.network.method,
            "act_bits": part.network.bits,
        }
        rows += [
            {**own, **row, "place": order[row["layer"]]} for row in records(wide.reset_index())
        ]
    found = pd.DataFrame(rows, columns=list(LAYER_COLUMNS))
    return found.sort_values(["family", "method", "act_bits", "attack", "place"], kind="stable")


def _in_order(rows: pd.DataFrame) -> list[str]:
    """The layers in order of execution; the logits come last."""
    depths = rows.drop_duplicates("layer").assign(last=lambda t: t["layer"] == "logits")
    return depths.sort_values(["last", "depth"])["layer"].tolist()


def quantizer_table(parts: Sequence[Part], results: Mapping[Part, Result]) -> pd.DataFrame:
    """Noise before and after each quantizer of the vanilla networks, and the prediction.

    Networks of the first seed but those that have collapsed.

    Under FGSM, medians over the images, relative to the length of the quantizer's input in L2, and
    in L1 where the column says so; `elements` are those of `dqviz.charts.quantizer.ELEMENTS`. Rows
    without any noise are left out.
    """
    rows = [
        row
        for part, table in _tables(parts, results)
        if part.network.training != FULL and part.network.method == VANILLA
        for row in _of_quantizers(part, table)
    ]
    return pd.DataFrame(rows, columns=list(QUANTIZER_COLUMNS))


def _of_quantizers(part: Part, table: pd.DataFrame) -> Iterator[dict[str, Any]]:
    own = {"family": part.network.family, "act_bits": part.network.bits}
    noisy = table[
        table["metric"].str.startswith("quantizer_noise_")
        & (table["statistic"] == "median")
        & (table["attack"] == part.spec.attack.name)
    ]
    wide = noisy.pivot(index=["epsilon", "depth", "layer"], columns="metric", values="value")
    for row in records(wide.reset_index()):
        for elements in ELEMENTS:
            told = {name: float(row[metric]) for name, metric in _noises(elements).items()}
            if told["noise_in"] > 0:
                place = {"epsilon": row["epsilon"], "elements": elements, "layer": row["layer"]}
                yield {**own, **place, **told}


def _noises(elements: str) -> dict[str, str]:
    """The metric of each column for such elements."""
    suffix = "" if elements == "all" else f"_{elements}"
    return {
        "noise_in": f"quantizer_noise_in{suffix}",
        "noise_out": f"quantizer_noise_out{suffix}",
        "predicted": f"quantizer_noise_predicted{suffix}",
        "noise_in_l1": f"quantizer_noise_in{suffix}_l1",
        "noise_out_l1": f"quantizer_noise_out{suffix}_l1",
    }


def _tables(
    parts: Sequence[Part], results: Mapping[Part, Result]
) -> Iterator[tuple[Part, pd.DataFrame]]:
    """The rows of every amplification of the first seed."""
    own = [part for part in parts if part.experiment == AMPLIFICATION and part in results]
    gone = collapsed(part.network for part in own)
    for part in own:
        if part.network.seed == 0 and part.network.id not in gone:
            yield part, results[part].table
