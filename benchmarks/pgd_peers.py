"""PGD-10 at 8/255 against foolbox and torchattacks, side by side in one run, ratios printed.

    python benchmarks/pgd_peers.py --checkpoint FILE --data parquet:PATH [--arch resnet20] [--n 512]

Needs `benchmarks/requirements-peers.txt`; a peer that is missing is left out and said to be. The
contestants take turns, so that a busy machine slows all of them; the ratios are those of the
medians. At 8/255 every attack leaves next to nothing right: the column shows that no contestant is
fast by doing less. Parity of strength is tested at 1/255 in `tests/attacks/test_parity.py`.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.peers import add_network, library, load_network
from dqviz.attacks import PGD, prepare_for_attack
from dqviz.attacks import craft as craft_spec
from dqviz.data import load_data
from dqviz.quantize import quantize_model
from dqviz.specs import AttackSpec, DataSpec, QuantSpec

EPSILON, ALPHA, STEPS = 8 / 255, 2 / 255, 10
Craft = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def bare_loop(model: nn.Module) -> Craft:
    """The loop that one would write by hand."""

    def attack(images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        x = images
        for _ in range(STEPS):
            x = x.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), labels), x)
            delta = (x.detach() + ALPHA * gradient.sign() - images).clamp(-EPSILON, EPSILON)
            x = (images + delta).clamp(0, 1)
        return x

    return attack


def as_the_app_does(model: nn.Module) -> Craft:
    """What a request of the app or of the command line runs, the network's preparation included."""
    spec = AttackSpec(name="pgd", epsilons=(EPSILON,), alpha=ALPHA, steps=STEPS, random_start=False)

    def attack(images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        network = quantize_model(model, QuantSpec()).to(memory_format=torch.channels_last)
        return craft_spec(network, images, labels, spec)[EPSILON]

    return attack


def contestants(model: nn.Module, device: str) -> dict[str, Craft]:
    """What is timed, by name; the first is the one that ratios are taken against."""
    settings = {"eps": EPSILON, "alpha": ALPHA, "steps": STEPS, "random_start": False}
    prepared = prepare_for_attack(model)
    rounded = prepare_for_attack(model, precision="bfloat16")
    found: dict[str, Craft] = {
        "dqviz": as_the_app_does(model),
        "dqviz, network as it is": PGD(model, **settings),
        "dqviz, prepared": PGD(prepared, **settings),
        "dqviz, prepared, bfloat16": PGD(rounded, **settings),
        "dqviz, prepared, early stop": lambda x, y: PGD(prepared, **settings)(
            x, y, early_stop=True
        ),
        "a bare loop": bare_loop(model),
    }
    foolbox = library("foolbox")
    if foolbox is not None:
        network = foolbox.PyTorchModel(model, bounds=(0, 1), device=device)
        linf = foolbox.attacks.LinfProjectedGradientDescentAttack(
            abs_stepsize=ALPHA, steps=STEPS, random_start=False
        )
        found["foolbox"] = lambda x, y: linf(network, x, y, epsilons=EPSILON)[0]
    torchattacks = library("torchattacks")
    if torchattacks is not None:
        found["torchattacks"] = torchattacks.PGD(model, **settings)
    return found


def craft(attack: Craft, images: torch.Tensor, labels: torch.Tensor, batch: int) -> torch.Tensor:
    """The whole set in batches."""
    parts = zip(torch.split(images, batch), torch.split(labels, batch), strict=True)
    return torch.cat([attack(x, y) for x, y in parts])


def accuracy(model: nn.Module, images: torch.Tensor, labels: torch.Tensor, batch: int) -> float:
    """The share of right predictions of the network itself, in float32."""
    with torch.no_grad():
        logits = torch.cat([model(x) for x in torch.split(images, batch)])
    return float((logits.argmax(1) == labels).float().mean())


def main() -> None:
    """Time every contestant in turns and print seconds, ratios and robust accuracy."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_network(parser)
    parser.add_argument("--n", type=int, default=512)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()

    model = load_network(options)
    model = model.to(options.device)
    data = load_data(DataSpec(name=options.data))
    images = data.images[: options.n].to(options.device)
    labels = data.labels[: options.n].to(options.device)
    print(
        f"torch {torch.__version__}, {options.device}, {torch.get_num_threads()} threads, "
        f"{torch.backends.cpu.get_cpu_capability()}; {options.arch}, {len(images)} images, "
        f"batch {options.batch}, PGD-{STEPS} at 8/255"
    )
    attacks = contestants(model, options.device)
    seconds: dict[str, list[float]] = {name: [] for name in attacks}
    robust: dict[str, float] = {}
    for attack in attacks.values():
        craft(attack, images[: options.batch], labels[: options.batch], options.batch)
    for _ in range(options.rounds):
        for name, attack in attacks.items():
            start = time.perf_counter()
            adversarial = craft(attack, images, labels, options.batch)
            if options.device == "cuda":
                torch.cuda.synchronize()
            seconds[name].append(time.perf_counter() - start)
            robust[name] = accuracy(model, adversarial, labels, options.batch)
    report(seconds, robust)


def report(seconds: dict[str, list[float]], robust: dict[str, float]) -> None:
    """One line a contestant: median seconds, ratio to `dqviz`, robust accuracy."""
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    base = medians["dqviz"]
    print(f"{'':30}{'seconds':>9}{'ratio':>8}{'robust accuracy':>18}")
    for name, median in medians.items():
        print(f"{name:30}{median:9.2f}{median / base:8.2f}{robust[name]:17.1%}")


if __name__ == "__main__":
    main()
