"""`sweep` on the command line: what it computes, says and refuses."""

from __future__ import annotations

import json

import pytest

from dqviz.cli.sweep import describe
from dqviz.studies import Progress, Store

GRID = """
kind = "accuracy"

[model]
checkpoint = {checkpoint}
arch = "wrn_10_1"
classes = 4
mean = [0.5, 0.5, 0.5]
std = [0.25, 0.25, 0.25]

[data]
name = {data}
n_samples = 8

[quant]
act_bits = [8, 4]

[attack]
epsilon = ["1/255", "2/255"]
"""


@pytest.fixture
def grid(tmp_path, checkpoint, images_folder):
    """A grid of four cells."""
    names = {"checkpoint": str(checkpoint), "data": f"parquet:{images_folder}"}
    path = tmp_path / "grid.toml"
    path.write_text(GRID.format(**{name: json.dumps(text) for name, text in names.items()}))
    return path


def keys(path):
    with Store(path) as store:
        return {row["key"] for row in store._connection.execute("SELECT key FROM cells")}


def test_it_computes_what_is_missing_and_says_so(command, grid, tmp_path):
    store = tmp_path / "store.sqlite"
    one = ("--workers", "1")
    status, output, said = command("sweep", str(grid), "--store", str(store), *one)
    assert status == 0
    assert f"4 of 4 cells are in {store}, 4 of them computed now" in output
    assert len(keys(store)) == 4
    status, output, said = command("sweep", str(grid), "--store", str(store))
    assert (status, said) == (0, "")
    assert output.strip() == f"all 4 cells are in {store} already"


def test_the_store_lies_in_the_data_folder_unless_named(command, grid, tmp_path, monkeypatch):
    monkeypatch.setenv("DQVIZ_DATA", str(tmp_path / "mine"))
    assert command("sweep", str(grid), "--shard", "1/2", "--workers", "1")[0] == 0
    assert len(keys(tmp_path / "mine" / "results" / "store.sqlite")) == 2


def test_a_dry_run_lists_the_cells_and_computes_none(command, grid, tmp_path):
    store = tmp_path / "store.sqlite"
    status, output, _ = command("sweep", str(grid), "--store", str(store), "--dry-run")
    assert status == 0
    assert output.count("missing  accuracy") == 4
    assert "4 cells, 0 of them done; 4 to compute, in 2 tasks" in output
    assert "about" in output
    assert not store.exists()


def test_a_shard_is_a_part_of_the_grid(command, grid, tmp_path):
    store = str(tmp_path / "store.sqlite")
    outputs = [
        command("sweep", str(grid), "--store", store, "--shard", part, "--dry-run")[1]
        for part in ("1/2", "2/2")
    ]
    listed = [[line for line in out.splitlines() if "missing" in line] for out in outputs]
    assert [len(lines) for lines in listed] == [2, 2]
    assert not set(listed[0]) & set(listed[1])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--store", "no/such/folder/x.sqlite"], "there is no folder no/such/folder"),
        (["--store", "."], "is a folder"),
        (["--workers", "0"], "--workers"),
        (["--shard", "3/2"], "3/10"),
        (["--shard", "0/2"], "3/10"),
        (["--cell-timeout", "0"], "above 0"),
        (["--scheduler", "localhost:8786"], "expected tcp://HOST:PORT"),
        (["--scheduler", "tcp://127.0.0.1:9", "--workers", "2"], "leave --workers out"),
        (["--scheduler", "tls://127.0.0.1:9"], "needs all of --tls-ca, --tls-cert, --tls-key"),
        (["--tls-ca", "ca.pem"], "are for a --scheduler at tls://"),
        (
            ["--scheduler", "tls://h:1", "--tls-ca", "a", "--tls-cert", "b", "--tls-key", "c"],
            "there is no file a",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(command, grid, options, said):
    status, output, error = command("sweep", str(grid), *options)
    assert (status, output) == (2, "")
    assert said in error
    assert len(error.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("act_bits = [8, 4]", "act_bits = [8, 17]"), "act_bits must be 1 to 8"),
        (('arch = "wrn_10_1"', 'arch = "resnet20"'), "does not fit"),
        (("act_bits = [8, 4]", "bits = 4"), "unknown setting"),
        (("n_samples = 8", "n_samples = []"), "no values"),
        (
            ("n_samples = 8", f"seed = {list(range(60_000))}"),
            "has 240,000 cells before exclusions; if that is meant, say --yes",
        ),
    ],
)
def test_a_bad_grid_is_refused_in_one_line(command, grid, tmp_path, change, said):
    grid.write_text(grid.read_text().replace(*change))
    status, _, error = command("sweep", str(grid), "--store", str(tmp_path / "x"), "--dry-run")
    assert status == 2
    assert said in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "x").exists()


def test_a_network_that_is_not_there_is_named(command, tmp_path):
    grid = tmp_path / "grid.toml"
    grid.write_text('model = "streetdigits/resnet20/none"\n')
    status, _, error = command("sweep", str(grid), "--store", str(tmp_path / "x"))
    assert status == 2
    assert "streetdigits/resnet20/none" in error


def test_a_scheduler_that_is_not_there_is_said(command, grid, tmp_path, monkeypatch):
    monkeypatch.setattr("dqviz.experiments.cluster.CONNECT_SECONDS", 0.5)
    status, _, error = command(
        "sweep", str(grid), "--store", str(tmp_path / "x"), "--scheduler", "tcp://127.0.0.1:9"
    )
    assert status == 2
    assert "whoever can reach tcp://127.0.0.1:9 can run code" in error
    assert "nothing was computed" in error


def test_a_line_of_progress():
    state = Progress(total=40, done=13, before=3, failed=1, seconds=20.0, at_work="some/net W8 A4")
    assert describe(state) == (
        "13 of 40 cells, 1 failed, 0.5 a second, about 52 s left; some/net W8 A4"
    )
    assert describe(Progress(total=40)) == "0 of 40 cells"
    assert describe(Progress(total=40), alone=True) == (
        "0 of 40 cells; the scheduler has no workers yet, waiting for one"
    )
