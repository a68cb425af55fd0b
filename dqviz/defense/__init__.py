"""Defensive Quantization: its penalty, and training with and without it."""

from dqviz.defense.errors import TrainError
from dqviz.defense.penalty import orthogonality_penalty
from dqviz.defense.recipe import Recipe, read_recipe
from dqviz.defense.ship import train
from dqviz.defense.trained import Diverged, Progress, Trained
from dqviz.defense.training import train_network

__all__ = [
    "Diverged",
    "Progress",
    "Recipe",
    "TrainError",
    "Trained",
    "orthogonality_penalty",
    "read_recipe",
    "train",
    "train_network",
]
