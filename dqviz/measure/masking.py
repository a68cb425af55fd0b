"""Is it the network that withstands an attack, or does the attack fail? One check a symptom.

Carlini et al.: *On Evaluating Adversarial Robustness*, section 3, https://arxiv.org/abs/1902.06705;
Athalye et al.: *Obfuscated Gradients*, section 3.1, https://arxiv.org/abs/1802.00420; Pintor et
al.: *Indicators of Attack Failure*, https://arxiv.org/abs/2106.09947.

Every variant of the attack is run on the same images, those that the network classifies correctly,
and its outcomes are compared image by image by the rules of `masking_rules`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import torch
from torch import nn
from torch.nn import functional as F

from dqviz.attacks import AttackError, craft
from dqviz.measure.accuracy import correctness
from dqviz.measure.masking_rules import LITTLE, STRAY, Check, by_difference, by_proof, by_share
from dqviz.measure.masking_variants import MORE, UNBOUNDED_STEPS, steps_of, variants_of
from dqviz.specs import AttackSpec

STEADY = 1e-4
"""Logits of two passes that differ by less than this share of the largest one are the same."""

Crafter = Callable[..., dict[float, torch.Tensor]]
Progress = Callable[[float, str], None]


@dataclasses.dataclass(frozen=True, eq=False)
class Diagnosis:
    """The checks in order, and which images survive each variant of the attack.

    `correct` (N,) bool are the images that the network classifies correctly unattacked, M of them.
    `outcomes` by variant are (M,) bool, True where it still does. `networks` are the names of the
    outcomes that were crafted elsewhere: with other gradients, or on other networks.
    """

    checks: tuple[Check, ...]
    correct: torch.Tensor
    outcomes: Mapping[str, torch.Tensor]


def diagnose(
    network: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    *,
    attack: AttackSpec,
    estimators: Mapping[str, nn.Module] | None = None,
    sources: Mapping[str, nn.Module] | None = None,
    batch_size: int = 128,
    crafter: Crafter = craft,
    progress: Progress | None = None,
) -> Diagnosis:
    """All checks of an attack on a network.

    Args:
        network: images in [0, 1] in, logits (N, classes) out, in eval mode.
        images: float32 (N, C, H, W) in [0, 1].
        labels: int64 (N,).
        attack: the attack, untargeted, at one epsilon above 0.
        estimators: the same network with other gradients through its quantizers, by name.
        sources: other networks that perturbations are crafted on and carried over, by name.
        batch_size: images at once.
        crafter: how a variant of the attack is run: `craft`, or a function with its arguments.
        progress: called with a share of 0 to 1 and a text; what it raises stops the diagnosis.

    Raises:
        AttackError: if the attack does not fit the network or the images.
    """
    if len(attack.epsilons) != 1 or not attack.epsilons[0] > 0 or attack.targeted:
        raise AttackError(
            "a diagnosis is of an untargeted attack at one epsilon above 0; got "
            f"{'a targeted one at ' if attack.targeted else ''}{list(attack.epsilons)}"
        )
    correct = correctness(network, images, labels, batch_size=batch_size)
    own = Patient(network, images[correct], labels[correct], batch_size)
    runs = [(name, spec, network) for name, spec in variants_of(attack).items()]
    for others in (estimators or {}, sources or {}):
        runs += [(name, attack, other) for name, other in others.items()]
    outcomes: dict[str, torch.Tensor] = {}
    for place, (name, spec, victim) in enumerate([*runs, ("final", attack, network)]):
        early = victim is network and name != "final"
        counter = _counter(progress, name, place, len(runs) + 1)
        found = own.attacked(spec, victim, crafter, early_stop=early, progress=counter)
        if name == "final":
            fallen = own.losses(found) < own.losses(own.images)
        else:
            outcomes[name] = own.survives(found)
    outcomes["noise"] = own.survives(own.noise(attack))
    checks = [
        *_of_attacks(outcomes, attack, list(estimators or {}), list(sources or {})),
        by_share("gradients", own.silent(attack)),
        by_share("loss", fallen),
        by_proof("repeatable", own.unsteady()),
    ]
    return Diagnosis(checks=tuple(checks), correct=correct, outcomes=outcomes)


def _of_attacks(
    left: Mapping[str, torch.Tensor],
    attack: AttackSpec,
    estimators: list[str],
    sources: list[str],
) -> list[Check]:
    """The checks that compare variants of the attack, or see what one of them leaves."""
    own, iterated = left["attack"], left["iterated"]
    return [
        by_share("unbounded", left["unbounded"], limit=STRAY, other=str(UNBOUNDED_STEPS)),
        by_difference("iterated", iterated, left["fgsm"]),
        *[by_difference("transfer", iterated, left[name], other=name) for name in sources],
        by_difference("square", iterated, left["square"], other=str(attack.queries)),
        by_difference("larger", left["larger"], iterated),
        by_difference("smaller", iterated, left["smaller"]),
        by_difference("steps", own, left["steps"], limit=LITTLE, other=steps_of(attack)),
        by_difference("restarts", own, left["restarts"], limit=LITTLE, other=str(MORE)),
        by_difference("noise", own, left["noise"]),
        by_difference("rescaled", own, left["rescaled"]),
        *[by_difference("estimator", own, left[name], other=name) for name in estimators],
    ]


class Patient:
    """A network and the images that it classifies correctly; there may be none."""

    def __init__(
        self, network: nn.Module, images: torch.Tensor, labels: torch.Tensor, batch_size: int
    ) -> None:
        self.network, self.images, self.labels = network, images, labels
        self.batch_size = batch_size

    def attacked(
        self,
        spec: AttackSpec,
        victim: nn.Module,
        crafter: Crafter,
        *,
        early_stop: bool,
        progress: Callable[[int, int], None] | None,
    ) -> torch.Tensor:
        """The adversarial images (M, C, H, W) at the attack's epsilon, crafted on `victim`."""
        if len(self.images) == 0:
            return self.images
        found = crafter(
            victim,
            self.images,
            self.labels,
            spec,
            early_stop=early_stop,
            batch_size=self.batch_size,
            progress=progress,
        )
        return found[spec.epsilons[0]]

    def survives(self, images: torch.Tensor) -> torch.Tensor:
        """Which images are still classified correctly, (M,) bool."""
        if len(images) == 0:
            return torch.zeros(0, dtype=torch.bool)
        return correctness(self.network, images, self.labels, batch_size=self.batch_size)

    def noise(self, attack: AttackSpec) -> torch.Tensor:
        """The images with random signs of the attack's size, from its seed."""
        generator = torch.Generator().manual_seed(attack.seed)
        signs = torch.randint(0, 2, self.images.shape, generator=generator).float() * 2 - 1
        size = attack.epsilons[0]
        if attack.norm == "l2" and len(self.images):
            size /= self.images[0].numel() ** 0.5
        return (self.images + size * signs.to(self.images.device)).clamp(0, 1)

    def losses(self, images: torch.Tensor) -> torch.Tensor:
        """The cross-entropies, (M,)."""
        return F.cross_entropy(self.logits(images), self.labels, reduction="none")

    def logits(self, images: torch.Tensor) -> torch.Tensor:
        """(M, classes)."""
        with torch.no_grad():
            parts = [self.network(part) for part in torch.split(images, self.batch_size)]
        return torch.cat(parts)

    def unsteady(self) -> torch.Tensor:
        """Whose logits differ when they are computed twice, (M,) bool."""
        if len(self.images) == 0:
            return torch.zeros(0, dtype=torch.bool)
        one, other = self.logits(self.images), self.logits(self.images)
        return ((one - other).abs() > STEADY * one.abs().amax()).any(1)

    def silent(self, attack: AttackSpec) -> torch.Tensor:
        """Whose gradient is zero everywhere, not finite, or does not exist, (M,) bool."""
        parts = zip(
            torch.split(self.images, self.batch_size),
            torch.split(self.labels, self.batch_size),
            strict=True,
        )
        found = [self._silent(images, labels) for images, labels in parts if len(images)]
        return torch.cat(found) if found else torch.zeros(0, dtype=torch.bool)

    def _silent(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        x = images.detach().requires_grad_()
        loss = F.cross_entropy(self.network(x), labels, reduction="sum")
        if not loss.requires_grad:
            return torch.ones(len(images), dtype=torch.bool)
        (gradient,) = torch.autograd.grad(loss, x, allow_unused=True)
        if gradient is None:
            return torch.ones(len(images), dtype=torch.bool)
        useful = gradient.isfinite().flatten(1).all(1) & (gradient != 0).flatten(1).any(1)
        return ~useful


def _counter(
    progress: Progress | None, name: str, place: int, total: int
) -> Callable[[int, int], None] | None:
    if progress is None:
        return None
    return lambda done, steps: progress((place + done / max(steps, 1)) / total, f"attack: {name}")
