"""Attacks against other libraries, side by side in one run: times, ratios, accuracies, memory.

    python benchmarks/attacks.py --checkpoint FILE --data parquet:PATH [--attacks pgd10 ...]

A third-party network in full precision, as the peers are given it, and the same quantized by this
package to 8-bit weights and 4-bit activations, which the peers get as a module with its
straight-through gradient. Needs `benchmarks/requirements-peers.txt`; a peer that is missing is left
out and said to be. Contestants take turns, so that a busy machine slows all of them; ratios are
those of the medians, and of the processor's time (both cores of two, say) beside them, which others
at work disturb less. Robust accuracy is that of the network
itself in float32. Memory is the most that a process of its own took for one batch, beyond what it
held before. PGD starts at the image; the others from seeds of their own. APGD, Square and the
ensemble of torchattacks always leave images alone that are wrong from the outset, and the latter
two those that are fooled: they are to be set beside ours with early stopping. Its Square draws one
square for a whole batch, and the same ones for each batch, so that its robust accuracy moves by two
points from seed to seed.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import fx, nn

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.contestants import ATTACKS, Contestant, Setting, contestants
from benchmarks.peers import add_network, load_network
from dqviz.attacks.arithmetic import PRECISIONS, WORDS, Arithmetic, in_words, own_arithmetic
from dqviz.attacks.fast import fast_arithmetic, kind_of
from dqviz.data import load_data
from dqviz.measure.accuracy import accuracy
from dqviz.quantize import quantize_model
from dqviz.specs import DataSpec, QuantSpec

BITS = {"full": QuantSpec(), "8/4": QuantSpec(weight_bits=8, act_bits=4)}
CALIBRATION_IMAGES = 256
Row = dict[str, Any]


class Victim(NamedTuple):
    """A network as the app attacks it, as peers get it, and the images."""

    network: fx.GraphModule
    peers_get: nn.Module
    images: torch.Tensor
    labels: torch.Tensor


def load(options: argparse.Namespace, bits: str) -> Victim:
    """The network at some bits, and the first images of the data."""
    model = load_network(options)
    data = load_data(DataSpec(name=options.data))
    calibration = data.images[-CALIBRATION_IMAGES:]
    quantized = quantize_model(model, BITS[bits], calibration=calibration)
    device = options.device
    peers_get = (
        model if bits == "full" else quantize_model(model, BITS[bits], calibration=calibration)
    )
    return Victim(
        quantized.to(device).to(memory_format=torch.channels_last),
        peers_get.to(device),
        data.images[: options.n].to(device),
        data.labels[: options.n].to(device),
    )


def fastest(options: argparse.Namespace, bits: str) -> Arithmetic:
    """What the fast path takes, or where the network can have it the one that is asked for."""
    if options.precision in PRECISIONS[kind_of(BITS[bits])]:
        return dataclasses.replace(own_arithmetic(), precision=options.precision)
    return fast_arithmetic(BITS[bits])


def race(victim: Victim, setting: Setting, options: argparse.Namespace, bits: str) -> list[Row]:
    """Every contestant in turns: one row each."""
    fast = fastest(options, bits)
    found = contestants(victim.network, victim.peers_get, setting, fast)
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in found}
    robust: dict[str, float] = {}
    for attack in found.values():  # what is done only once is not timed
        timed(attack, victim.images[:8], victim.labels[:8])
    for _ in range(options.rounds):
        for name, attack in found.items():
            taken, adversarial = timed(attack, victim.images, victim.labels)
            seconds[name].append(taken)
            share = accuracy(victim.peers_get, adversarial, victim.labels, batch_size=setting.batch)
            robust[name] = share.value
    return [
        {
            "bits": bits,
            "attack": setting.attack,
            "epsilon": round(setting.epsilon * 255, 4),
            "contestant": name,
            "seconds": statistics.median(wall for wall, _ in times),
            "processor_seconds": statistics.median(used for _, used in times),
            "robust_accuracy": robust[name],
        }
        for name, times in seconds.items()
    ]


def timed(
    attack: Contestant, images: torch.Tensor, labels: torch.Tensor
) -> tuple[tuple[float, float], torch.Tensor]:
    """The seconds an attack takes, and those of the processor; its images."""
    begin, used = time.perf_counter(), time.process_time()
    adversarial = attack(images, labels)
    if images.is_cuda:
        torch.cuda.synchronize()
    return (time.perf_counter() - begin, time.process_time() - used), adversarial


def memory(victim: Victim, setting: Setting, options: argparse.Namespace, bits: str) -> float:
    """MiB that this process takes for one batch beyond what it holds; asked of a new process."""
    import resource

    import psutil

    found = contestants(victim.network, victim.peers_get, setting, fastest(options, bits))
    attack = found[options.memory_of]
    images, labels = victim.images[: setting.batch], victim.labels[: setting.batch]
    attack(images[:1], labels[:1])
    before = psutil.Process().memory_info().rss
    attack(images, labels)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before) / 2**20


def memory_in_a_process(name: str, setting: Setting, bits: str) -> float:
    """What `memory` says in a process of its own."""
    chosen = ["--attacks", setting.attack, "--epsilons", str(setting.epsilon * 255), "--bits", bits]
    command = [sys.executable, *sys.argv, *chosen, "--memory-of", name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def report(rows: list[Row]) -> None:
    """One line a contestant, ratios to the first."""
    base = rows[0]
    print(f"\n{base['bits']} bits, {base['attack']} at {base['epsilon']:g}/255")
    print(f"{'':28}{'seconds':>9}{'ratio':>8}{'processor':>11}{'robust':>9}{'MiB':>8}")
    for row in rows:
        ratios = [row[name] / base[name] for name in ("seconds", "processor_seconds")]
        mib = "" if row.get("mib") is None else f"{row['mib']:8.0f}"
        print(
            f"{row['contestant']:28}{row['seconds']:9.2f}{ratios[0]:8.2f}{ratios[1]:11.2f}"
            f"{row['robust_accuracy']:9.1%}{mib}",
            flush=True,
        )


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_network(parser)
    parser.add_argument("--n", type=int, default=512)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--attacks", nargs="+", choices=ATTACKS, default=ATTACKS)
    parser.add_argument("--epsilons", nargs="+", type=float, default=[1.0, 8.0], help="in 1/255")
    parser.add_argument("--bits", nargs="+", choices=tuple(BITS), default=tuple(BITS))
    parser.add_argument("--steps", type=int, default=20, help="of APGD")
    parser.add_argument("--queries", type=int, default=100, help="of Square")
    parser.add_argument("--precision", choices=WORDS, help="instead of what the fast path chose")
    parser.add_argument("--memory", action="store_true", help="measure it too, in new processes")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help="a file that rows are appended to, as JSON lines")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args()


def main() -> None:
    """All attacks at all epsilons and bits."""
    options = parse()
    for bits in options.bits:
        victim = load(options, bits)
        if options.memory_of is None:
            words = in_words(fastest(options, bits))
            print(
                f"torch {torch.__version__}, {options.device}, {torch.get_num_threads()} threads, "
                f"{torch.backends.cpu.get_cpu_capability()}; {options.arch} at {bits} bits, "
                f"{len(victim.images)} images, batch {options.batch}; the fast path takes {words}"
            )
        for attack in options.attacks:
            for epsilon in options.epsilons:
                setting = Setting(
                    attack=attack,
                    epsilon=epsilon / 255,
                    batch=options.batch,
                    steps=options.steps,
                    queries=options.queries,
                    device=options.device,
                )
                if options.memory_of is not None:
                    print(memory(victim, setting, options, bits))
                    return
                rows = race(victim, setting, options, bits)
                for row in rows:
                    row["mib"] = (
                        memory_in_a_process(row["contestant"], setting, bits)
                        if options.memory
                        else None
                    )
                report(rows)
                if options.out is not None:
                    with options.out.open("a") as file:
                        file.writelines(json.dumps(row) + "\n" for row in rows)


if __name__ == "__main__":
    main()
