"""Adversarial images as PNG files, loaded again and judged: what is left of them in a file."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch
from PIL import Image

from dqviz.data.decode import decode_image
from dqviz.measure.accuracy import Proportion, correctness, wilson
from dqviz.specs import ExperimentSpec

from .setting import Setting, prepare
from .steps import Steps
from .workbench import Workbench


@dataclasses.dataclass(frozen=True)
class Saved:
    """What became of the images of one epsilon (pixel units).

    `written` is the network's accuracy on the images as they were rounded, `loaded` on what the
    files hold, `changed` how many images are not what was written.
    """

    epsilon: float
    folder: Path
    written: Proportion
    loaded: Proportion
    changed: int


def save_images(spec: ExperimentSpec, folder: Path, bench: Workbench, steps: Steps) -> list[Saved]:
    """Writes the attack's last images at every epsilon, loads them again and judges both.

    One folder an epsilon, `eps-1` for 1/255, and one file an image, `00012-label-3.png`, numbered
    in the order of the data. Pixels are rounded to 8 bits. The images are those that
    `robust_accuracy_uint8` is measured on, made without early stopping.

    Args:
        spec: an experiment, resolved.
        folder: made if it is not there.
        bench: what it has crafted already is not crafted again.
        steps: for progress and cancelling.

    Raises:
        OSError: if a file cannot be written.
    """
    loading, crafting, writing = steps.split([1, 6, 3])
    setting = prepare(spec, bench, loading)
    attacked = setting.crafted(crafting)
    return [
        _saved(setting, epsilon, images, folder / f"eps-{epsilon * 255:.6g}", part)
        for (epsilon, images), part in zip(
            attacked.items(), writing.split([1] * len(attacked)), strict=True
        )
    ]


def _saved(
    setting: Setting, epsilon: float, images: torch.Tensor, folder: Path, steps: Steps
) -> Saved:
    folder.mkdir(parents=True, exist_ok=True)
    codes = (images * 255).round().to(torch.uint8)
    count = steps.counter(f"saving images in {folder.name}")
    loaded = torch.empty_like(images)
    for number, (code, label) in enumerate(zip(codes, setting.data.labels.tolist(), strict=True)):
        path = folder / f"{number:05d}-label-{label}.png"
        Image.fromarray(code.permute(1, 2, 0).numpy()).save(path)
        pixels = decode_image(path.read_bytes(), size=code.shape[-1], where=path.name)
        loaded[number] = torch.from_numpy(pixels).permute(2, 0, 1).float() / 255
        count(number + 1, len(codes))
    written = codes.float() / 255
    return Saved(
        epsilon=epsilon,
        folder=folder,
        written=_judged(setting, written),
        loaded=_judged(setting, loaded),
        changed=int((written != loaded).flatten(1).any(1).sum()),
    )


def _judged(setting: Setting, images: torch.Tensor) -> Proportion:
    right = correctness(
        setting.subject.network, images, setting.data.labels, batch_size=setting.spec.batch_size
    )
    return wilson(int(right.sum()), len(right))
