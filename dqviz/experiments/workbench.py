"""What experiments have in common: data, networks and perturbations, loaded once and kept a while.

A worker process keeps the latest of each, so that a bit-width not seen before costs a quantization
and no loading. Everything is keyed by resolved specifications; what is returned is shared and must
not be changed.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import torch
from torch import nn

from dqviz.attacks import Outcome, craft_outcomes
from dqviz.attacks.arithmetic import threads_of
from dqviz.attacks.fast import gradients_in
from dqviz.data import ImageData, load_data
from dqviz.measure.accuracy import correctness
from dqviz.measure.network_bounds import NetworkLipschitz
from dqviz.measure.rows import Row
from dqviz.models import model_info
from dqviz.quantize import (
    BackwardThrough,
    Spread,
    collect_histograms,
    from_json,
    quantize_model,
)
from dqviz.specs import FULL_PRECISION, TRAINED, AttackSpec, Craft, DataSpec, ModelSpec

from .arithmetic import arithmetic_for
from .columns import data_name
from .image_counts import at_most_whole
from .memo import Memo
from .networks import at_full_precision, card_of, check_labels, check_size, load_network
from .own_quantizers import measured_as_trained
from .resolve import Look, default_calibration
from .steps import Steps

DATA_BYTES = 1024**3
CRAFTED_BYTES = 512 * 1024**2
SINGLE_BYTES = 64 * 1024**2


class Measured(NamedTuple):
    """What one perturbation gives: rows, numbers by image, and why failure cannot be predicted."""

    rows: list[Row]
    samples: list[dict[str, Any]]
    reason: str | None


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """A network as it is measured: quantized as asked, or with 32 bits throughout.

    `attacked` is the network as an attack sees it: the same logits bit for bit, with the gradients
    of the estimator asked for. `calibration` says in a few words where the activation ranges come
    from.
    """

    key: tuple[Craft, DataSpec | None, DataSpec]
    network: nn.Module
    attacked: nn.Module
    calibration: str

    @property
    def name(self) -> str:
        """The network's id and its bits, such as `cifar10/resnet20/dq W8 A4`."""
        return self.key[0].label


