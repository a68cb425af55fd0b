"""Grids as specifications: which cells there are, in which order, and what is refused."""

import copy
import dataclasses
import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqviz.specs import (
    AttackSpec,
    Axis,
    Craft,
    DataSpec,
    Exclusion,
    ExperimentSpec,
    ModelSpec,
    QuantSpec,
    SpecError,
    SweepSpec,
)
from dqviz.specs.sweep import PATHS, with_values

VANILLA = ModelSpec(id="streetdigits/resnet20/vanilla")
DQ = ModelSpec(id="streetdigits/resnet20/dq")
COARSE = Craft(model=DQ, quant=QuantSpec(weight_bits=8, act_bits=4))

TWO_VALUES = {
    "kind": ("amplification", "lipschitz"),
    "model": (VANILLA, DQ),
    "crafted_on": (None, COARSE),
    "controls": (True, False),
    "details": (False, True),
    "batch_size": (1, 32),
    "fast": (True, False),
    "seed": (0, 1),
    "attack.epsilon": (0, 1 / 255),
    "data.name": ("streetdigits", "parquet:images"),
    "data.split": ("train", "test"),
    "data.n_samples": (8, None),
    "data.seed": (3, 4),
    "data.image_size": (None, 64),
    "quant.weight_bits": (32, 4),
    "quant.act_bits": (8, 1),
    "quant.first_bits": (8, 32),
    "quant.last_bits": (2, 4),
    "quant.ranges": ("mse", "minmax"),
    "quant.percentile": (99, 99.5),
    "quant.fold_batchnorm": (True, False),
    "quant.estimator": ("identity", "clipped"),
    "attack.name": ("fgsm", "pgd"),
    "attack.norm": ("linf", "l2"),
    "attack.steps": (1, 7),
    "attack.alpha": (None, 0.5 / 255),
    "attack.restarts": (1, 3),
    "attack.random_start": (True, False),
    "attack.targeted": (True, False),
    "attack.seed": (5, 2**63 - 1),
    "attack.loss": ("cross_entropy", "dlr"),
    "attack.momentum": (1, 0.5),
    "attack.queries": (1, 5000),
}


def axis(path, *values):
    return Axis(path=path, values=values)


def exclusion(**values):
    """An exclusion by paths written with `__` for the dot, each with a tuple of values."""
    return Exclusion(axes=tuple(axis(p.replace("__", "."), *v) for p, v in values.items()))


def grid(*axes, exclude=(), **base):
    return SweepSpec(
        base=ExperimentSpec(**{"kind": "accuracy", **base}), axes=axes, exclude=tuple(exclude)
    )


def at(spec, path):
    """The value that an experiment has at the path of an axis."""
    if path == "seed":
        assert spec.data.seed == spec.attack.seed
        return spec.data.seed
    if path == "attack.epsilon":
        (epsilon,) = spec.attack.epsilons
        return epsilon
    for name in path.split("."):
        spec = getattr(spec, name)
    return spec


def test_the_first_axis_varies_slowest():
    sweep = grid(
        axis("quant.act_bits", 8, 4), axis("attack.epsilon", 0.01, 0.02), axis("seed", 1, 0)
    )
    found = [(c.quant.act_bits, c.attack.epsilons, c.data.seed) for c in sweep.cells()]
    assert sweep.product == 8
    assert found[:4] == [(8, (0.01,), 1), (8, (0.01,), 0), (8, (0.02,), 1), (8, (0.02,), 0)]
    assert found[4:] == [(4, epsilons, seed) for _, epsilons, seed in found[:4]]


def test_what_no_axis_names_is_as_in_the_base():
    base = ExperimentSpec(
        kind="amplification",
        data=DataSpec(n_samples=7, seed=2),
        quant=QuantSpec(weight_bits=8, act_bits=8),
        attack=AttackSpec(name="pgd", steps=3, epsilons=(0.01,)),
        calibration=DataSpec(n_samples=9),
    )
    (cell,) = SweepSpec(base=base, axes=(axis("quant.act_bits", 4),)).cells()
    assert cell == dataclasses.replace(base, quant=QuantSpec(weight_bits=8, act_bits=4))


