"""The two networks of an attack: the one that is judged, and the one whose gradient is taken.

They are one and the same unless an attack is given a faster copy to take gradients of. What counts
as fooled is always said by the network itself, in its own arithmetic.
"""

from __future__ import annotations

import torch
from torch import nn

from dqviz.attacks.checks import (
    require_finite,
    require_logits,
    require_no_probabilities,
    require_still,
)
from dqviz.attacks.errors import AttackError
from dqviz.attacks.losses import Loss


class Networks:
    """Images (N, C, H, W) in, checked logits (N, classes) out, of one network or the other.

    Args:
        model: the network attacked.
        gradients_of: the network whose gradients are taken; None for `model` itself.

    Raises:
        AttackError: if a layer of one is in training mode and would mix the images of a batch.
    """

    def __init__(self, model: nn.Module, gradients_of: nn.Module | None) -> None:
        self.model = model
        self.source = model if gradients_of is None else gradients_of
        for network in (self.model, self.source):
            require_still(network)
        self._classes: int | None = None
        self._known: set[int] = set()

    @property
    def are_one(self) -> bool:
        """Whether gradients are taken of the very network that is judged."""
        return self.source is self.model

    @property
    def rounds(self) -> bool:
        """Whether the source is a copy whose logits are rounded too, not its gradients alone."""
        return getattr(self.source, "rounds", False) is True

    def gradient(
        self,
        x: torch.Tensor,
        labels: torch.Tensor,
        loss: Loss,
        aim: torch.Tensor | None,
        *,
        exact: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The loss's gradient at x, the losses (N,) and the logits: of the source, or the network
        itself if `exact`.

        Raises:
            AttackError: if the network passes no gradient to its input, or one that is not finite.
        """
        x = x.detach().requires_grad_()
        network = self.model if exact else self.source
        logits = network(x)
        self._check(network, x, logits, labels)
        losses = loss(logits, labels, aim)
        try:
            (gradient,) = torch.autograd.grad(losses.sum(), x)
        except RuntimeError as error:
            raise AttackError(
                "the network passes no gradient to its input, so it cannot be attacked by one "
                f"(is a rounding without a straight-through estimator in it?): {error}"
            ) from error
        require_finite(gradient)
        return gradient, losses.detach(), logits.detach()

    def source_logits(self, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The logits of the network that gradients are taken of."""
        return self._logits(self.source, x, labels)

    def logits(self, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The logits of the network itself."""
        return self._logits(self.model, x, labels)

    def _logits(self, network: nn.Module, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            logits: torch.Tensor = network(x)
        self._check(network, x, logits, labels)
        return logits

    def _check(
        self, network: nn.Module, x: torch.Tensor, logits: torch.Tensor, labels: torch.Tensor
    ) -> None:
        require_logits(logits, labels)
        if id(network) in self._known or len(logits) == 0:
            return
        require_no_probabilities(network, x.detach(), logits.detach())
        if self._classes not in (None, logits.shape[1]):
            raise AttackError(
                "the network that gradients are taken of must have the classes of the one that is "
                f"attacked; got {self._classes} and {logits.shape[1]}"
            )
        self._classes = logits.shape[1]
        self._known.add(id(network))
