"""The specification that a command's options stand for."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from dqviz.specs import AttackSpec, Craft, DataSpec, ExperimentSpec, ModelSpec, QuantSpec

from .options import CALIBRATION_IMAGES, DEFAULT_MODEL, NAMED_DATA
from .values import channels


def experiment_spec(kind: str, options: argparse.Namespace) -> ExperimentSpec:
    """What the options ask for.

    Raises:
        ValueError: if they contradict one another or a value does not fit.
    """
    model = _model(options)
    needs_images = kind != "lipschitz" or options.details
    quant = QuantSpec(
        weight_bits=options.weight_bits,
        act_bits=options.act_bits,
        first_bits=options.first_bits,
        last_bits=options.last_bits,
        ranges=options.ranges,
        percentile=options.percentile,
        fold_batchnorm=options.fold_batchnorm,
        estimator=options.estimator,
    )
    calibration = None
    if options.calibration is not None:
        calibration = DataSpec(
            name=options.calibration,
            split="train",
            n_samples=CALIBRATION_IMAGES,
            image_size=options.image_size,
        )
    return ExperimentSpec(
        kind=kind,
        model=model,
        data=_data(options, model, needed=needs_images),
        quant=quant,
        **_perturbation(kind, options, model),
        calibration=calibration,
        controls=getattr(options, "controls", False),
        details=getattr(options, "details", False),
        batch_size=options.batch_size,
    )


def _model(options: argparse.Namespace) -> ModelSpec:
    described = ("arch", "classes", "mean", "std")
    given = [f"--{name}" for name in described if getattr(options, name) is not None]
    if options.checkpoint is None:
        if given:
            raise ValueError(f"{given[0]} describes a --checkpoint; none is given")
        id = DEFAULT_MODEL if options.model is None else options.model
        return ModelSpec(id=id, **_squeezing(options))
    if options.model is not None:
        raise ValueError("give either --model or --checkpoint, not both")
    if not Path(options.checkpoint).is_file():
        raise ValueError(f"--checkpoint: there is no file {options.checkpoint}")
    return ModelSpec(
        id=Path(options.checkpoint).name,
        checkpoint=options.checkpoint,
        arch=options.arch,
        classes=options.classes,
        mean=channels(options.mean, "--mean"),
        std=channels(options.std, "--std"),
        **_squeezing(options),
    )


def _squeezing(options: argparse.Namespace) -> dict[str, Any]:
    return {name: getattr(options, name) for name in ("squeeze_bits", "squeeze_median")}


def _data(options: argparse.Namespace, model: ModelSpec, *, needed: bool) -> DataSpec:
    name = _own_data(model) if options.data is None else options.data
    if name is None and needed:
        raise ValueError(f"say with --data which images; none are known to belong to {model.label}")
    return DataSpec(
        name=NAMED_DATA[0] if name is None else name,
        split=options.split,
        n_samples=options.n,
        seed=options.seed,
        image_size=options.image_size,
    )


def _own_data(model: ModelSpec) -> str | None:
    """The data set that a network was made for, if that is known and there by name."""
    if model.checkpoint is not None:
        from dqviz.cards import card_beside

        card = card_beside(model.checkpoint)
        name = "" if card is None else card.dataset
    else:
        name = model.id.split("/")[0]
    return name if name in NAMED_DATA else None


def _perturbation(kind: str, options: argparse.Namespace, model: ModelSpec) -> dict[str, Any]:
    if kind == "corruptions":
        return {"severities": options.severities}
    crafted_on = _crafted_on(options, model)
    return {"attack": _attack(options), "crafted_on": crafted_on, "fast": options.fast}


def _attack(options: argparse.Namespace) -> AttackSpec:
    return AttackSpec(
        name=options.attack,
        epsilons=options.eps,
        norm=options.norm,
        steps=options.steps,
        alpha=options.alpha,
        restarts=options.restarts,
        random_start=options.random_start,
        targeted=options.targeted,
        seed=options.seed,
        loss=options.loss,
        momentum=options.momentum,
        queries=options.queries,
    )


def _crafted_on(options: argparse.Namespace, model: ModelSpec) -> Craft | None:
    name = options.crafted_on
    if name is None:
        return None
    return Craft(model=model if name == "full" else ModelSpec(id=name), quant=QuantSpec())