@pytest.mark.parametrize("path", PATHS)
def test_every_path_can_be_an_axis_and_sets_that_alone(path):
    values = TWO_VALUES[path]
    cells = list(grid(axis(path, *values)).cells())
    assert [at(cell, path) for cell in cells] == list(values)
    also = {"seed", "data.seed", "attack.seed"} if path.endswith("seed") else set()
    for other in set(PATHS) - {path, "seed"} - also:
        assert at(cells[0], other) == at(cells[1], other)


def test_a_seed_is_that_of_the_images_and_of_the_attack():
    cells = list(grid(axis("seed", 0, 7)).cells())
    assert [(cell.data.seed, cell.attack.seed) for cell in cells] == [(0, 0), (7, 7)]


def test_networks_are_values_and_nothing_is_changed():
    sweep = grid(
        axis("model", VANILLA, DQ),
        axis("crafted_on", None, COARSE),
        axis("seed", 0, 1),
        exclude=[exclusion(seed=(1,), crafted_on=(COARSE,))],
    )
    before, first = copy.deepcopy(sweep), list(sweep.cells())
    pairs = [(cell.model, cell.crafted_on) for cell in first if cell.data.seed == 0]
    assert pairs == [(VANILLA, None), (VANILLA, COARSE), (DQ, None), (DQ, COARSE)]
    assert list(sweep.cells()) == first
    assert sweep == before
    assert {sweep, before} == {sweep}
    assert len(set(first)) == len(first) == 6


def test_an_exclusion_leaves_out_what_has_one_of_its_values_on_each_of_its_axes():
    sweep = grid(
        axis("quant.act_bits", 32, 8, 4),
        axis("attack.name", "fgsm", "bim", "pgd"),
        exclude=[exclusion(quant__act_bits=(32, 8), attack__name=("pgd", "bim"))],
    )
    found = [(cell.quant.act_bits, cell.attack.name) for cell in sweep.cells()]
    assert sweep.product == 9
    assert found == [(32, "fgsm"), (8, "fgsm"), (4, "fgsm"), (4, "bim"), (4, "pgd")]


def test_an_exclusion_of_an_axis_that_is_not_there_covers_nothing():
    assert not exclusion(crafted_on=(None,)).covers({"seed": 0})


def test_what_cannot_be_made_need_not_be_made_where_it_is_excluded():
    sweep = grid(
        axis("attack.norm", "linf", "l2"),
        axis("attack.epsilon", 2.0, 0.01),
        exclude=[exclusion(attack__norm=("linf",), attack__epsilon=(2.0,))],
    )
    assert len(list(sweep.cells())) == 3


SMALL = {
    "seed": (0, 1, 2),
    "controls": (True, False),
    "quant.act_bits": (32, 8, 4, 1),
    "attack.epsilon": (0, 0.25, 1),
    "model": (VANILLA, DQ),
    "crafted_on": (None, COARSE),
}


def chosen_from(values):
    return st.lists(st.sampled_from(values), unique=True, min_size=1)


@st.composite
def small_grids(draw):
    """Axes as a mapping, and exclusions as mappings from some axes to some of their values."""
    paths = draw(st.lists(st.sampled_from(sorted(SMALL)), unique=True, max_size=4))
    axes = {path: draw(chosen_from(SMALL[path])) for path in paths}
    parts = {path: chosen_from(values) for path, values in axes.items()}
    excluded = st.fixed_dictionaries({}, optional=parts).filter(bool)
    return axes, draw(st.lists(excluded, max_size=3)) if axes else []


@given(small_grids())
@settings(deadline=None)
def test_there_are_as_many_cells_as_counted_by_hand(drawn):
    axes, excluded = drawn
    sweep = grid(
        *(axis(path, *values) for path, values in axes.items()),
        exclude=[Exclusion(axes=tuple(axis(p, *v) for p, v in e.items())) for e in excluded],
    )
    expected = []
    for combination in itertools.product(*axes.values()):
        chosen = dict(zip(axes, combination, strict=True))
        if not any(all(chosen[p] in v for p, v in e.items()) for e in excluded):
            expected.append(combination)
    assert sweep.product == math.prod(map(len, axes.values()))
    assert [tuple(at(cell, path) for path in axes) for cell in sweep.cells()] == expected


