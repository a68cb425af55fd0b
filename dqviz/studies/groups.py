"""Which cells of a grid are computed together, so that what they share is computed once.

FGSM takes one gradient for all epsilons, and constants of the weights alone have no epsilon: cells
that differ in nothing else are one task, and its table is split again. The numbers are those of
each cell alone. Tasks that share images and a network follow each other, so that a worker finds
both, and the quantized network, still loaded.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from dqviz.experiments.result import Result
from dqviz.specs import ExperimentSpec

from .cell import Cell, Finding

ONE_GRADIENT = ("fgsm",)
"""The attacks whose costs lie in a gradient that all epsilons share."""


@dataclasses.dataclass(frozen=True)
class Group:
    """Cells that one task computes: one, or several that differ in the epsilon alone."""

    cells: tuple[Cell, ...]

    @property
    def spec(self) -> ExperimentSpec:
        """What the task computes."""
        return at_epsilons(self.cells[0].spec, [c.spec.attack.epsilons[0] for c in self.cells])

    def split(self, result: Result) -> list[tuple[Cell, Finding]]:
        """What the task's result says of each cell."""
        if len(self.cells) == 1:
            return [(self.cells[0], Finding.of(result))]
        return [(cell, Finding.of(_at(result, cell))) for cell in self.cells]


def group(cells: Iterable[Cell]) -> list[Group]:
    """The cells in groups, those next to each other that share the most."""
    together: dict[ExperimentSpec, list[Cell]] = {}
    for cell in cells:
        spec = cell.spec
        together.setdefault(at_epsilons(spec, (0.0,)) if shares(spec) else spec, []).append(cell)
    groups = [Group(tuple(members)) for members in together.values()]
    orders = [_first_places([part(g) for g in groups]) for part in (_data, _model, _quant)]
    places = [tuple(order[place] for order in orders) for place in range(len(groups))]
    return [groups[place] for place in sorted(range(len(groups)), key=places.__getitem__)]


def shares(spec: ExperimentSpec) -> bool:
    """Whether all epsilons of an experiment cost little more than one of them."""
    if spec.kind == "lipschitz":
        return not spec.details
    return spec.attack.name in ONE_GRADIENT


def at_epsilons(spec: ExperimentSpec, epsilons: Sequence[float]) -> ExperimentSpec:
    """The same experiment at these epsilons (pixel units)."""
    attack = dataclasses.replace(spec.attack, epsilons=tuple(epsilons))
    return dataclasses.replace(spec, attack=attack)


def _at(result: Result, cell: Cell) -> Result:
    """What a result at several epsilons says of one; a row without an epsilon is of every one."""
    epsilon = cell.spec.attack.epsilons[0]
    own = result.table["epsilon"].isin([epsilon]) | result.table["epsilon"].isna()
    table = result.table[own].reset_index(drop=True)
    # Notes at two epsilons that look the same once rounded are one text: told apart by place.
    others = {note for notes in result.epsilon_notes.values() for note in notes}
    shared = [note for note in result.notes if note not in others]
    notes = (*shared, *result.epsilon_notes.get(epsilon, ()))
    return dataclasses.replace(result, table=table, notes=notes, spec_key=cell.key)


def _data(group: Group) -> object:
    return group.cells[0].spec.data


def _model(group: Group) -> object:
    return group.cells[0].spec.model


def _quant(group: Group) -> object:
    return group.cells[0].spec.quant


def _first_places(values: Sequence[object]) -> list[int]:
    """For each value the place of its first occurrence."""
    first: dict[object, int] = {}
    return [first.setdefault(value, place) for place, value in enumerate(values)]
