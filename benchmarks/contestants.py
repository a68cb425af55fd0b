"""The attacks of this package and of others with the same settings, for `attacks.py`.

A contestant takes images (N, C, H, W) and labels (N,) and returns adversarial images. What a peer
lacks it is not asked for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.peers import library
from dqviz.attacks import craft
from dqviz.attacks.arithmetic import Arithmetic, own_arithmetic, threads_of
from dqviz.attacks.fast import gradients_in
from dqviz.specs import AttackSpec

Contestant = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

ATTACKS = ("fgsm", "pgd10", "pgd50", "apgd", "square", "ensemble")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Setting:
    """What all contestants have in common. `epsilon` is in pixel units; PGD starts at the image."""

    attack: str
    epsilon: float
    batch: int
    steps: int
    """Gradient steps of APGD, also within the ensemble; PGD has its own in its name."""
    queries: int
    device: str

    @property
    def pgd_steps(self) -> int:
        """Those of PGD."""
        return int(self.attack.removeprefix("pgd"))

    @property
    def alpha(self) -> float:
        """PGD's step."""
        return self.epsilon / 4

    def spec(self) -> AttackSpec:
        """The same as a specification."""
        common: dict[str, Any] = {"epsilons": (self.epsilon,)}
        if self.attack.startswith("pgd"):
            common |= {"steps": self.pgd_steps, "alpha": self.alpha, "random_start": False}
            return AttackSpec(name="pgd", **common)
        names = {"fgsm": "fgsm", "apgd": "apgd_ce", "square": "square", "ensemble": "standard"}
        name = names[self.attack]
        return AttackSpec(name=name, steps=self.steps, queries=self.queries, **common)


def ours(
    network: nn.Module, setting: Setting, arithmetic: Arithmetic, *, early_stop: bool
) -> Contestant:
    """As the app does it, with gradients in that arithmetic."""

    def attack(images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        with threads_of(arithmetic):
            found = craft(
                network,
                images,
                labels,
                setting.spec(),
                early_stop=early_stop,
                batch_size=setting.batch,
                gradients_of=gradients_in(network, arithmetic),
            )
        return found[setting.epsilon]

    return attack


def contestants(
    network: fx.GraphModule, peers_get: nn.Module, setting: Setting, fast: Arithmetic
) -> dict[str, Contestant]:
    """All by name, the package's own first.

    Args:
        network: as the app attacks it.
        peers_get: the network as peers are given it.
        setting: the attack and its settings.
        fast: what the fast path chose on this machine.
    """
    usual = own_arithmetic()
    found: dict[str, Contestant] = {}
    for name, arithmetic in {"dqviz": fast, "dqviz, float32": usual}.items():
        if name != "dqviz" and arithmetic == fast:
            continue
        found[name] = ours(network, setting, arithmetic, early_stop=False)
        found[f"{name}, early stop"] = ours(network, setting, arithmetic, early_stop=True)
    for make in (_torchattacks, _foolbox, _secml):
        found |= {
            name: _in_batches(attack, setting.batch)
            for name, attack in make(peers_get, setting).items()
        }
    return found


def _in_batches(attack: Contestant, batch: int) -> Contestant:
    def whole(images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        parts = zip(torch.split(images, batch), torch.split(labels, batch), strict=True)
        return torch.cat([attack(x, y).detach() for x, y in parts])

    return whole


def _torchattacks(model: nn.Module, setting: Setting) -> dict[str, Contestant]:
    peer = library("torchattacks")
    if peer is None:
        return {}
    eps, steps, queries = setting.epsilon, setting.steps, setting.queries
    apgd = peer.APGD(model, eps=eps, steps=steps, loss="ce")
    square = peer.Square(model, eps=eps, n_queries=queries)
    if setting.attack.startswith("pgd"):
        attack = peer.PGD(
            model, eps=eps, alpha=setting.alpha, steps=setting.pgd_steps, random_start=False
        )
    elif setting.attack == "ensemble":  # AutoAttack without FAB
        targeted = peer.APGDT(model, eps=eps, steps=steps, n_classes=10)
        attack = peer.MultiAttack([apgd, targeted, square])
    else:
        attack = {"fgsm": peer.FGSM(model, eps=eps), "apgd": apgd, "square": square}[setting.attack]
    return {"torchattacks": attack}


def _foolbox(model: nn.Module, setting: Setting) -> dict[str, Contestant]:
    peer = library("foolbox") if setting.attack in ("fgsm", "pgd10", "pgd50") else None
    if peer is None:
        return {}
    network = peer.PyTorchModel(model, bounds=(0, 1), device=setting.device)
    if setting.attack == "fgsm":
        attack = peer.attacks.LinfFastGradientAttack()
    else:
        attack = peer.attacks.LinfProjectedGradientDescentAttack(
            abs_stepsize=setting.alpha, steps=setting.pgd_steps, random_start=False
        )
    return {"foolbox": lambda x, y: attack(network, x, y, epsilons=setting.epsilon)[0]}


def _secml(model: nn.Module, setting: Setting) -> dict[str, Contestant]:
    peer = library("secmlt.adv.evasion.pgd") if setting.attack.startswith("pgd") else None
    models = library("secmlt.models.pytorch.base_pytorch_nn") if peer is not None else None
    if peer is None or models is None:
        return {}
    attack = peer.PGD(
        perturbation_model="linf",
        epsilon=setting.epsilon,
        num_steps=setting.pgd_steps,
        step_size=setting.alpha,
        backend="native",
    )
    network = models.BasePyTorchClassifier(model)

    def run(images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        loader = DataLoader(TensorDataset(images, labels), batch_size=len(images))
        found: torch.Tensor = next(iter(attack(network, loader)))[0]
        return found

    return {"secml-torch": run}
