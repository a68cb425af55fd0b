"""What an attack asks of its network, images and labels, refused with the reason."""

from __future__ import annotations

import torch
from torch import nn

from dqviz.attacks.errors import AttackError

SUM_TOLERANCE = 1e-4
"""How far from 1 a row of probabilities may sum in float32."""

_MIXING = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)


def require_still(model: nn.Module) -> None:
    """Refuse a network in which an image's prediction depends on chance or on its batch.

    Raises:
        AttackError: if a BatchNorm or dropout layer is in training mode, naming the first.
    """
    for name, module in model.named_modules():
        if isinstance(module, _MIXING) and module.training:
            raise AttackError(
                f"{type(module).__name__} {name!r} is in training mode, so predictions depend on "
                "the batch or on chance; call model.eval() first"
            )


def require_images(images: torch.Tensor) -> None:
    """Refuse what is no batch of images.

    Raises:
        AttackError: if the tensor is not float32 (N, C, H, W), N at least 1, with values in [0, 1].
    """
    if images.dim() != 4 or len(images) == 0 or images.dtype != torch.float32:
        raise AttackError(
            "images must be float32 of shape (N, C, H, W), N at least 1; "
            f"got {images.dtype} {tuple(images.shape)}"
        )
    low, high = (float(bound) for bound in torch.aminmax(images))
    if not (low >= 0 and high <= 1):
        raise AttackError(f"pixels must lie in [0, 1]; got values from {low:g} to {high:g}")


def require_labels(labels: torch.Tensor, images: torch.Tensor) -> None:
    """Refuse labels that are not one class an image.

    Raises:
        AttackError: if the tensor is not int64 (N,) with values of 0 or more.
    """
    if labels.dtype != torch.int64 or labels.shape != (len(images),):
        raise AttackError(
            f"labels must be int64 of shape ({len(images)},); "
            f"got {labels.dtype} {tuple(labels.shape)}"
        )
    if int(labels.min()) < 0:
        raise AttackError(f"labels must be 0 or more; got {int(labels.min())}")


def require_logits(logits: torch.Tensor, labels: torch.Tensor) -> None:
    """Refuse a network's answer that is not a logit for every image and class.

    Raises:
        AttackError: if logits are not (N, classes) with two classes or more, one of them is NaN, or
            a label is not one of the classes.
    """
    if logits.dim() != 2 or len(logits) != len(labels):
        raise AttackError(
            f"the network must return logits ({len(labels)}, classes); got {tuple(logits.shape)}"
        )
    if logits.shape[1] < 2:
        raise AttackError(
            f"an attack needs a network of at least 2 classes; got {logits.shape[1]}: there is no "
            "other class to be taken for"
        )
    if len(labels) > 0 and int(labels.max()) >= logits.shape[1]:
        raise AttackError(
            f"label {int(labels.max())} is none of the network's {logits.shape[1]} classes"
        )
    bad = int(logits.isnan().any(1).sum())
    if bad:
        raise AttackError(
            f"the network's logits are NaN for {bad} of {len(logits)} images, so it cannot be said "
            "what it takes them for"
        )


def look_like_probabilities(outputs: torch.Tensor) -> bool:
    """Whether all rows of outputs (N, classes) lie in [0, 1] and sum to 1."""
    within = bool(((outputs >= 0) & (outputs <= 1)).all())
    return within and bool(((outputs.sum(1) - 1).abs() <= SUM_TOLERANCE).all())


def require_no_probabilities(model: nn.Module, x: torch.Tensor, logits: torch.Tensor) -> None:
    """Refuse a network that ends in a softmax.

    The rule: every row of the batch lies in [0, 1] and sums to 1 within `SUM_TOLERANCE`. One row
    may do so by chance, so a single image is judged together with its negative, 1 - x.

    Args:
        model: the network.
        x: its images (N, C, H, W).
        logits: what it returned for them, (N, classes).

    Raises:
        AttackError: saying what to do.
    """
    if not look_like_probabilities(logits):
        return
    if len(logits) == 1:
        with torch.no_grad():
            if not look_like_probabilities(model(1 - x)):
                return
    raise AttackError(
        "the network returns probabilities (every row lies in [0, 1] and sums to 1); attacks need "
        "logits: leave out its last softmax"
    )


def require_finite(gradient: torch.Tensor) -> None:
    """Refuse a gradient that holds NaN or infinity.

    Raises:
        AttackError: naming how many images have one.
    """
    finite = torch.isfinite(gradient).flatten(1).all(1)
    if not bool(finite.all()):
        raise AttackError(
            f"the gradient of {int((~finite).sum())} of {len(gradient)} images is NaN or infinite"
        )
