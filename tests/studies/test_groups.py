"""Which cells are one task, in which order, and that a task's numbers are those of its cells."""

import dataclasses
import itertools

import pandas as pd
import pytest
import torch

from dqviz.experiments import resolve
from dqviz.experiments.run import run
from dqviz.experiments.workbench import Workbench
from dqviz.specs import (
    AttackSpec,
    Axis,
    Craft,
    DataSpec,
    ExperimentSpec,
    ModelSpec,
    QuantSpec,
    SweepSpec,
)
from dqviz.studies import Cell, Finding, Group, group
from dqviz.studies.groups import at_epsilons

NETWORKS = tuple(ModelSpec(id=f"some/net/{name}", fingerprint=name) for name in ("vanilla", "dq"))
BASE = ExperimentSpec(kind="accuracy", model=NETWORKS[0], data=DataSpec(fingerprint="d"))
EPSILONS = (0.02, 0.0, 0.01)

CLOSE = (1 / 255, 1.00001 / 255)
"""Two epsilons that a note writes alike."""


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Threads on layers this small only wait for one another, long where cores are shared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def cells_of(base=BASE, **axes):
    """The cells of a grid, with the dot of a path written as `__`."""
    named = [Axis(path=p.replace("__", "."), values=values) for p, values in axes.items()]
    return [Cell.of(spec) for spec in SweepSpec(base=base, axes=tuple(named)).cells()]


def members(groups):
    return [group.cells for group in groups]


@pytest.mark.parametrize("kind", ["accuracy", "amplification"])
def test_fgsm_at_several_epsilons_is_one_task(kind):
    base = dataclasses.replace(BASE, kind=kind)
    cells = cells_of(base, attack__epsilon=EPSILONS)
    (found,) = group(cells)
    assert found.cells == tuple(cells)
    assert found.spec == dataclasses.replace(base, attack=AttackSpec(epsilons=EPSILONS))


@pytest.mark.parametrize("attack", ["fgsm", "pgd"])
def test_constants_of_the_weights_at_several_epsilons_are_one_task(attack):
    base = dataclasses.replace(BASE, kind="lipschitz", attack=AttackSpec(name=attack))
    cells = cells_of(base, attack__epsilon=EPSILONS)
    (found,) = group(cells)
    assert found.cells == tuple(cells)


@pytest.mark.parametrize(
    ("kind", "attack"),
    [("accuracy", "pgd"), ("amplification", "bim"), ("accuracy", "rfgsm"), ("lipschitz", "fgsm")],
)
def test_what_shares_no_gradient_is_a_task_of_its_own(kind, attack):
    attacked = kind == "lipschitz"  # with details gains are measured, under the attack
    base = dataclasses.replace(BASE, kind=kind, attack=AttackSpec(name=attack), details=attacked)
    cells = cells_of(base, attack__epsilon=EPSILONS)
    groups = group(cells)
    assert members(groups) == [(cell,) for cell in cells]
    assert [one.spec for one in groups] == [cell.spec for cell in cells]


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("kind", ("accuracy", "amplification")),
        ("model", NETWORKS),
        ("crafted_on", (None, Craft(model=NETWORKS[1], quant=QuantSpec()))),
        ("controls", (True, False)),
        ("details", (True, False)),
        ("batch_size", (8, 16)),
        ("seed", (0, 1)),
        ("data__n_samples", (8, None)),
        ("quant__act_bits", (8, 4)),
        ("attack__norm", ("linf", "l2")),
        ("attack__targeted", (True, False)),
        ("attack__seed", (0, 1)),
    ],
)
def test_cells_of_a_task_differ_in_the_epsilon_alone(path, values):
    groups = group(cells_of(**{"attack__epsilon": EPSILONS, path: values}))
    assert [len(cells) for cells in members(groups)] == [3, 3]
    for cells in members(groups):
        assert {at_epsilons(cell.spec, (0.5,)) for cell in cells} == {
            at_epsilons(cells[0].spec, (0.5,))
        }


@pytest.fixture(scope="module")
def mixed():
    """Cells in an order in which no two that follow each other share much."""
    return cells_of(
        attack__epsilon=EPSILONS,
        quant__act_bits=(8, 4),
        attack__name=("fgsm", "pgd"),
        model=NETWORKS,
        kind=("accuracy", "lipschitz"),
        seed=(1, 0),
    )


