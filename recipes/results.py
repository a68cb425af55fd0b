"""Measure the shipped networks on their test images: docs/RESULTS.md and the overview's picture.

    python recipes/results.py            # writes docs/RESULTS.md, docs/results.csv
    python recipes/results.py overview   # writes dqviz/results/overview*.parquet
    python recipes/results.py study      # writes dqviz/results/networks.sqlite

Nothing in these files is written by hand.
"""

from __future__ import annotations

import itertools
import sqlite3
import subprocess
import sys
from pathlib import Path

import pandas as pd
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from dqviz.cards import load_card, shipped_ids
from dqviz.data import load_data
from dqviz.experiments.findings import proportion_rows
from dqviz.experiments.run import run
from dqviz.measure import accuracy, correctness, paired_difference
from dqviz.models import load_model
from dqviz.quantize import from_json, quantize_model
from dqviz.specs import AttackSpec, DataSpec, ExperimentSpec, ModelSpec, QuantSpec
from dqviz.studies import read_grid
from dqviz.studies.cells import resolve_cells
from dqviz.ui.settings import EPSILONS

ROOT = Path(__file__).parents[1]
GRID = ROOT / "recipes" / "grids" / "networks.toml"
STUDY = ROOT / "runs" / "networks.sqlite"
ATTACKED = 500
ACCURACY_BITS = ((32, 32), (8, 8), (8, 4), (8, 3), (8, 2), (4, 4), (3, 3), (2, 2))
NOISE_BITS = ((32, 32), (8, 8), (8, 4))
EPSILON = 1 / 255
TOLD = ("clean_accuracy", "robust_accuracy", "relative_distance", "amplification")
"""What the tables are made of, and all that results.csv holds."""


def subjects() -> list[str]:
    """The vanilla and DQ networks at full precision, the first seed of each.

    What else is shipped is in docs/ACCURACY.md and put to the test by `python -m dqviz paper`.
    """
    return [id for id in shipped_ids() if id.rpartition("/")[2] in ("vanilla", "dq")]


def held_out(id: str, n_samples: int | None = None) -> DataSpec:
    """The test images that the network's recipe names."""
    test = load_card(id).recipe["test"]
    return DataSpec(name=test["name"], split=test["split"], n_samples=n_samples)


def spec(id: str, kind: str, bits: tuple[int, int], **more: object) -> ExperimentSpec:
    """An experiment on a shipped network at (weight, activation) bits."""
    quant = QuantSpec(weight_bits=bits[0], act_bits=bits[1])
    return ExperimentSpec(kind=kind, model=ModelSpec(id=id), quant=quant, **more)  # type: ignore[arg-type]


def accuracies() -> pd.DataFrame:
    """Clean accuracy on all test images, `value`, `low` and `high`, at every bit-width."""
    rows = []
    for id in subjects():
        data, network = load_data(held_out(id)), load_model(id)
        histograms = from_json(load_card(id).calibration)
        model, _, weights = id.rpartition("/")
        for bits in ACCURACY_BITS:
            quant = QuantSpec(weight_bits=bits[0], act_bits=bits[1])
            quantized = quantize_model(network, quant, calibration=histograms)
            quantized = quantized.to(memory_format=torch.channels_last)
            found = accuracy(quantized, data.images, data.labels)
            print(id, bits, found, flush=True)
            common = {"model": model, "weights": weights, "n_samples": len(data)}
            common |= {"weight_bits": bits[0], "act_bits": bits[1]}
            rows += [{**common, **r._asdict()} for r in proportion_rows("clean_accuracy", found)]
    return pd.DataFrame(rows)


def distances() -> pd.DataFrame:
    """Amplification with the controls at 1/255, and robust accuracy on the same images."""
    attack = AttackSpec(epsilons=(EPSILON,))
    tables = [
        run(
            spec(
                id,
                "amplification",
                bits,
                data=held_out(id, ATTACKED),
                attack=attack,
                controls=True,
                batch_size=100,
            )
        ).table
        for id, bits in itertools.product(subjects(), NOISE_BITS)
    ]
    return pd.concat(tables, ignore_index=True)


def bits_text(row: pd.Series[object]) -> str:
    """W8 A4, or 'full precision'."""
    full = row.weight_bits == 32 and row.act_bits == 32
    return "full precision" if full else f"W{row.weight_bits} A{row.act_bits}"


def accuracy_section(table: pd.DataFrame, metric: str) -> str:
    """Percentages with 95 % Wilson intervals, a column a bit-width."""
    rows = table[table.metric == metric]
    if "attack" in rows:
        rows = rows[rows.attack == "fgsm"]
    wide = rows.pivot_table(
        index=["model", "weights", "weight_bits", "act_bits"],
        columns="statistic",
        values="value",
        sort=False,
    ).reset_index()
    wide["text"] = [
        f"{100 * r.value:.1f} ({100 * r.low:.1f} to {100 * r.high:.1f})" for r in wide.itertuples()
    ]
    wide["bits"] = wide.apply(bits_text, axis=1)
    order = wide["bits"].drop_duplicates().tolist()
    wide = wide.pivot(index=["model", "weights"], columns="bits", values="text")[order]
    return markdown(wide.reset_index())


