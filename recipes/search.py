"""The small search for the penalty: train the candidates, measure them on held-out images.

    python recipes/search.py cifar10 train [FIRST LAST]   # candidates FIRST to LAST, resumable
    python recipes/search.py cifar10 table                # measure, choose, write the table

The rule is in SEARCH.md beside this file.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pandas as pd
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from dqviz.attacks import FGSM
from dqviz.defense.recipe import Recipe, read_recipe
from dqviz.measure import accuracy, amplification, layer_norms
from dqviz.specs import DefenseSpec
from recipes.trials import data_of, train_runs, trained_run

HERE = Path(__file__).parent
BASES = {
    "cifar10": "cifar10-resnet20",
    "streetdigits": "streetdigits-resnet20",
    "nonorm": "streetdigits-plain20_nonorm",
}
"""What each search is for: data set and architecture."""
EPOCHS = {"cifar10": 3, "streetdigits": 2, "nonorm": 2}
RATES = {"cifar10": 0.2, "streetdigits": 0.2, "nonorm": 0.05}
"""The learning rate of the runs with a penalty."""
HOLD_OUT = 5000
ATTACKED = 1000
VANILLA = {
    "cifar10": ((5e-4, 0.2), (1e-4, 0.2), (1e-3, 0.2), (5e-4, 0.1)),
    "streetdigits": ((5e-4, 0.2), (1e-3, 0.2), (5e-4, 0.1)),
    "nonorm": ((5e-4, 0.05), (5e-4, 0.02), (5e-4, 0.1)),
}
"""Weight decay and learning rate of the runs without a penalty."""
PENALTIES = {
    "cifar10": (("folded", 1e-2), ("folded", 2e-3), ("raw", 2e-3), ("folded", 1e-3)),
    "streetdigits": (("folded", 1e-2), ("folded", 2e-3), ("raw", 2e-3)),
    "nonorm": (("raw", 1e-3), ("raw", 1e-2), ("raw", 1e-4)),
}
"""Arm and beta of the runs with one."""


def candidates(dataset: str) -> dict[str, Recipe]:
    """Every run of the search by its name."""
    base = read_recipe(HERE / f"{BASES[dataset]}-vanilla.toml")
    base = dataclasses.replace(
        base,
        epochs=EPOCHS[dataset],
        warmup_epochs=0.75,
        hold_out=HOLD_OUT,
        defense=DefenseSpec(),
        weight_decay=5e-4,
        learning_rate=RATES[dataset],
    )
    runs = {}
    for weight_decay, learning_rate in VANILLA[dataset]:
        name = f"vanilla-wd{weight_decay:g}-lr{learning_rate:g}"
        runs[name] = dataclasses.replace(
            base, weight_decay=weight_decay, learning_rate=learning_rate
        )
    for arm, beta in PENALTIES[dataset]:
        defense = DefenseSpec(arm=arm, beta=beta)
        runs[f"dq-{arm}-{beta:g}"] = dataclasses.replace(base, defense=defense)
    return runs


def table(dataset: str, folder: Path) -> None:
    """Measure every finished candidate on the held-out images, choose, and write the table."""
    runs = candidates(dataset)
    data = data_of(runs)
    images, labels = data.images[-HOLD_OUT:], data.labels[-HOLD_OUT:]
    rows = []
    for name, recipe in runs.items():
        model = trained_run(recipe, folder, name, len(data.classes))
        described = {
            "run": name,
            "arm": recipe.defense.arm,
            "beta": recipe.defense.beta,
            "weight_decay": recipe.weight_decay,
            "learning_rate": recipe.learning_rate,
            "epochs": recipe.epochs,
        }
        rows.append({**described, **measure(model, images, labels)})
        print(rows[-1], flush=True)
    frame = choose(pd.DataFrame(rows))
    frame.to_csv(HERE / f"search-{dataset}.csv", index=False, float_format="%.6g")
    print(frame.to_string(index=False))


def measure(model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
    """Clean accuracy on all images; amplification on the first thousand of them."""
    clean = accuracy(model, images, labels)
    some, theirs = images[:ATTACKED], labels[:ATTACKED]
    attack = FGSM(model, eps=1 / 255)
    batches = zip(some.split(100), theirs.split(100), strict=True)
    adversarial = torch.cat([attack(batch, labels) for batch, labels in batches])
    profile = amplification(model, some, adversarial)
    last = max(row.depth for row in profile if row.layer != "logits")
    found = {
        (row.layer == "logits", row.metric): row.value
        for row in profile
        if row.statistic == "median" and (row.layer == "logits" or row.depth == last)
    }
    upper = [row for row in layer_norms(model, (3, 32, 32)) if row.statistic == "upper"]
    norms = {  # of a layer without BatchNorm it is the operator norm itself
        row.layer: row.value
        for metric in ("operator_norm", "operator_norm_folded")
        for row in upper
        if row.metric == metric
    }
    return {
        "clean_accuracy": clean.value,
        "clean_low": clean.low,
        "clean_high": clean.high,
        "robust_accuracy_fgsm_1_255": accuracy(model, adversarial, theirs).value,
        "amplification_last_layer": found[False, "amplification"],
        "amplification_logits": found[True, "amplification"],
        "relative_distance_last_layer": found[False, "relative_distance"],
        "largest_folded_norm": max(norms.values()),
    }


def choose(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with the columns `eligible` and `chosen`, by the rule of SEARCH.md."""
    vanilla = frame[frame.arm == "none"]
    best = vanilla.loc[vanilla.clean_accuracy.idxmax()]
    penalties = frame[frame.arm != "none"]
    eligible = penalties[penalties.clean_accuracy >= best.clean_accuracy - 0.01]
    if eligible.empty:
        taken = penalties.clean_accuracy.idxmax()
    else:
        least = eligible.amplification_last_layer.min()
        near = eligible[eligible.amplification_last_layer < least * 1.02]
        smallest = near[near.beta == near.beta.min()]
        taken = smallest.amplification_last_layer.idxmin()
    marked = frame.assign(eligible=frame.index.isin(eligible.index), chosen=False)
    marked.loc[[best.name, taken], "chosen"] = True
    return marked


if __name__ == "__main__":
    dataset, what = sys.argv[1:3]
    folder = Path("runs") / f"search-{dataset}"
    folder.mkdir(parents=True, exist_ok=True)
    if what == "train":
        first, last = (int(text) for text in sys.argv[3:5] or ("0", "99"))
        train_runs(candidates(dataset), folder, first, last)
    elif what == "table":
        table(dataset, folder)
    else:
        sys.exit(f"say train or table; got {what!r}")
