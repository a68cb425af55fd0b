"""Filters: what they find, what they refuse, and that none goes through all numbers."""

import dataclasses

import pandas as pd
import pytest

from dqviz.experiments.result import COLUMNS
from dqviz.specs import ModelSpec
from dqviz.studies import Cell, StoreError
from dqviz.studies.queries import number_table, reading
from dqviz.studies.selection import Selection, select
from tests.studies.stores import CLAIMED, DONE, FAILED, cell, fill, found

ALL = Selection()


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A store with 48 finished cells, a failed and a claimed one."""
    file = tmp_path_factory.mktemp("store") / "study.sqlite"
    return fill(file, done=DONE, failed=[FAILED], claimed=[CLAIMED])


def expected(condition):
    return {each.key for each in (*DONE, FAILED, CLAIMED) if condition(each.spec)}


@pytest.mark.parametrize(
    ("wanted", "condition"),
    [
        ({}, lambda spec: True),
        ({"kind": ["amplification"]}, lambda spec: spec.kind == "amplification"),
        ({"model": ["some/net"]}, lambda spec: spec.model.id.startswith("some/net/")),
        ({"model": ["some/net/dq"]}, lambda spec: spec.model.id == "some/net/dq"),
        (
            {"model": ["other/net", "some/net/dq"]},
            lambda spec: spec.model.id in ("other/net/dq", "some/net/dq"),
        ),
        ({"weights": ["dq"]}, lambda spec: spec.model.id.endswith("dq")),
        ({"weight_bits": [8]}, lambda spec: True),
        ({"act_bits": [2, 3]}, lambda spec: spec.quant.act_bits in (2, 3)),
        ({"attack": ["pgd"]}, lambda spec: spec.attack.name == "pgd"),
        ({"epsilon": [1 / 510]}, lambda spec: spec.attack.epsilons == (0.5 / 255,)),
        ({"epsilon": [0.5 / 255 * (1 + 1e-12)]}, lambda spec: spec.attack.epsilons < (0.003,)),
        ({"data": ["streetdigits"], "seed": [1]}, lambda spec: spec.data.seed == 1),
        (
            {"model": ["some/net/dq"], "seed": [0, 1], "act_bits": [8], "attack": ["fgsm"]},
            lambda spec: (
                spec.model.id == "some/net/dq"
                and spec.quant.act_bits == 8
                and spec.attack.name == "fgsm"
            ),
        ),
    ],
)
def test_filters_find_the_cells_that_have_one_of_the_values(path, wanted, condition):
    assert found(path, **wanted) == expected(condition) != set()


def test_states_are_filters_too(path):
    assert found(path, state=["failed", "claimed"]) == {FAILED.key, CLAIMED.key}


def test_values_that_do_not_meet_find_nothing(path):
    assert found(path, kind=["amplification"], act_bits=[2]) == set()


@pytest.mark.parametrize(
    "wanted",
    [{"metric": ["margin"]}, {"statistic": ["value"]}, {"layer": ["conv1"], "metric": ["margin"]}],
    ids=str,
)
@pytest.mark.parametrize("cells", [{}, {"weights": ["dq"], "seed": [0]}], ids=str)
def test_filters_find_numbers_among_those_of_the_cells(path, wanted, cells):
    with reading(path) as connection:
        table = number_table(connection, ALL)
        for name, values in (wanted | cells).items():
            table = table[table[name].isin(values)]
        found = number_table(connection, select(connection, wanted | cells))
    assert len(found) > 0
    pd.testing.assert_frame_equal(found, table.reset_index(drop=True))


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"model": ["some"]}, "model some; there are other/net/dq, some/net/dq, some/net/vanilla"),
        ({"weights": ["dq", "q"]}, "weights q; there are dq, vanilla"),
        ({"act_bits": [8, 4]}, "act bits 4; there are 2, 3, 5, 8"),
        ({"epsilon": [1.0001 / 255]}, "epsilon 1/255; there are 0.5/255, 1/255"),
        ({"epsilon": [8 / 255]}, "epsilon 8/255; there are 0.5/255, 1/255"),
        ({"attack": [""]}, "attack ''; there are fgsm, pgd"),
        ({"state": ["lost"]}, "state lost; there are claimed, done, failed"),
        ({"seed": [2**70]}, "seed 1180591620717411303424; there are 0, 1"),
        ({"metric": ["loss"]}, "metric loss; there are margin, robust_accuracy"),
        ({"layer": ["conv1", "conv2"]}, "layer conv2; there are conv1, network"),
        ({"statistic": ["\udcff"]}, "there are median, value"),
        ({"weights": ["dq' OR 1=1 --"]}, "weights dq' OR 1=1 --; there are dq, vanilla"),
        ({"colour": ["red"]}, "nothing is found by 'colour'; expected kind, model,"),
    ],
    ids=str,
)
def test_a_value_that_is_nowhere_is_refused_with_those_that_there_are(path, wanted, said):
    with reading(path) as connection, pytest.raises(StoreError) as caught:
        select(connection, wanted)
    assert said in str(caught.value)


def test_no_more_than_ten_values_are_named(tmp_path):
    path = fill(tmp_path / "s", done=[cell(seed=seed) for seed in range(13)])
    with reading(path) as connection, pytest.raises(StoreError) as caught:
        select(connection, {"seed": [13]})
    assert str(caught.value).endswith("there are 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 3 more")


def test_an_empty_store_says_so(tmp_path):
    path = fill(tmp_path / "s")
    assert found(path) == set()
    with reading(path) as connection:
        assert tuple(number_table(connection, ALL).columns) == (*COLUMNS, "key")
        with pytest.raises(StoreError, match="has the seed 0; it is empty"):
            select(connection, {"seed": [0]})


def test_a_name_is_never_taken_for_sql(tmp_path):
    odd = "it's; DROP TABLE cells; --\"?"
    spec = dataclasses.replace(
        cell().spec, model=ModelSpec(id=odd, checkpoint="x.pt", arch="a", fingerprint="file:0")
    )
    path = fill(tmp_path / "s", done=[Cell.of(spec), cell()])
    assert found(path, weights=[odd]) == found(path, model=[f"a/{odd}"]) == {Cell.of(spec).key}


@pytest.mark.parametrize(
    ("wanted", "plan"),
    [
        ({"weights": ["dq"]}, "USING PRIMARY KEY (cell=?)"),
        ({"weights": ["dq"], "metric": ["margin"]}, "USING PRIMARY KEY (cell=?)"),
        ({"metric": ["margin"]}, "USING INDEX numbers_by_metric (metric=?)"),
    ],
)
def test_no_filter_goes_through_all_numbers(path, wanted, plan):
    with reading(path) as connection:
        selection = select(connection, wanted)
        query = f"EXPLAIN QUERY PLAN SELECT value FROM numbers WHERE {selection.joined}"
        said = [row["detail"] for row in connection.execute(query, selection.joined_values)]
    assert any(plan in text for text in said), said
