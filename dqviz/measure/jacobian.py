"""The largest singular value of a network's Jacobian at given images: a lower Lipschitz bound."""

from __future__ import annotations

import torch
from torch import nn

from dqviz.measure.activations import Progress, device_of
from dqviz.measure.errors import MeasureError

MOST_CLASSES = 100
"""Up to this many classes the Jacobian is built whole."""

FEW_CLASSES = 10
"""Above, the rows of this many classes, those with the largest logits."""

_NUMBERS = 2**26
_ROUNDING = 1e-4


def jacobian_norms(
    model: nn.Module,
    images: torch.Tensor,
    *,
    batch_size: int = 64,
    progress: Progress | None = None,
) -> torch.Tensor:
    """||J||_2 of logits by pixels at every image, a lower bound of the Lipschitz constant.

    J is built from one vector-Jacobian product a class, all images of a batch at once, and its norm
    is the root of the largest eigenvalue of J J^T, in float64. With more than `MOST_CLASSES`
    classes only the rows of the `FEW_CLASSES` largest logits are taken, whose norm is at most J's.
    J is computed in float32; 1e-4 of the norm is taken off for its rounding.

    A straight-through gradient is no Jacobian: the caller refuses networks that round.

    Args:
        model: images in, logits (N, classes) out, in eval mode, differentiable almost everywhere.
        images: (N, C, H, W), pixels in [0, 1].
        batch_size: images at once, fewer where the Jacobians would take more than 256 MB.
        progress: called after each batch with the images done and in all; may raise to cancel.

    Returns:
        (N,), float64, in logits per pixel unit.

    Raises:
        MeasureError: if the images are not (N, C, H, W), N at least 1.
    """
    if images.dim() != 4 or len(images) == 0:
        raise MeasureError(f"expected images (N, C, H, W), N at least 1; got {tuple(images.shape)}")
    size = max(1, min(batch_size, _NUMBERS // (MOST_CLASSES * images[0].numel())))
    found = []
    for start in range(0, len(images), size):
        found.append(_norms(model, images[start : start + size].to(device_of(model))))
        if progress is not None:
            progress(min(start + size, len(images)), len(images))
    return torch.cat(found) * (1 - _ROUNDING)


def _norms(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    images = images.detach().clone().requires_grad_(True)
    with torch.enable_grad():
        logits = model(images)
        classes = logits.shape[1]
        rows = classes if classes <= MOST_CLASSES else FEW_CLASSES
        outputs = logits.topk(rows, dim=1).values.sum(0)  # (rows,): no image touches another's
        gradients = [
            torch.autograd.grad(outputs[row], images, retain_graph=row + 1 < rows)[0]
            for row in range(rows)
        ]
    jacobian = torch.stack(gradients, 1).flatten(2)  # (N, rows, C * H * W)
    grams = torch.stack([(j.double() @ j.double().T).cpu() for j in jacobian])
    values: torch.Tensor = torch.linalg.eigvalsh(grams)
    return values[:, -1].clamp(min=0).sqrt()
