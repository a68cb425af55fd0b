"""The marks of the shipped networks: is it the network that withstands, or does the attack fail?

    python benchmarks/masking_marks.py --out FILE [--weights rfgsm] [--attack pgd] [--eps 1/255]

Every shipped network of a data set at 32, 8 and 4 bits (of the activations; the weights take 8
where they are rounded), over several seeds. One line each: the worst mark, the robust accuracy, and
the checks that are not green with their evidence. Lines are appended to a file as JSON, and a run
goes on where the last one stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from dqviz.cards import shipped_ids
from dqviz.charts import attack_variants, masking_findings, verdict
from dqviz.cli.values import number
from dqviz.experiments.run import run
from dqviz.specs import AttackSpec, DataSpec, ExperimentSpec, ModelSpec, QuantSpec

BITS = ((32, 32), (8, 8), (8, 4))


def specs(options: argparse.Namespace) -> list[ExperimentSpec]:
    """What is to be checked, in order."""
    networks = [
        name
        for name in shipped_ids()
        if name.startswith(f"{options.data}/")
        and (not options.weights or name.split("/")[2] in options.weights)
    ]
    return [
        ExperimentSpec(
            kind="masking",
            model=ModelSpec(id=name),
            data=DataSpec(name=options.data, n_samples=options.n, seed=seed),
            quant=QuantSpec(weight_bits=weight_bits, act_bits=act_bits),
            attack=AttackSpec(
                name=options.attack,
                epsilons=(options.eps,),
                steps=options.steps,
                seed=seed,
            ),
            fast=False,
        )
        for name in networks
        for weight_bits, act_bits in BITS
        for seed in options.seeds
    ]


def asked(spec: ExperimentSpec) -> dict[str, Any]:
    """What tells the line of one specification from the others."""
    return {
        "network": spec.model.id,
        "bits": [spec.quant.weight_bits, spec.quant.act_bits],
        "seed": spec.data.seed,
        "of": [spec.data.n_samples, spec.attack.name, spec.attack.steps, spec.attack.epsilons[0]],
    }


def checked(spec: ExperimentSpec) -> dict[str, Any]:
    """The marks of one network."""
    result = run(spec)
    findings = masking_findings(result.table)
    chart = attack_variants(result.table)
    shares = chart.table[chart.table["statistic"] == "value"]
    left = dict(zip(shares["variant"], shares["value"], strict=True))
    return {
        "mark": verdict(findings)[0],
        "checks": len(findings),
        "not green": [[f.mark, f.asked, f.evidence] for f in findings if f.mark != "green"],
        "left": left,
    }


def say(row: dict[str, Any]) -> None:
    """One network in a line, and a line for each check that is not green."""
    bits, (_, first) = row["bits"], next(iter(row["left"].items())) if row["left"] else ("", 0)
    print(
        f"{row['mark']:6} {row['network']:38} W{bits[0]} A{bits[1]}  seed {row['seed']}  "
        f"{row['checks']} checks, attack leaves {first:.1%} of the images right before it",
        flush=True,
    )
    for mark, asked, evidence in row["not green"]:
        print(f"       {mark}: {asked} {evidence}", flush=True)


def main() -> None:
    """Check what no earlier run has checked, and print all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="a file of JSON lines")
    parser.add_argument("--data", default="streetdigits")
    parser.add_argument("--weights", nargs="*", help="only these, such as vanilla")
    parser.add_argument("--n", type=int, default=128)
    parser.add_argument("--attack", default="pgd")
    parser.add_argument("--eps", type=number, default="1/255")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = parser.parse_args()
    lines = options.out.read_text().splitlines() if options.out.exists() else []
    known = [json.loads(line) for line in lines]
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    for spec in specs(options):
        mine = asked(spec)
        told = [row for row in known if mine.items() <= row.items()]
        row = told[0] if told else {**mine, **checked(spec)}
        if not told:
            with options.out.open("a") as file:
                file.write(json.dumps(row) + "\n")
        say(row)


if __name__ == "__main__":
    main()
