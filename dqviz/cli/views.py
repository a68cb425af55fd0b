"""The readable table of each experiment: medians by layer, bounds by layer, accuracies."""

from __future__ import annotations

import math

import pandas as pd

from dqviz.experiments import Result

from .output import format_table

AMPLIFICATION = {
    "distance": ("relative_distance", "median"),
    "centred": ("relative_distance_centred", "median"),
    "times input": ("amplification", "median"),
    "gain": ("quantizer_gain", "median"),
    "flips": ("bucket_flip_rate", "median"),
    "flips add": ("flip_contribution", "median"),
    "predicts failure": ("failure_auc_amplification", "value"),
    "linear gain": ("linear_gain", "median"),
    "SQNR dB": ("sqnr_db", "median"),
}
LIPSCHITZ = {
    "sigma": ("sigma_matrix", "upper"),
    "operator norm from": ("operator_norm", "lower"),
    "to": ("operator_norm", "upper"),
    "folded from": ("operator_norm_folded", "lower"),
    "to ": ("operator_norm_folded", "upper"),
    "deviation": ("orthogonality_deviation", "value"),
}
GAINS = {"measured gain": ("measured_gain", "median"), "largest": ("measured_gain", "max")}
COSTS = {
    "parameters": "parameters",
    "weight_bytes": "bytes of weights",
    "macs": "multiply-accumulates an image",
    "bit_operations": "bit operations an image",
}
BREAKER_TITLES = {
    "none": "nothing",
    "clean": "wrong before",
    "apgd_ce": "APGD-CE",
    "apgd_dlr": "APGD-DLR",
    "square": "Square",
}
Columns = dict[str, tuple[str, str]]


def heading(result: Result) -> str:
    """Which network, images and calibration the numbers are of."""
    first = result.table.iloc[0]
    parts = [
        f"{first['model']}/{first['weights']}",
        f"weights {_bits(first['weight_bits'])}, activations {_bits(first['act_bits'])}",
    ]
    if not pd.isna(first["n_samples"]):
        parts.append(f"{first['n_samples']} images of {first['data']}")
    if not pd.isna(first["clean_accuracy"]):
        full = 100 * float(first["clean_accuracy_full"])
        clean = 100 * float(first["clean_accuracy"])
        parts.append(f"clean accuracy {clean:.1f} % (full precision {full:.1f} %)")
    return "\n".join([*parts, *result.notes])


def _bits(bits: int) -> str:
    return "full precision" if bits == 32 else f"{bits} bit"


def amplification_view(result: Result) -> str:
    """For each perturbation the medians over the images, layer by layer."""
    blocks = [heading(result)]
    for _, rows in result.table.groupby(["attack", "epsilon"], sort=False):
        attack, epsilon = str(rows["attack"].iloc[0]), float(rows["epsilon"].iloc[0])
        accuracy = _network_value(rows, "robust_accuracy")
        title = f"{attack} at {epsilon * 255:.4g}/255: accuracy {100 * accuracy:.1f} %; medians"
        blocks.append(f"{title}\n{by_layer(rows, AMPLIFICATION)}{_failure(rows)}")
    return "\n\n".join(blocks)


def _failure(rows: pd.DataFrame) -> str:
    """How well failure is predicted, as areas under the curve, where that was measured."""
    titles = {"failure_auc_amplification": "amplification", "failure_auc_margin": "clean margin"}
    areas = [
        f"{title} {area:.3f}"
        for metric, title in titles.items()
        if not math.isnan(area := _network_value(rows, metric))
    ]
    return f"\npredicting failure, area under the curve: {', '.join(areas)}" if areas else ""


def lipschitz_view(result: Result) -> str:
    """The constants layer by layer, the gains at every epsilon, then what the network has."""
    network = result.table[result.table["layer"] == "network"]
    lines = [
        f"{row['metric']} {row['statistic']}: {_or_none(row['value'], result, row['statistic'])}"
        for row in network.to_dict(orient="records")
    ]
    gains = result.table[result.table["metric"] == "measured_gain"]
    by_epsilon = [
        f"measured gains by layer, {rows['attack'].iloc[0]} at "
        f"{float(rows['epsilon'].iloc[0]) * 255:.4g}/255\n{by_layer(rows, GAINS)}"
        for _, rows in gains.groupby(["attack", "epsilon"], sort=False)
    ]
    parts = [heading(result), by_layer(result.table, LIPSCHITZ), *by_epsilon, "\n".join(lines)]
    return "\n\n".join(part for part in parts if part)


def _or_none(value: float, result: Result, statistic: str) -> str:
    """The number, or that there is none and why: without an upper bound there is no margin."""
    if math.isfinite(value):
        return f"{value:.4g}"
    reason = result.reasons.get(statistic) or result.reasons.get("upper")
    return f"none ({reason})" if reason else "none"


