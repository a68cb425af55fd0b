"""What the optimizer is given: the parameters in groups, and the learning rate of every step."""

from __future__ import annotations

from typing import Any

from torch import nn

from dqviz.defense.quantized_layers import steps_of
from dqviz.defense.recipe import Recipe


def learning_rate(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """Linear from 0 to the recipe's rate during the warm-up, then linear to 0 at the last step."""
    steps = recipe.epochs * steps_per_epoch
    warmup = min(recipe.warmup_epochs * steps_per_epoch, steps / 2)
    if step < warmup:
        return recipe.learning_rate * (step + 1) / (warmup + 1)
    return recipe.learning_rate * (steps - step) / max(steps - warmup, 1)


def parameter_groups(model: nn.Module) -> list[dict[str, Any]]:
    """What is trained: all parameters, the learned steps of quantizers without weight decay."""
    steps = steps_of(model)
    known = {id(step) for step in steps}
    groups: list[dict[str, Any]] = [
        {"params": [p for p in model.parameters() if id(p) not in known]}
    ]
    return [*groups, {"params": steps, "weight_decay": 0.0}] if steps else groups
