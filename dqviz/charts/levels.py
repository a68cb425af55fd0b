"""The numbers of a network that are drawn against its bits: titles, axes, formulas, words."""

from __future__ import annotations

import dataclasses

from dqviz.charts.formulas import FORMULAS

DISTANCE = "the relative distance ‖d‖₂ / ‖a‖₂ at the input of the last layer"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Level:
    """A number of a network: how it is called, its axis, its formula, how to read it."""

    title: str
    axis: str
    how: str
    formula: str
    percent: bool = False
    log: bool = False
    line: float | None = None


LEVELS = {
    "attack_success": Level(
        title="Attack success by bits",
        axis="Flipped (%)",
        how="Lower is harder to attack: images flipped, of those that all networks of a panel "
        "classify correctly unattacked",
        formula=FORMULAS["success"],
        percent=True,
    ),
    "robust_accuracy": Level(
        title="Robust accuracy by bits",
        axis="Accuracy (%)",
        how="Higher is harder to attack: images still classified correctly under the attack",
        formula=FORMULAS["accuracy"],
        percent=True,
    ),
    "clean_accuracy": Level(
        title="Clean accuracy by bits",
        axis="Accuracy (%)",
        how="All test images, unattacked, of networks trained at these bits",
        formula=FORMULAS["accuracy"],
    ),
    "corrupted_accuracy": Level(
        title="Accuracy under natural corruptions by bits",
        axis="Accuracy (%)",
        how="The mean over noise, blur, brightness, contrast and JPEG at three severities",
        formula=FORMULAS["accuracy"],
    ),
    "relative_distance": Level(
        title="How far the last layer moves, by bits",
        axis="Relative distance (ratio)",
        how=f"Higher is more noise: {DISTANCE}, the median over the images",
        formula=FORMULAS["relative_distance"],
        log=True,
    ),
    "amplification": Level(
        title="Amplification at the last layer, by bits",
        axis="Amplification (ratio)",
        how=f"Above 1 the noise has grown: {DISTANCE} over that of the normalised image",
        formula=FORMULAS["amplification"],
        log=True,
        line=1.0,
    ),
    "amplification_centred": Level(
        title="Amplification at the last layer, centred, by bits",
        axis="Amplification (ratio)",
        how="Above 1 the noise has grown: the centred relative distance at the input of the last "
        "layer over that of the normalised image",
        formula=FORMULAS["relative_distance_centred"],
        log=True,
        line=1.0,
    ),
    "quantizer_gain": Level(
        title="What a quantizer makes of the noise, by bits",
        axis="Gain, out / in (ratio)",
        how="Above 1 quantizers enlarge the noise: the median over a network's quantizers",
        formula=FORMULAS["quantizer"],
        log=True,
        line=1.0,
    ),
    "flips_ratio": Level(
        title="What bucket flips add, by bits",
        axis="Real run / frozen codes (ratio)",
        how="Above 1 flips enlarge the noise at the logits: the distance of the real run over that "
        "with every code frozen at the clean image",
        formula=FORMULAS["flips"],
        log=True,
        line=1.0,
    ),
    "failure_auc": Level(
        title="What predicts that an image is flipped, by bits",
        axis="Area under ROC (0 to 1)",
        how="At 1 the number ranks flipped images perfectly, at 0.5 no better than a coin",
        formula=FORMULAS["failure"],
        line=0.5,
    ),
    "bit_operations": Level(
        title="Bit operations by bits",
        axis="Bit operations (number)",
        how="What one image costs: lower is cheaper",
        formula=FORMULAS["bit_operations"],
        log=True,
    ),
}
