"""The trial behind the adversarially trained networks: epsilon, and the share of a batch attacked.

    python recipes/trial_adversary.py train [FIRST LAST]   # runs FIRST to LAST, resumable
    python recipes/trial_adversary.py table                # measure, write trial-adversary.csv
    python recipes/trial_adversary.py networks             # the networks made: adversarial.csv

The rule is in ADVERSARIAL.md beside this file.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pandas as pd
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from dqviz.attacks import FGSM, PGD, RFGSM
from dqviz.cards import file_stem, shipped_ids
from dqviz.data import load_data
from dqviz.defense.adversary import Adversary
from dqviz.defense.recipe import Recipe, read_recipe
from dqviz.measure import accuracy
from dqviz.models import load_model
from recipes.trials import data_of, train_runs, trained_run

HERE = Path(__file__).parent
FOLDER = Path("runs") / "trial-adversary"
HOLD_OUT = 5000
TRAINED = 12800
ATTACKED = 300
TRIALS = ((8, 1.0), (8, 0.5))
"""Epsilon in pixel levels, and the share of every batch that is attacked."""


def candidates() -> dict[str, Recipe]:
    """Every run of the trial by its name."""
    base = read_recipe(HERE / "streetdigits-resnet20-vanilla.toml")
    base = dataclasses.replace(
        base,
        data=dataclasses.replace(base.data, n_samples=HOLD_OUT + TRAINED),
        start=base.id,
        epochs=1,
        learning_rate=0.05,
        warmup_epochs=0.25,
        weight_decay=5e-4,
        hold_out=HOLD_OUT,
    )
    runs = {}
    for level, share in TRIALS:
        adversary = Adversary(name="rfgsm", epsilon=level / 255, share=share)
        runs[f"rfgsm-{level}-share{share:g}"] = dataclasses.replace(base, adversary=adversary)
    return runs


def table() -> None:
    """Measure every finished run on held-out training images and write the table."""
    runs = candidates()
    data = data_of(runs)
    images, labels = data.images[-HOLD_OUT:], data.labels[-HOLD_OUT:]
    rows = []
    for name, recipe in runs.items():
        model = trained_run(recipe, FOLDER, name, len(data.classes))
        assert recipe.adversary is not None
        described = {"run": name, "epsilon_levels": round(255 * recipe.adversary.epsilon)}
        described |= {"share": recipe.adversary.share}
        found = measure(model, images, labels, epsilon=recipe.adversary.epsilon)
        rows.append({**described, **found})
        print(rows[-1], flush=True)
    frame = pd.DataFrame(rows)
    frame.to_csv(HERE / "trial-adversary.csv", index=False, float_format="%.6g")


def networks() -> None:
    """Measure what was trained in the end; its training images decide, test images only report."""
    rows = []
    for id in (name for name in shipped_ids() if name.startswith("streetdigits/resnet20/rfgsm")):
        model, recipe = load_model(id), read_recipe(HERE / f"{file_stem(id)}.toml")
        assert recipe.adversary is not None
        for split in ("train", "test"):
            data = load_data(dataclasses.replace(recipe.data, split=split, n_samples=ATTACKED))
            found = measure(model, data.images, data.labels, epsilon=recipe.adversary.epsilon)
            rows.append({"network": id, "split": split, "n": len(data), **found})
            print(rows[-1], flush=True)
    frame = pd.DataFrame(rows)
    frame.to_csv(HERE / "adversarial.csv", index=False, float_format="%.6g")


def measure(
    model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, *, epsilon: float
) -> dict[str, float]:
    """Clean accuracy on all images; robust accuracies at `epsilon` on the first of them."""
    found = {"clean_accuracy": accuracy(model, images, labels).value}
    some, theirs = images[:ATTACKED], labels[:ATTACKED]
    attacks = {
        "fgsm": FGSM(model, eps=epsilon),
        "rfgsm": RFGSM(model, eps=epsilon),
        "pgd50": PGD(model, eps=epsilon, steps=50),
    }
    for name, attack in attacks.items():
        adversarial = attack.each(some, theirs, early_stop=True, batch_size=100)[0]
        found[f"{name}_accuracy"] = accuracy(model, adversarial, theirs).value
    return found


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    if sys.argv[1] == "train":
        first, last = (int(text) for text in sys.argv[2:4] or ("0", "99"))
        train_runs(candidates(), FOLDER, first, last)
    elif sys.argv[1] == "table":
        table()
    elif sys.argv[1] == "networks":
        networks()
    else:
        sys.exit(f"say train, table or networks; got {sys.argv[1]!r}")