def test_no_cell_is_lost_and_two_are_together_exactly_if_their_task_is_one(mixed):
    groups = group(iter(mixed))
    assert sorted(c.key for g in groups for c in g.cells) == sorted(c.key for c in mixed)
    place = {cell: number for number, g in enumerate(groups) for cell in g.cells}
    for one, other in itertools.combinations(mixed, 2):
        alike = at_epsilons(one.spec, (0.5,)) == at_epsilons(other.spec, (0.5,))
        shares = one.spec.kind == "lipschitz" or one.spec.attack.name == "fgsm"
        assert (place[one] == place[other]) == (alike and shares)


def test_tasks_that_share_images_and_a_network_follow_each_other(mixed):
    specs = [found.spec for found in group(mixed)]
    assert [data.seed for data, _ in itertools.groupby(spec.data for spec in specs)] == [1, 0]
    for shared in (
        lambda spec: (spec.data, spec.model),
        lambda spec: (spec.data, spec.model, spec.quant),
    ):
        runs = [key for key, _ in itertools.groupby(specs, key=shared)]
        assert len(runs) == len(set(runs))
    first = [(spec.model, spec.quant.act_bits) for spec in specs]
    assert list(dict.fromkeys(first)) == [(m, bits) for m in NETWORKS for bits in (8, 4)]


def test_nothing_makes_no_task():
    assert group([]) == []


def real_cells(model, data, kind, epsilons, **more):
    base = ExperimentSpec(
        kind=kind, model=model, data=data, quant=QuantSpec(weight_bits=4, act_bits=4), **more
    )
    axes = (Axis(path="attack.epsilon", values=epsilons),)
    return [Cell.of(resolve(spec)) for spec in SweepSpec(base=base, axes=axes).cells()]


def assert_same_bits(table, expected):
    pd.testing.assert_frame_equal(table, expected, check_exact=True)
    for name in ("value", "epsilon", "clean_accuracy", "clean_accuracy_full"):
        numbers, others = (found[name].dropna().to_numpy() for found in (table, expected))
        assert numbers.tobytes() == others.tobytes()


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("accuracy", {}),
        ("accuracy", {"attack": AttackSpec(norm="l2", targeted=True)}),
        ("amplification", {}),
        ("amplification", {"batch_size": 3}),
        ("amplification", {"controls": True, "details": True}),
        ("amplification", {"crafted_on": True}),
    ],
)
def test_each_cell_of_a_task_is_bit_for_bit_what_it_is_alone(kind, more, model, data):
    if "crafted_on" in more:
        more = {"crafted_on": Craft(model=model, quant=QuantSpec())}
    cells = real_cells(model, data, kind, (24 / 255, 0.0, *CLOSE), **more)
    (task,) = group(cells)
    together = run(task.spec, bench=Workbench())
    parts = task.split(together)
    assert [cell for cell, _ in parts] == cells
    for cell, finding in parts:
        alone = run(cell.spec, bench=Workbench())
        assert_same_bits(finding.table(), alone.table)
        assert finding.notes == alone.notes
        assert len(finding.notes) >= 1
    assert sum(len(finding.numbers) for _, finding in parts) == len(together.table)


@pytest.mark.parametrize("attack", ["fgsm", "pgd"])
def test_constants_of_a_task_are_bit_for_bit_those_of_every_cell(attack, model, data):
    epsilons = (24 / 255, 0.0, *CLOSE)
    cells = real_cells(model, data, "lipschitz", epsilons, attack=AttackSpec(name=attack))
    (task,) = group(cells)
    parts = task.split(run(task.spec, bench=Workbench()))
    assert [cell for cell, _ in parts] == cells
    for cell, finding in parts:
        alone = run(cell.spec, bench=Workbench())
        assert len(finding.numbers) > 20
        assert_same_bits(finding.table(), alone.table)
        assert finding == Finding.of(alone)


def test_the_cells_of_a_task_differ(model, data):
    """Else the comparison above would show nothing."""
    cells = real_cells(model, data, "amplification", (24 / 255, 0.0, 1 / 255))
    (task,) = group(cells)
    findings = [finding for _, finding in task.split(run(task.spec, bench=Workbench()))]
    assert len({finding.numbers for finding in findings}) == 3
    assert len({finding.notes for finding in findings}) == 3
    assert "At 1/255: " in findings[2].notes[-1]


def test_a_part_of_a_task_is_split_as_well(model, data):
    """Another sweep may have claimed the rest."""
    cells = real_cells(model, data, "accuracy", (2 / 255, 1 / 255))
    whole = Group(tuple(cells)).split(run(Group(tuple(cells)).spec, bench=Workbench()))
    for cell, expected in whole:
        own = Group((cell,))
        assert own.spec == cell.spec
        assert own.split(run(own.spec, bench=Workbench())) == [(cell, expected)]
