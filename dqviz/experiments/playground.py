"""One image through one network: pictures, probabilities, and the noise in the feature maps.

Arrays, all float32; `clean` for all epsilons, the rest for each (`Result.arrays_at`):
- `clean`, `adversarial`, images (C, H, W) in [0, 1]; `perturbation`, their difference.
- `difference/LAYER` for every layer of the specification: what the perturbation changed in the
  layer's input, a picture (H, W): the root-mean-square over the channels of a(x') - a(x), divided
  by that of a(x) over the whole map. Its own root-mean-square is the layer's relative distance, so
  one colour scale serves all networks. The input of a linear layer is a picture (1, F).

Rows for every epsilon, besides the common columns with `class`, `class_index`, `probability`,
`stage` (`clean` or `adversarial`), `label` and `predicted` (names of classes; at the stage of the
row). The clean accuracy is that on the first `CLEAN_IMAGES` of the images.
- metric `probability` of `logits`, one row a stage and class, `statistic` the stage;
- metric `relative_distance` of every layer and of the logits, `statistic` `value`.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dqviz.attacks import craft
from dqviz.data import DataError
from dqviz.data.decode import decode_image
from dqviz.measure.activations import LayerView, halves, observe_pairs
from dqviz.measure.distances import relative_distance
from dqviz.measure.rows import LOGITS, Row
from dqviz.models import ModelError, model_info
from dqviz.specs import ExperimentSpec

from .columns import data_name
from .findings import Findings
from .result import array_name
from .setting import Setting, add_notes, prepare
from .steps import Steps
from .workbench import Workbench

CLEAN_IMAGES = 64
EXTRA = ("stage", "class", "class_index", "probability", "label", "predicted")
STAGES = ("clean", "adversarial")


@dataclasses.dataclass(frozen=True, eq=False)
class _Picture:
    """One image (1, C, H, W) and its label's index; where the label is a guess, `guessed`."""

    image: torch.Tensor
    label: int
    guessed: bool


def measure(spec: ExperimentSpec, bench: Workbench, steps: Steps) -> Findings:
    """One image at every epsilon of the attack; see the module for what comes back.

    Raises:
        DataError: if the data set has no such image, or the file is none.
        ModelError: if the network has no such layer.
    """
    loading, judging, crafting, measuring = steps.split([1, 1, 2, 2])
    setting = prepare(spec, bench, loading)
    picture = _picture(setting)
    found = Findings(extra=EXTRA, columns=_accuracy_columns(setting, judging))
    adversarial = _adversarial(setting, picture, crafting)
    measuring.at(0.0, "through the network")
    add_notes(found, setting)
    if picture.guessed:
        found.notes.append("The label of an uploaded image is the class that the network predicts.")
    found.arrays["clean"] = picture.image[0].numpy()
    for epsilon, image in adversarial.items():
        found.arrays[array_name("perturbation", epsilon)] = (image - picture.image)[0].numpy()
        found.arrays[array_name("adversarial", epsilon)] = image[0].numpy()
    _look_inside(setting, picture, adversarial, found)
    for row in found.rows:
        row.update(attack=spec.attack.name)
    return found


def _accuracy_columns(setting: Setting, steps: Steps) -> dict[str, Any]:
    """The clean accuracies on few images, none where the network has too few classes for them."""
    few = setting
    if len(setting.data) > CLEAN_IMAGES:
        spec = dataclasses.replace(setting.images_spec, n_samples=CLEAN_IMAGES)
        few = dataclasses.replace(setting, images_spec=spec)
    try:
        return {**few.accuracy_columns(steps), "n_samples": None}
    except DataError:
        return {"calibration": setting.subject.calibration}


def _picture(setting: Setting) -> _Picture:
    spec = setting.spec
    if spec.image is None:
        if spec.sample >= len(setting.data):
            raise DataError(
                f"there is no image {spec.sample} among the {len(setting.data)} images of "
                f"{data_name(spec.data.name)} {spec.data.split}, which are counted from 0: "
                f"choose one of 0 to {len(setting.data) - 1}"
            )
        image = setting.data.images[spec.sample : spec.sample + 1]
        return _Picture(image, int(setting.data.labels[spec.sample]), guessed=False)
    size = setting.data.images.shape[-1]
    try:
        content = Path(spec.image).read_bytes()
    except OSError as error:
        raise DataError(f"{spec.image} cannot be read: {error.strerror or error}") from error
    pixels = decode_image(content, size=size, where=Path(spec.image).name)
    image = torch.from_numpy(pixels).permute(2, 0, 1).float().div(255).unsqueeze(0)
    with torch.no_grad():
        label = int(setting.full.network(image).argmax())
    return _Picture(image, label, guessed=True)


