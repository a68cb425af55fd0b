"""`results`: what it prints and writes of a store, and what it refuses."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys

import pandas as pd
import pytest

from dqviz.cli import results
from dqviz.experiments.result import COLUMNS
from dqviz.studies import Owner
from dqviz.studies.queries import EXPORTED, LISTED
from tests.studies.stores import FAILURE, cell, change, fill, rows_of, traces

EPSILONS = (0.5 / 255, 1 / 255)
DONE = [
    cell(bits, epsilon, model=model)
    for model in ("some/net/vanilla", "some/net/dq")
    for bits in (8, 4)
    for epsilon in EPSILONS
]
FAILED, CLAIMED = cell(3), cell(2, attack="pgd")
SUBCOMMANDS = ("list", "show", "export", "merge", "check")


@pytest.fixture
def store(tmp_path):
    """A store with eight finished cells, a failed and a claimed one."""
    return fill(tmp_path / "study.sqlite", done=DONE, failed=[FAILED], claimed=[CLAIMED])


def assert_refused(answer, *said):
    status, out, err = answer
    assert (status, out) == (2, "")
    assert err.count("\n") == 1, err
    assert err.startswith("dqviz")
    for part in (": error: ", *said):
        assert part in err, err


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_every_subcommand_has_help_with_examples(name, command):
    status, out, err = command("results", name, "--help")
    assert (status, err) == (0, "")
    assert f"python -m dqviz results {name} study.sqlite" in out
    assert f"results {name} study.sqlite" in command("results", "--help")[1]


def test_list_has_a_line_a_cell_and_a_summary(command, store):
    before = traces(store)
    status, out, err = command("results", "list", store)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].split() == list(results.views.LIST_COLUMNS)
    assert len(lines) == 1 + 10 + 2
    first = "done accuracy some/net vanilla W8 A8 fgsm 0.5/255 streetdigits test 8 0 itself"
    assert lines[1].split()[:-2] == first.split()
    failed = next(line for line in lines if line.startswith("failed"))
    assert failed.endswith(FAILURE.message.replace("\n", " "))
    assert lines[-1] == "10 cells (8 done, 1 failed, 1 claimed), 32 numbers"
    assert traces(store) == before


def test_a_long_error_is_cut_and_the_file_has_all_of_it(command, store, tmp_path):
    change(store, ("UPDATE cells SET error = ? WHERE state = 'failed'", "no " * 100))
    out = command("results", "list", store, "--state", "failed")[1]
    assert max(map(len, out.splitlines())) < 200
    assert "no no ..." in out
    file = tmp_path / "cells.json"
    status, out, err = command("results", "list", store, "--out", file)
    assert (status, out, err) == (0, "", f"wrote 10 rows to {file}\n")
    rows = json.loads(file.read_text())
    assert set(rows[0]) == set(LISTED)
    assert [row["error"] for row in rows if row["state"] == "failed"] == ["no " * 100]


@pytest.mark.parametrize(
    ("filters", "cells"),
    [
        (["--model", "some/net/dq"], 4),
        (["--weights", "dq, vanilla"], 10),
        (["--act-bits", "8, 3"], 5),
        (["--act-bits", "8", "--act-bits", "3"], 5),
        (["--weight-bits", "8", "--attack", "fgsm", "--eps", "1/510"], 4),
        (["--eps", "1/255,1/510", "--weights", "dq"], 4),
        (["--data", "streetdigits", "--seed", "0", "--kind", "accuracy", "--state", "done"], 8),
        (["--state=claimed", "--weights=dq"], 0),
    ],
    ids=str,
)
def test_each_filter_takes_several_values(command, store, filters, cells):
    status, out, err = command("results", "list", store, *filters)
    assert (status, err) == (0, "")
    assert out.splitlines()[-1].startswith(f"{cells} cells")


def test_show_says_once_what_all_rows_have_in_common(command, store):
    options = ["--weights", "dq", "--metric", "robust_accuracy", "--layer", "network"]
    status, out, err = command("results", "show", store, *options)
    assert (status, err) == (0, "")
    heading, table = out.rstrip("\n").split("\n\n")
    assert heading.replace("\n", " ").startswith("all of these: model some/net, weights dq, weight")
    lines = table.splitlines()
    assert lines[0].split() == [
        "act_bits",
        "epsilon",
        "layer",
        "metric",
        "statistic",
        "value",
        "key",
    ]
    key = cell(8, EPSILONS[0], model="some/net/dq").key[:8]
    assert lines[1].split() == ["8", "0.5/255", "network", "robust_accuracy", "value", "0.5", key]
    assert len(lines) == 5


def test_show_stops_after_forty_rows_and_says_how_many_there_are(command, store, tmp_path):
    many = fill(tmp_path / "many.sqlite", done=[cell(seed=seed) for seed in range(11)])
    out = command("results", "show", many)[1]
    assert out.endswith("\n\nand 4 more: --out FILE writes them all\n")
    assert len(out.split("\n\n")[1].splitlines()) == 41
    out = command("results", "show", many, "--seed", "0,1,2,3,4,5,6,7,8,9")[1]
    assert "more" not in out
    assert len(out.split("\n\n")[1].splitlines()) == 41


def test_show_of_nothing_says_so(command, store, tmp_path):
    found = command("results", "show", store, "--state", "failed")
    assert found == (0, "no number is all of this at once\n", "")
    empty = fill(tmp_path / "empty.sqlite")
    assert command("results", "show", empty) == (0, "no numbers\n", "")
    assert command("results", "list", empty) == (0, "0 cells, 0 numbers\n", "")


def from_json(file):
    return pd.DataFrame(json.loads(file.read_text()))


@pytest.mark.parametrize("suffix", ["csv", "json", "parquet"])
def test_show_and_export_write_all_rows(command, store, tmp_path, suffix):
    reader = {"csv": pd.read_csv, "json": from_json, "parquet": pd.read_parquet}[suffix]
    shown, exported = (tmp_path / f"{name}.{suffix}" for name in ("shown", "exported"))
    assert command("results", "show", store, "--out", shown)[:2] == (0, "")
    status, out, err = command("results", "export", store, "--out", exported)
    assert (status, out, err) == (0, "", f"wrote 32 rows to {exported}\n")
    rows, more = reader(shown), reader(exported)
    assert tuple(rows.columns) == (*COLUMNS, "key")
    assert tuple(more.columns) == (*COLUMNS, "key", *EXPORTED)
    assert list(rows["value"].dropna()) == list(more["value"].dropna()) == [0.5] * 16
    assert sorted(set(rows["key"])) == sorted(each.key for each in DONE)
    assert set(more["finished"].str.slice(-6)) == {"+00:00"}
    assert set(more["n_samples"]) == {8}
    assert set(rows["epsilon"]) == set(EPSILONS)


def test_an_empty_export_has_the_header(command, store, tmp_path):
    file = tmp_path / "none.csv"
    assert command("results", "export", store, "--state", "claimed", "--out", file)[0] == 0
    assert file.read_text() == ",".join((*COLUMNS, "key", *EXPORTED)) + "\n"


def test_merge_says_what_came_of_each_source(command, store, tmp_path):
    target = tmp_path / "all.sqlite"
    other = fill(tmp_path / "other.sqlite", done=DONE[:2], value=0.75)
    status, out, err = command("results", "merge", target, store, other)
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        f"{store}: 9 cells taken over, 1 of them failed",
        f"{other}: 0 cells taken over; 2 cells left as in {target}",
        f"{other}: 2 cells with other numbers than in {target} (by up to 0.25), which keeps its "
        "own",
    ]
    assert rows_of(target, "SELECT count(*) FROM numbers") == [(32,)]


def test_merge_refuses_the_target_as_a_source(command, store):
    answer = command("results", "merge", store, store)
    assert_refused(answer, f"{store} is the store to merge into")


def test_check_says_in_one_line_that_a_store_is_sound(command, store):
    status, out, err = command("results", "check", store)
    said = f"{store} is sound: 10 cells (8 done, 1 failed, 1 claimed), 32 numbers\n"
    assert (status, out, err) == (0, said, "")
    gone = Owner(token="a", machine=platform.node(), process=2**22 + 1, born=1.0)
    fill(store, claimed=[cell(5)], owner=gone)
    status, out, err = command("results", "check", store)
    assert (status, out.count("\n")) == (0, 1)
    assert f"gone: process {2**22 + 1} on {platform.node()} (1 cell)" in out


@pytest.mark.parametrize(("cells", "lines"), [(1, 1), (20, 20), (23, 20)])
def test_check_has_a_line_a_problem(command, tmp_path, cells, lines):
    path = fill(tmp_path / "s", done=[cell(seed=seed) for seed in range(cells)])
    change(path, ("DELETE FROM numbers",))
    status, out, err = command("results", "check", path)
    assert (status, out) == (2, "")
    said = err.splitlines()
    assert len(said) == lines + 1
    assert said[0] == f"cell {cell(seed=0).key} is done and has no numbers"
    count = "1 problem" if cells == 1 else f"{cells} problems"
    assert said[-1].startswith(f"dqviz results: error: {path} is not sound: {count}")
    assert ("the first 20" in said[-1]) == (cells > 20)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--model", "other"], "model other; there are some/net/dq, some/net/vanilla"),
        (["--weights", "dq,"], "expected a name; got ''"),
        (["--weight-bits", "0"], "whole number from 1 to 32; got '0'"),
        (["--act-bits", "5"], "act bits 5; there are 2, 3, 4, 8"),
        (["--eps", "x"], "expected a number or a fraction such as 1/255; got 'x'"),
        (["--eps", "2/255"], "epsilon 2/255; there are 0.5/255, 1/255"),
        (["--seed", "-1"], "whole number of 0 or more; got '-1'"),
        (["--state", "lost"], "state lost; there are claimed, done, failed"),
        (["--attack", "bim"], "attack bim; there are fgsm, pgd"),
        (["--kind", "lipschitz"], "kind lipschitz; there are accuracy"),
        (["--data", "svhn"], "data svhn; there are streetdigits"),
        (["--weights", "\udcff"], r"weights \udcff; there are dq, vanilla"),
        (["--mod", "some/net"], "--mod"),
        (["--out", "rows.txt"], "rows.txt"),
    ],
    ids=ascii,
)
@pytest.mark.parametrize("name", ["list", "show"])
def test_bad_filters_are_refused_in_one_line(command, store, name, given, said):
    assert_refused(command("results", name, store, *given), said)


@pytest.mark.parametrize("name", ["list", "show", "check"])
def test_a_file_that_is_no_store_is_refused(command, tmp_path, name):
    assert_refused(command("results", name, tmp_path / "none"), "there is no store")
    assert_refused(command("results", name, tmp_path), "is a folder")
    (tmp_path / "text").write_text("a,b\n")
    assert_refused(command("results", name, tmp_path / "text"), "is no store of results")
    assert sorted(tmp_path.iterdir()) == [tmp_path / "text"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "SUBCOMMAND"),
        (["fly"], "fly"),
        (["list"], "STORE"),
        (["export", "x.sqlite"], "--out"),
        (["merge", "x.sqlite"], "SOURCE"),
        (["list", "x.sqlite", "--metric", "margin"], "--metric"),
        (["show", "x.sqlite", "--out", "/nowhere/at/all.csv"], "no folder"),
    ],
)
def test_commands_that_make_no_sense(command, given, said):
    assert_refused(command("results", *given), said)


@pytest.mark.parametrize("name", ["list", "show", "export"])
def test_the_store_is_never_written_over(command, store, name):
    named = store.rename(store.with_suffix(".csv"))
    before = traces(named)
    detour = named.parent / ".." / named.parent.name / named.name
    assert_refused(command("results", name, named, "--out", detour), "is the store")
    assert traces(named) == before


def test_looking_into_a_store_needs_no_torch(store):
    code = (
        "import sys; from dqviz.cli import main; main(['results', 'show', sys.argv[1]]);"
        "print('torch' in sys.modules, 'plotly' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(store)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "False False"