def distance_section(table: pd.DataFrame) -> str:
    """Medians at the last layer's input and at the logits, for the attack and its controls."""
    last = table.groupby("model").depth.transform("max")
    ends = table[(table.depth >= last - 1) & table.statistic.eq("median")]
    ends = ends[ends.metric.isin(["relative_distance", "amplification"])]
    ends = ends.assign(
        bits=ends.apply(bits_text, axis=1),
        where=ends.metric.str.replace("_", " ") + ", " + ends.layer,
    )
    wide = ends.pivot_table(
        index=["model", "weights", "bits", "attack"], columns="where", values="value", sort=False
    )
    return markdown(wide.round(4).reset_index())


def norm_section() -> str:
    """The certified upper bounds of the folded operator norms, from the cards."""
    rows = []
    for id in subjects():
        norms = pd.Series(load_card(id).extra["folded_norms"])
        summary = {"largest": norms.max(), "median": norms.median(), "smallest": norms.min()}
        rows.append({"network": id, **{key: round(value, 3) for key, value in summary.items()}})
    return markdown(pd.DataFrame(rows))


def paired_section() -> str:
    """The penalty's clean accuracy minus vanilla's on the same test images."""
    rows = []
    for id in subjects():
        if not id.endswith("/dq"):
            continue
        data = load_data(held_out(id))
        with torch.no_grad():
            dq, vanilla = (
                correctness(load_model(name), data.images, data.labels)
                for name in (id, id.replace("/dq", "/vanilla"))
            )
        found = paired_difference(dq, vanilla)
        rows.append(
            {
                "network": id,
                "difference (points)": round(100 * found.value, 2),
                "95 % interval": f"{100 * found.low:.2f} to {100 * found.high:.2f}",
                "images": len(data),
            }
        )
    return markdown(pd.DataFrame(rows))


def markdown(table: pd.DataFrame) -> str:
    """A table in Markdown."""
    lines = [list(map(str, table.columns)), ["---"] * len(table.columns)]
    lines += [[str(value) for value in row] for row in table.itertuples(index=False)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def write_results() -> None:
    """Measure everything and write the document and the rows behind it."""
    clean, distance = accuracies(), distances()
    sections = [
        "# What the shipped networks measure\n\nWritten by `python recipes/results.py`; nothing "
        "here is typed by hand. WX AY: weights at X bits, activations at Y, first and last layer "
        "at 8, quantized after training with the card's histograms. The rows are in results.csv.",
        "## Clean accuracy, percent, with 95 % Wilson intervals\n\nAll test images of each "
        "recipe.\n\n" + accuracy_section(clean, "clean_accuracy"),
        f"## Accuracy under FGSM at 1/255\n\nCrafted on each network itself; {ATTACKED} test "
        "images.\n\n" + accuracy_section(distance, "robust_accuracy"),
        "## Clean accuracy of the penalty minus vanilla, the same images\n\n" + paired_section(),
        f"## Noise at the end of the network\n\nMedians over {ATTACKED} test images, FGSM at "
        "1/255 on each network itself, and its three controls of equal length.\n\n"
        + distance_section(distance),
        "## BatchNorm-folded operator norms of the layers, certified upper bounds\n\n"
        + norm_section(),
    ]
    (ROOT / "docs").mkdir(exist_ok=True)
    (ROOT / "docs" / "RESULTS.md").write_text("\n\n".join(sections) + "\n", encoding="utf-8")
    rows = pd.concat([clean, distance], ignore_index=True)
    rows = rows[rows.statistic.isin(["value", "low", "high", "median"]) & rows.metric.isin(TOLD)]
    rows.to_csv(ROOT / "docs" / "results.csv", index=False, float_format="%.6g")


def write_study() -> None:
    """The store that comes with the package: the cells of its grid. It goes on where it was."""
    STUDY.parent.mkdir(exist_ok=True)
    subprocess.run(
        [sys.executable, "-m", "dqviz", "sweep", GRID, "--store", STUDY],
        cwd=ROOT,
        check=True,
    )
    wanted = [(cell.key,) for cell in resolve_cells(read_grid(GRID))]
    connection = sqlite3.connect(STUDY, isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("CREATE TEMPORARY TABLE wanted (key TEXT)")
    connection.executemany("INSERT INTO wanted VALUES (?)", wanted)
    connection.execute("DELETE FROM cells WHERE key NOT IN (SELECT key FROM wanted)")
    connection.execute("PRAGMA journal_mode = DELETE")  # it is read as one file
    connection.execute("VACUUM")
    connection.close()
    STUDY.replace(ROOT / "dqviz" / "results" / "networks.sqlite")


def write_overview() -> None:
    """The rows of the overview's first chart, as the app asks for them by default."""
    attack = AttackSpec(epsilons=tuple(level / 255 for level in EPSILONS))
    results = []
    for weights, bits in itertools.product(("vanilla", "dq"), ((8, 4), (32, 32))):
        id = f"streetdigits/resnet20/{weights}"
        data = DataSpec(name="streetdigits", n_samples=64)
        results.append(run(spec(id, "amplification", bits, data=data, attack=attack)))
    table = pd.concat([result.table for result in results], ignore_index=True)
    samples = pd.concat([result.samples for result in results], ignore_index=True)
    kept = ["relative_distance", "relative_distance_centred", "amplification", "clean_accuracy"]
    folder = ROOT / "dqviz" / "results"
    folder.mkdir(exist_ok=True)
    table[table.metric.isin(kept)].to_parquet(folder / "overview.parquet", index=False)
    samples = samples[samples.metric == "relative_distance"]
    samples.to_parquet(folder / "overview-samples.parquet", index=False)


if __name__ == "__main__":
    writers = {"overview": write_overview, "study": write_study}
    writers.get(" ".join(sys.argv[1:]), write_results)()
