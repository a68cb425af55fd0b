"""What the fast path costs in strength: robust accuracy with its gradients against float32.

    python benchmarks/fast_path.py --checkpoint FILE --data parquet:PATH --out FILE

For every attack, at full precision and at 8-bit weights and 4-bit activations, at an epsilon that
leaves 20 to 80 % right, both on the same images; success is judged on the network itself in float32
either way. To hold: the one-sided 95 % bound on the paired difference, fast minus float32, is at
most half a point. Results are appended to a file batch by batch, and a run goes on where the last
one stopped. `--gradients emulated` computes on machines without instructions for bfloat16 what one
with them would (see `emulation`); `measured` takes what the fast path chose here, a name that
arithmetic, where the network can have it.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import fx, nn

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.emulation import emulated
from benchmarks.peers import add_network, load_network
from dqviz.attacks import craft
from dqviz.attacks.arithmetic import (
    PRECISIONS,
    WORDS,
    Arithmetic,
    in_words,
    own_arithmetic,
    threads_of,
)
from dqviz.attacks.fast import fast_arithmetic, gradients_in, kind_of
from dqviz.data import ImageData, load_data
from dqviz.measure.accuracy import correctness
from dqviz.quantize import quantize_model
from dqviz.specs import AttackSpec, DataSpec, QuantSpec

BITS = {"full": QuantSpec(), "8/4": QuantSpec(weight_bits=8, act_bits=4)}
ATTACKS = ("fgsm", "rfgsm", "bim", "pgd", "mifgsm", "apgd_ce", "apgd_dlr", "standard")
"""All that take gradients; `square` takes none."""
EPSILONS = (0.125, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
TRIAL = 250
CALIBRATION_IMAGES = 256
Z = 1.6448536269514722
"""The 95 % quantile of the normal distribution."""


class Copy(NamedTuple):
    """The network that gradients are taken of (None: the very network), and with which threads."""

    network: nn.Module | None
    arithmetic: Arithmetic
    words: str


def copy_of(network: fx.GraphModule, gradients: str, quant: QuantSpec) -> Copy:
    """What the fast path would take gradients of."""
    own = own_arithmetic()
    best = max(PRECISIONS[kind_of(quant)], key=len)  # with bfloat16 wherever it can be
    if gradients == "emulated":
        return Copy(emulated(network, best), own, f"{WORDS[best]}, emulated")
    if gradients == "measured":
        arithmetic = fast_arithmetic(quant)
    else:
        usable = gradients in PRECISIONS[kind_of(quant)]
        arithmetic = dataclasses.replace(own, precision=gradients if usable else best)
    return Copy(gradients_in(network, arithmetic), arithmetic, in_words(arithmetic))


def right_after(
    network: nn.Module, copy: Copy | None, spec: AttackSpec, data: ImageData, rows: slice
) -> list[bool]:
    """Which of some images the network still classifies correctly after the attack."""
    images, labels = data.images[rows], data.labels[rows]
    with threads_of(own_arithmetic() if copy is None else copy.arithmetic):
        adversarial = craft(
            network,
            images,
            labels,
            spec,
            early_stop=True,
            gradients_of=None if copy is None else copy.network,
        )
    found: list[bool] = correctness(network, adversarial[spec.epsilons[0]], labels).tolist()
    return found


def half_broken(network: nn.Module, spec: AttackSpec, data: ImageData) -> float:
    """The epsilon, in 1/255, that leaves the share nearest to a half right."""
    shares = {}
    for level in EPSILONS:
        at = _at(spec, level)
        right = right_after(network, None, at, data, slice(0, TRIAL))
        shares[level] = sum(right) / len(right)
        if shares[level] < 0.5:
            break
    return min(shares, key=lambda level: abs(shares[level] - 0.5))


def _at(spec: AttackSpec, level: float) -> AttackSpec:
    return dataclasses.replace(spec, epsilons=(level / 255,))


def bound(only_fast: int, only_exact: int, n: int) -> float:
    """The one-sided 95 % bound on the paired difference of two shares, fast minus exact.

    Agresti & Min, Statistics in Medicine 24 (2005) 729-740: half an image is added to each of the
    four cells.
    """
    b, c, total = only_fast + 0.5, only_exact + 0.5, n + 2
    return ((b - c) + Z * math.sqrt(b + c - (b - c) ** 2 / total)) / total


def report(rows: Iterable[dict[str, Any]]) -> None:
    """One line for each network and attack."""
    print(
        f"{'bits':6}{'attack':10}{'eps':>6}{'images':>8}{'float32':>9}{'fast':>8}"
        f"{'alone right':>16}{'difference':>12}{'bound':>8}   (points)"
    )
    groups: dict[tuple[str, str, float, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["bits"], row["attack"], row["epsilon"], row["fast"]), []).append(row)
    for (bits, attack, level, words), parts in groups.items():
        pairs = [p for part in parts for p in zip(part["right_fast"], part["right"], strict=True)]
        only = sum(f and not e for f, e in pairs), sum(e and not f for f, e in pairs)
        n, exact, fast = len(pairs), sum(e for _, e in pairs), sum(f for f, _ in pairs)
        print(
            f"{bits:6}{attack:10}{level:6g}{n:8}{exact / n:9.2%}{fast / n:8.2%}"
            f"{only[0]:8} / {only[1]:<6}{100 * (fast - exact) / n:11.2f}"
            f"{100 * bound(*only, n):8.2f}   {words}"
        )


def load(options: argparse.Namespace) -> tuple[nn.Module, ImageData]:
    """The network, and the images."""
    model = load_network(options)
    return model, load_data(DataSpec(name=options.data, n_samples=options.n, seed=1))


def kept(path: Path) -> list[dict[str, Any]]:
    """The rows of earlier runs."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def measure(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One row for each batch that no earlier run has."""
    model, data = load(options)
    done = kept(options.out)
    for bits in options.bits:
        network = quantize_model(model, BITS[bits], calibration=data.images[:CALIBRATION_IMAGES])
        network = network.to(memory_format=torch.channels_last)
        copy = copy_of(network, options.gradients, BITS[bits])
        for attack in options.attacks:
            spec = AttackSpec(name=attack, steps=options.steps, queries=options.queries)
            key = {"bits": bits, "attack": attack, "fast": copy.words, "of": len(data)}
            key |= {"steps": options.steps}
            mine = [row for row in done if key.items() <= row.items()]
            level = mine[0]["epsilon"] if mine else half_broken(network, spec, data)
            for start in range(0, len(data), options.batch):
                if start in [row["start"] for row in mine]:
                    continue
                rows = slice(start, start + options.batch)
                right, fast = (
                    right_after(network, c, _at(spec, level), data, rows) for c in (None, copy)
                )
                yield {
                    **key,
                    "epsilon": level,
                    "start": start,
                    "threads": torch.get_num_threads(),
                    "right": right,
                    "right_fast": fast,
                }


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_network(parser)
    parser.add_argument("--out", required=True, type=Path, help="where rows are kept, JSON lines")
    parser.add_argument("--n", type=int, default=5000)
    parser.add_argument("--batch", type=int, default=250)
    parser.add_argument("--attacks", nargs="+", choices=ATTACKS, default=ATTACKS)
    parser.add_argument("--bits", nargs="+", choices=tuple(BITS), default=tuple(BITS))
    parser.add_argument("--steps", type=int, default=10, help="of the iterated attacks")
    parser.add_argument("--queries", type=int, default=50, help="of Square within standard")
    parser.add_argument(
        "--gradients",
        choices=("measured", "emulated", *WORDS),
        default="measured",
    )
    return parser.parse_args()


def main() -> None:
    """Measure what is missing, then print everything."""
    options = parse()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    print(
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, "
        f"{torch.backends.cpu.get_cpu_capability()}; {options.arch}, up to {options.n} images"
    )
    for row in measure(options):
        with options.out.open("a") as file:
            file.write(json.dumps(row) + "\n")
    report(kept(options.out))


if __name__ == "__main__":
    main()
