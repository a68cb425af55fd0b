"""What goes into a network's file of weights, and the network made equal to it."""

from __future__ import annotations

import torch

from dqviz.defense.errors import TrainError
from dqviz.defense.recipe import Recipe
from dqviz.defense.trained import Trained
from dqviz.models.registry import State
from dqviz.models.stored import SUFFIX, pack, unpack


def keep(trained: Trained, recipe: Recipe) -> State:
    """The tensors to write; `trained` is rounded to them, so that its card describes the file.

    Raises:
        TrainError: if a number is too large for half precision.
    """
    network = trained.model.net
    state = network.state_dict()
    if recipe.stored == "int8":
        state = _coded(state, trained, recipe)
    half = recipe.stored != "float32"
    state = {name: _narrow(name, value, half=half) for name, value in state.items()}
    lost = [name for name, value in state.items() if not bool(value.isfinite().all())]
    if lost:
        raise TrainError(f"{lost[0]} does not fit into float16; set stored = 'float32'")
    network.load_state_dict(unpack(state, name=recipe.id))
    return state


def _narrow(name: str, value: torch.Tensor, *, half: bool) -> torch.Tensor:
    """Half precision but for whole numbers and scales, which all weights of a channel hang on."""
    if not half or not value.is_floating_point() or name.endswith(SUFFIX):
        return value
    return value.half()


def _coded(state: State, trained: Trained, recipe: Recipe) -> State:
    """Every layer's weights as codes at the bits that they were trained at."""
    assert trained.ranges is not None
    assert recipe.quant is not None
    coded = dict(state)
    for place, layer in enumerate(trained.ranges):
        name = f"{layer.removeprefix('net.')}.weight"
        _, bits = recipe.quant.rounding(place, len(trained.ranges))
        codes, scale = pack(state[name], quant_max=2 ** (bits - 1) - 1)
        coded |= {name: codes, f"{name}{SUFFIX}": scale}
    return coded