def accuracy_view(result: Result) -> str:
    """What the network costs; one line an epsilon and accuracy, with its 95 % interval."""
    is_share = result.table["metric"].str.contains("accuracy")
    table = (
        result.table[is_share]
        .pivot_table(index=["epsilon", "metric"], columns="statistic", values="value", sort=False)
        .reset_index()
    )
    lines = [
        {
            "attack": result.table["attack"].iloc[0],
            "epsilon": f"{row['epsilon'] * 255:.4g}/255",
            "accuracy": row["metric"],
            "percent": 100 * row["value"],
            "95 % from": 100 * row["low"],
            "to": 100 * row["high"],
        }
        for row in table.to_dict(orient="records")
    ]
    table_text = format_table(lines, list(lines[0]))
    return f"{heading(result)}\n{_costs(result)}\n\n{table_text}{_broken_by(result)}"


def _broken_by(result: Result) -> str:
    """How many images each attack of an ensemble broke, at every epsilon; empty for others."""
    rows = result.table[result.table["metric"] == "broken_by"]
    if rows.empty:
        return ""
    lines = [
        {
            "broken by, in percent": f"{float(own['epsilon'].iloc[0]) * 255:.4g}/255",
            **{
                BREAKER_TITLES[name]: 100 * value
                for name, value in zip(own["statistic"], own["value"], strict=True)
            },
        }
        for _, own in rows.groupby("epsilon", sort=False)
    ]
    return f"\n\n{format_table(lines, list(lines[0]))}"


def corruption_view(result: Result) -> str:
    """Clean accuracy, then one line a corruption and severity, with its 95 % interval."""
    rows = result.table[result.table["metric"].str.startswith("corrupted_accuracy_")]
    table = rows.pivot_table(
        index=["attack", "metric"], columns="statistic", values="value", sort=False
    ).reset_index()
    lines = [
        {
            "corruption": row["attack"],
            "severity": row["metric"].rpartition("_")[2],
            "percent": 100 * row["value"],
            "95 % from": 100 * row["low"],
            "to": 100 * row["high"],
        }
        for row in table.to_dict(orient="records")
    ]
    return f"{heading(result)}\n\n{format_table(lines, list(lines[0]))}"


def smallest_view(result: Result) -> str:
    """The distribution of the smallest epsilons, in grey levels, and who was never flipped."""
    bound = float(result.table["epsilon"].iloc[0])
    values = result.table.set_index(["metric", "statistic"])["value"]
    titles = {"q10": "10 %", "q25": "25 %", "median": "median", "q75": "75 %", "q90": "90 %"}
    titles |= {"low": "median from", "high": "to"}
    line = {
        title: _level(float(values["smallest_epsilon", name]), bound)
        for name, title in titles.items()
    }
    never = [100 * float(values["never_flipped", part]) for part in ("value", "low", "high")]
    attack = result.table["attack"].iloc[0]
    return (
        f"{heading(result)}\n\nsmallest epsilon that {attack} finds, in 1/255, with the median's "
        f"95 % interval\n{format_table([line], list(line))}\n\n"
        f"not flipped within {bound * 255:.4g}/255: {never[0]:.1f} % "
        f"(95 % from {never[1]:.1f} to {never[2]:.1f})"
    )


def _level(epsilon: float, bound: float) -> str:
    """An epsilon in grey levels, or that it lies above the search's bound."""
    return f"{epsilon * 255:.3g}" if math.isfinite(epsilon) else f"> {bound * 255:.4g}"


def _costs(result: Result) -> str:
    values = {metric: _network_value(result.table, metric) for metric in COSTS}
    return ", ".join(f"{values[metric]:,.0f} {words}" for metric, words in COSTS.items())


def by_layer(rows: pd.DataFrame, columns: Columns) -> str:
    """One line a layer, in the order of execution; columns that are empty are left out."""
    layers = rows[rows["layer"] != "network"].sort_values("depth", kind="stable")["layer"].unique()
    values = {
        (layer, metric, statistic): value
        for layer, metric, statistic, value in zip(
            rows["layer"], rows["metric"], rows["statistic"], rows["value"], strict=True
        )
    }
    lines = [
        {"layer": layer, **{title: values.get((layer, *cell)) for title, cell in columns.items()}}
        for layer in layers
    ]
    filled = [title for title in columns if any(line[title] is not None for line in lines)]
    return format_table(lines, ["layer", *filled])


def _network_value(rows: pd.DataFrame, metric: str) -> float:
    chosen = rows[(rows["layer"] == "network") & (rows["metric"] == metric)]
    values = chosen[chosen["statistic"] == "value"]["value"]
    return math.nan if values.empty else float(values.iloc[0])
