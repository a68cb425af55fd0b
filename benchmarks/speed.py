"""What the shared work costs, as ratios from one run, side by side.

    python benchmarks/speed.py

FGSM at 16 epsilons against one; an amplification profile against two bare forward passes; and how
long a bit-width not seen before takes until its first curve, with two networks and 64 images.
Alternating repetitions, the fastest of each counts. Let the machine have nothing else to do.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from dqviz.attacks import FGSM
from dqviz.data import load_data
from dqviz.experiments.engine import Engine
from dqviz.experiments.host import MEMORY
from dqviz.measure import amplification
from dqviz.models import load_model
from dqviz.quantize import quantize_model
from dqviz.specs import AttackSpec, DataSpec, ExperimentSpec, ModelSpec, QuantSpec

REPEATS = 7
IDS = ("streetdigits/resnet20/vanilla", "streetdigits/resnet20/dq")
DATA = DataSpec(name="streetdigits", n_samples=64)


def compare(**jobs: Callable[[], object]) -> dict[str, float]:
    """The fastest of several alternating runs of each job, in seconds."""
    best = dict.fromkeys(jobs, float("inf"))
    for _ in range(REPEATS):
        for name, job in jobs.items():
            begin = time.perf_counter()
            job()
            best[name] = min(best[name], time.perf_counter() - begin)
    return best


def fgsm(network: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor) -> None:
    """Sixteen epsilons against one, crafted alone and judged as well."""
    many = [(k + 1) / 2 / 255 for k in range(16)]

    def judge(crafted: list[torch.Tensor]) -> None:
        with torch.no_grad():
            for adversarial in crafted:
                network(adversarial).argmax(1)

    def judged(epsilons: list[float]) -> None:
        crafted = FGSM(network, eps=epsilons)(images, labels)
        assert isinstance(crafted, list)
        judge(crafted)

    seconds = compare(
        one=lambda: FGSM(network, eps=many[:1])(images, labels),
        sixteen=lambda: FGSM(network, eps=many)(images, labels),
        one_judged=lambda: judged(many[:1]),
        sixteen_judged=lambda: judged(many),
    )
    report("FGSM, 16 epsilons against 1, crafting", seconds["sixteen"], seconds["one"], 1.3)
    report(
        "FGSM, 16 epsilons against 1, with judging",
        seconds["sixteen_judged"],
        seconds["one_judged"],
        6.5,
    )


def profile(network: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor) -> None:
    """An amplification profile against two bare forward passes of the same images."""
    adversarial = FGSM(network, eps=1 / 255)(images, labels)
    assert isinstance(adversarial, torch.Tensor)

    def bare() -> None:
        with torch.no_grad():
            network(images)
            network(adversarial)

    available = torch.get_num_threads()
    for threads in sorted({1, available}):  # the app's workers have one each on two cores
        torch.set_num_threads(threads)
        seconds = compare(bare=bare, profile=lambda: amplification(network, images, adversarial))
        what = f"amplification profile against two forwards, threads: {threads}"
        report(what, seconds["profile"], seconds["bare"], 1.5)
    torch.set_num_threads(available)


def unseen_bits() -> None:
    """Seconds until the first and the second curve of a bit-width not asked for before."""
    engine = Engine()
    engine.start_in_background()
    if not engine.wait_until_ready(60):
        raise SystemExit(engine.message)
    try:
        for bits in (8, 7, 6, 5):  # the first warms the worker up: loading is not measured
            spec = ExperimentSpec(
                kind="amplification",
                data=DATA,
                attack=AttackSpec(epsilons=(1 / 255,)),
                quant=QuantSpec(weight_bits=8, act_bits=bits),
            )
            specs = [dataclasses.replace(spec, model=ModelSpec(id=id)) for id in IDS]
            begin = time.perf_counter()
            handles = engine.submit(specs, owner="benchmark", channel="bits")
            times = []
            for handle in handles:
                handle.wait(60)
                times.append(time.perf_counter() - begin)
            print(f"unseen bit-width {bits}: curves after {times[0]:.2f} s and {times[1]:.2f} s")
    finally:
        engine.shutdown()


def report(what: str, seconds: float, against: float, bound: float) -> None:
    """One line: the ratio and what it should be at most."""
    ratio = seconds / against
    verdict = "ok" if ratio <= bound else "MISSED"
    print(f"{what}: {seconds:.4f} s / {against:.4f} s = {ratio:.2f} (at most {bound}) {verdict}")


def main() -> None:
    """Print every figure, under the memory settings of the app's workers."""
    settings = {name: str(value) for name, value in MEMORY.items()}
    if not settings.items() <= os.environ.items():  # they are read when a process starts
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **settings})
    data = load_data(DATA)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {len(data)} images")
    model = load_model(IDS[0])
    quantized = quantize_model(model, QuantSpec(weight_bits=8, act_bits=4), calibration=data.images)
    for name, network in (("full precision", model), ("W8 A4", quantized)):
        print(name)
        fgsm(network, data.images, data.labels)
        profile(network, data.images, data.labels)
    unseen_bits()


if __name__ == "__main__":
    main()