class Workbench:
    """Loads, quantizes and attacks, and remembers the latest of each. Not thread-safe."""

    def __init__(self) -> None:
        self._data: Memo[ImageData] = Memo(max_entries=8, max_bytes=DATA_BYTES, size=_data_bytes)
        self._networks: Memo[nn.Module] = Memo(max_entries=8)
        self._sizes: Memo[int] = Memo(max_entries=64)
        self._histograms: Memo[dict[str, Spread]] = Memo(max_entries=16)
        self._subjects: Memo[Subject] = Memo(max_entries=24)
        self._copies: Memo[nn.Module | None] = Memo(max_entries=8)
        self._correct: Memo[torch.Tensor] = Memo(max_entries=256)
        self._outcomes: Memo[dict[float, Outcome]] = Memo(
            max_entries=64, max_bytes=CRAFTED_BYTES, size=_outcome_bytes
        )
        self.measured: Memo[Measured] = Memo(max_entries=256)
        self.sqnr_rows: Memo[list[Row]] = Memo(max_entries=64)
        self.norm_rows: Memo[list[Row]] = Memo(max_entries=64)
        self.cost_rows: Memo[list[Row]] = Memo(max_entries=64)
        self.gain_rows: Memo[list[Row]] = Memo(max_entries=256)
        self.bounds: Memo[NetworkLipschitz] = Memo(max_entries=64)
        self.ratios: Memo[float] = Memo(max_entries=256)
        self.single: Memo[dict[float, torch.Tensor]] = Memo(
            max_entries=256, max_bytes=SINGLE_BYTES, size=_crafted_bytes
        )

    def sized(self, data: DataSpec, model: ModelSpec) -> DataSpec:
        """The same images at the size that a network was made for, unless another one is asked."""
        size = model_info(model).image_size
        if data.image_size is not None or size == 32:
            return data
        return dataclasses.replace(data, image_size=size)

    def data(self, spec: DataSpec, steps: Steps) -> ImageData:
        """The images that a resolved specification names."""
        counter = steps.counter("loading images")
        return self._data.get(spec, lambda: load_data(spec, progress=counter))

    def network(self, spec: ModelSpec) -> nn.Module:
        """The network at full precision.

        Raises:
            ModelError: if its file is no longer what the specification's fingerprint says.
        """
        return self._networks.get(spec, lambda: load_network(spec))

    def subject(
        self, craft_spec: Craft, calibration: DataSpec | None, data: DataSpec, steps: Steps
    ) -> Subject:
        """The network quantized as asked.

        Args:
            craft_spec: network and bits.
            calibration: the images that its activation ranges come from; None takes the card's
                histograms, else the training split of `data`, else `data` itself.
            data: the evaluated images.
            steps: for progress and cancelling.
        """
        key = (craft_spec, calibration, data)
        return self._subjects.get(key, lambda: self._prepare(key, steps))

    def correct(
        self, subject: Subject, data: DataSpec, *, batch_size: int, steps: Steps
    ) -> torch.Tensor:
        """Which clean images the network classifies correctly, (N,) bool."""

        def judge() -> torch.Tensor:
            images = self.data(data, steps)
            check_labels(subject.network, images, name=subject.key[0].model.id)
            counter = steps.counter("clean accuracy")
            return correctness(
                subject.network,
                images.images,
                images.labels,
                batch_size=batch_size,
                progress=counter,
            )

        return self._correct.get((subject.key, data, batch_size), judge)

    def outcomes(
        self,
        subject: Subject,
        data: DataSpec,
        attack: AttackSpec,
        *,
        batch_size: int,
        steps: Steps,
        early_stop: bool = False,
        fast: bool = False,
    ) -> dict[float, Outcome]:
        """The adversarial images by epsilon, crafted on a network batch by batch.

        `fast` lets gradients be taken in the arithmetic that is fastest on this machine: for what
        asks whether an attack succeeds, never for what measures the perturbation.

        Where the attack is an ensemble, also what broke each image.
        """
        arithmetic = arithmetic_for(subject.key[0], fast=fast)

        def make() -> dict[float, Outcome]:
            images = self.data(data, steps)
            check_labels(subject.network, images, name=subject.key[0].model.id)
            with threads_of(arithmetic):
                return craft_outcomes(
                    subject.attacked,
                    images.images,
                    images.labels,
                    attack,
                    early_stop=early_stop,
                    batch_size=batch_size,
                    progress=steps.counter("crafting the perturbation"),
                    gradients_of=self.gradients_of(subject, fast=fast),
                )

        key = (subject.key, data, attack, batch_size, early_stop, arithmetic)
        return self._outcomes.get(key, make)

    def gradients_of(self, subject: Subject, *, fast: bool) -> nn.Module | None:
        """The copy of a network that an attack takes gradients of; None for `attacked` itself."""
        arithmetic = arithmetic_for(subject.key[0], fast=fast)
        return self._copies.get(
            (subject.key, arithmetic), lambda: gradients_in(subject.attacked, arithmetic)
        )

    def _prepare(self, key: tuple[Craft, DataSpec | None, DataSpec], steps: Steps) -> Subject:
        craft_spec, calibration, data = key
        model, quant = craft_spec.model, craft_spec.quant
        size = self.sized(data, model).image_size or 32
        self._sizes.get((model, size), lambda: check_size(self.network(model), size))
        histograms, source = None, "none"
        if quant.act_bits != FULL_PRECISION:
            histograms, source = self._calibrate(craft_spec, calibration, data, steps)
            steps.at(0.9, "quantizing")
        network = quantize_model(self.network(model), quant, calibration=histograms)
        # Convolutions take about half the time with their channels last (measured on two cores).
        network = network.to(memory_format=torch.channels_last)
        attacked: nn.Module = network
        if quant.estimator == "unquantized" and not quant.is_full_precision:
            attacked = BackwardThrough(network, backward=self._full(key, steps).network)
        return Subject(key=key, network=network, attacked=attacked, calibration=source)

    def _full(self, key: tuple[Craft, DataSpec | None, DataSpec], steps: Steps) -> Subject:
        """The same network at full precision."""
        craft_spec, _, data = key
        return self.subject(at_full_precision(craft_spec), None, data, steps)

    def _calibrate(
        self, craft_spec: Craft, calibration: DataSpec | None, data: DataSpec, steps: Steps
    ) -> tuple[dict[str, Spread], str]:
        model = craft_spec.model
        if calibration is None:
            card = card_of(model)
            if card is not None and card.calibration:
                source = TRAINED if measured_as_trained(card, craft_spec.quant) else "card"
                return self._histograms.get(model, lambda: from_json(card.calibration)), source
            calibration = default_calibration(data, Look())
        spec = at_most_whole(self.sized(calibration, model))

        def collect() -> dict[str, Spread]:
            steps.at(0.3, "calibrating the ranges")
            images = self.data(spec, steps)
            return {**collect_histograms(self.network(model), images.images)}

        count = len(self.data(spec, steps))
        source = f"{data_name(spec.name)} {spec.split} ({count})"
        return self._histograms.get((model, spec), collect), source


def _data_bytes(data: ImageData) -> int:
    return data.images.nbytes


def _outcome_bytes(outcomes: dict[float, Outcome]) -> int:
    return sum(outcome.adversarial.nbytes for outcome in outcomes.values())


def _crafted_bytes(crafted: dict[float, torch.Tensor]) -> int:
    return sum(images.nbytes for images in crafted.values())