def _adversarial(setting: Setting, picture: _Picture, steps: Steps) -> dict[float, torch.Tensor]:
    """The picture under attack by epsilon, (1, C, H, W), kept for a request for other layers."""
    attack = setting.spec.attack

    def make() -> dict[float, torch.Tensor]:
        return craft(
            setting.source.attacked,
            picture.image,
            torch.tensor([picture.label]),
            attack,
            progress=steps.counter("crafting the perturbation"),
        )

    pixels = hashlib.sha256(picture.image.numpy().tobytes()).digest()
    return setting.bench.single.get((setting.source.key, pixels, picture.label, attack), make)


def _look_inside(
    setting: Setting, picture: _Picture, adversarial: Mapping[float, torch.Tensor], found: Findings
) -> None:
    """Adds the rows of probabilities and distances, and a picture for every layer asked for.

    All epsilons go through the network together, each beside its own copy of the clean image.
    """
    wanted = setting.spec.layers
    depths: dict[str, int] = {}

    def add(layer: str, depth: int, distances: torch.Tensor) -> None:
        for epsilon, distance in zip(adversarial, distances.tolist(), strict=True):
            found.add([Row(layer, depth, "relative_distance", "value", distance)], epsilon=epsilon)

    def see(view: LayerView) -> None:
        depths[view.name] = view.depth
        clean, perturbed = halves(view.inputs)
        add(view.name, view.depth, relative_distance(clean, perturbed))
        if view.name in wanted:
            for place, epsilon in enumerate(adversarial):
                name = array_name(f"difference/{view.name}", epsilon)
                found.arrays[name] = difference_picture(clean[place], perturbed[place])

    clean = picture.image.expand(len(adversarial), -1, -1, -1)
    logits = observe_pairs(setting.subject.network, clean, torch.cat([*adversarial.values()]), see)
    unknown = [name for name in wanted if name not in depths]
    if unknown:
        raise ModelError(
            f"{setting.spec.model.label} has no layer {unknown[0]!r}; it has {', '.join(depths)}"
        )
    add(LOGITS, len(depths), relative_distance(*logits))
    for place, epsilon in enumerate(adversarial):
        pair = (logits[0][place], logits[1][place])
        _add_probabilities(setting, picture, pair, found, depth=len(depths), epsilon=epsilon)


def difference_picture(clean: torch.Tensor, perturbed: torch.Tensor) -> np.ndarray:
    """Where two activations (C, H, W) or (F,) differ: float32 (H, W) or (1, F), see the module."""
    maps = clean.reshape(1, 1, -1) if clean.dim() == 1 else clean  # (F,) -> (1, 1, F)
    difference = (perturbed.reshape(maps.shape) - maps).square().mean(dim=0).sqrt()  # (H, W)
    scale = maps.square().mean().sqrt()
    return (difference / scale).to(torch.float32).cpu().numpy()


def class_names(setting: Setting) -> tuple[str, ...]:
    """The network's names of its classes; where it knows none, the data's if as many."""
    info, known = model_info(setting.spec.model), setting.data.classes
    return known if not info.named and len(known) == len(info.classes) else info.classes


def _add_probabilities(
    setting: Setting,
    picture: _Picture,
    logits: tuple[torch.Tensor, torch.Tensor],
    found: Findings,
    *,
    depth: int,
    epsilon: float,
) -> None:
    """The rows of both stages; `logits` (classes,) of the clean and of the adversarial image."""
    classes = class_names(setting)
    label = classes[picture.label]
    for stage, values in zip(STAGES, logits, strict=True):
        shares = values.double().softmax(dim=0).tolist()
        predicted = classes[shares.index(max(shares))]
        for index, share in enumerate(shares):
            found.add(
                [Row(LOGITS, depth, "probability", stage, share)],
                **{"class": classes[index], "class_index": index, "probability": share},
                stage=stage,
                label=label,
                predicted=predicted,
                epsilon=epsilon,
            )