@pytest.mark.parametrize(
    ("path", "values", "message"),
    [
        ("quant.bits", (4,), "'quant.bits' is no axis; expected kind, model,"),
        ("attack.epsilons", (0.1,), "'attack.epsilons' is no axis"),
        ("data.fingerprint", ("x",), "'data.fingerprint' is no axis"),
        ("seed", (), "seed has no values: give at least one"),
        ("seed", [0], "the values of seed must be a tuple of texts, numbers"),
        ("kind", "accuracy", "the values of kind must be a tuple"),
        ("model", (["x"],), "the values of model must be a tuple"),
        ("seed", (0, 1, 0), "seed has the value 0 twice"),
        ("attack.epsilon", (1, 1.0), "attack.epsilon has the value 1 twice"),
        ("model", (VANILLA, ModelSpec()), "streetdigits/resnet20/vanilla twice"),
        ("crafted_on", (COARSE, COARSE), "resnet20/dq W8 A4 twice"),
    ],
)
def test_what_is_no_axis_is_refused(path, values, message):
    with pytest.raises(SpecError) as caught:
        Axis(path=path, values=values)
    assert message in str(caught.value)


SEEDS = axis("seed", 0, 1)


@pytest.mark.parametrize(
    ("axes", "excluded", "message"),
    [
        ([SEEDS], [], "an exclusion names at least one axis"),
        ([SEEDS], [axis("seed", 0), SEEDS], "the axis seed of an exclusion is there twice"),
        ([SEEDS, axis("seed", 5)], None, "the axis seed of a grid is there twice"),
        ([SEEDS, axis("data.seed", 1)], None, "seed sets data.seed too: keep one of them"),
        ([axis("attack.seed", 1), SEEDS], None, "seed sets attack.seed too"),
        ([SEEDS], [axis("controls", True)], "which is no axis of this grid; its axes are seed"),
        ([], [SEEDS], "its axes are none"),
        (
            [SEEDS],
            [axis("seed", 1, 2)],
            "names seed 2, which that axis does not take",
        ),
        ([SEEDS], [axis("seed", True)], "names seed True, which that axis does not take"),
        ([axis("model", DQ)], [axis("model", VANILLA)], "it takes streetdigits/resnet20/dq"),
        ([axis("kind", "accuracy", "playground")], None, "accuracy; got 'playground'"),
    ],
)
def test_what_is_no_grid_is_refused(axes, excluded, message):
    with pytest.raises(SpecError) as caught:
        grid(*axes, exclude=[] if excluded is None else [Exclusion(axes=tuple(excluded))])
    assert message in str(caught.value)


def test_a_base_is_one_cell_of_a_kind_that_grids_hold():
    with pytest.raises(SpecError, match="the base of a sweep has one epsilon"):
        grid(attack=AttackSpec(epsilons=(0.1, 0.2)))
    with pytest.raises(SpecError, match="accuracy; got 'playground'"):
        grid(kind="playground")


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        (
            [axis("attack.norm", "l2", "linf"), axis("attack.epsilon", 0.5, 2.0)],
            "the cell with attack.norm 'linf', attack.epsilon 2.0: an L-infinity epsilon above 1",
        ),
        (
            [axis("model", DQ), axis("attack.name", "pgd"), axis("attack.restarts", 3)],
            "the cell with model streetdigits/resnet20/dq, attack.name 'pgd', attack.restarts 3: "
            "without a random start every restart is the same",
        ),
        ([axis("batch_size", 1, True)], "the cell with batch_size True: batch_size must be a "),
        ([axis("controls", True, 1)], "the cell with controls 1: controls must be True or False"),
        ([axis("attack.epsilon", math.nan)], "the cell with attack.epsilon nan: epsilons must be"),
        ([axis("crafted_on", COARSE, DQ)], "the cell with crafted_on streetdigits/resnet20/dq: "),
    ],
)
def test_values_that_do_not_go_together_are_refused_with_their_cell(axes, message):
    sweep = grid(*axes, attack=AttackSpec(random_start=False))
    with pytest.raises(SpecError) as caught:
        list(sweep.cells())
    assert message in str(caught.value)


def test_a_seed_beside_another_is_refused_in_a_single_experiment_too():
    with pytest.raises(SpecError, match=r"seed sets data\.seed too"):
        with_values(ExperimentSpec(kind="accuracy"), {"data.seed": 1, "seed": 2})
