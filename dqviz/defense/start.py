"""The network that a training begins with: new weights by the seed, or those of a trained network.

Fine-tuning a trained network is what quantization-aware training does, and it makes adversarial
training short: Jeddi, Shafiee, Wong: *A Simple Fine-tuning Is All You Need: Towards Robust Deep
Learning Via Adversarial Fine-tuning*, https://arxiv.org/abs/2012.13628.
"""

from __future__ import annotations

from dqviz.cards import CardError, load_card
from dqviz.defense.errors import TrainError
from dqviz.defense.recipe import Recipe
from dqviz.models import ModelError, build, load_model
from dqviz.models.normalize import Classifier


def start_network(recipe: Recipe, *, classes: int) -> Classifier:
    """The network of a recipe before its first step, on the processor, its parameters free.

    Args:
        recipe: its `start` names a network that comes with the package; empty, the weights are
            drawn by the seed.
        classes: how many there are.

    Raises:
        TrainError: if there is no such network, or its architecture, classes or normalisation are
            not those of the recipe.
    """
    if not recipe.start:
        network = build(recipe.arch, classes, seed=recipe.seed)
        return Classifier(network, mean=recipe.mean, std=recipe.std)
    try:
        card, model = load_card(recipe.start), load_model(recipe.start)
    except (CardError, ModelError) as error:
        raise TrainError(f"start = {recipe.start!r} cannot be had: {error}") from error
    wanted = (recipe.arch, classes, recipe.mean, recipe.std)
    found = (card.arch, len(card.classes), card.mean, card.std)
    names = ("architecture", "number of classes", "mean", "std")
    unlike = [
        f"{name} {own}, expected {other}"
        for name, own, other in zip(names, found, wanted, strict=True)
        if own != other
    ]
    if unlike:
        raise TrainError(
            f"start = {recipe.start!r} does not fit this training: {'; '.join(unlike)}"
        )
    network = model.net.requires_grad_(True)
    return Classifier(network, mean=recipe.mean, std=recipe.std)
