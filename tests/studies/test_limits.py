"""Sweeps within bounds: of memory, taken until the process is ended, and of whom to trust."""

import psutil
import pytest

from dqviz.experiments import Engine
from dqviz.experiments.cluster import Tls
from dqviz.experiments.host import MEMORY_SHARE, SHARE, memory_limits, memory_share
from dqviz.studies import Sweep
from tests.experiments.waiting import PATIENCE
from tests.studies.conftest import cell_at
from tests.studies.tasks import task


def test_a_cell_that_takes_too_much_memory_has_failed_and_the_rest_goes_on(store, monkeypatch):
    limit = 1.5 * 2**30  # well above what a process takes that has imported torch
    whole = psutil.virtual_memory().total * MEMORY_SHARE["interactive"]
    monkeypatch.setenv(SHARE, str(min(1.0, limit / whole)))
    engine = Engine(workers=1, jobs=1, task=task)
    engine.start_in_background()
    assert engine.wait_until_ready(PATIENCE)
    cells = [cell_at(bits, image="hog") for bits in (8, 2, 4)]
    progress = Sweep(cells, store, engine).run()
    engine.shutdown()
    assert (progress.done, progress.failed) == (2, 1)
    row = store._connection.execute("SELECT * FROM cells WHERE state = 'failed'").fetchone()
    assert row["act_bits"] == 2
    assert row["error_kind"] == "worker"
    assert "memory" in row["error"]


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "half", "", "nan"])
def test_a_share_of_memory_that_makes_no_sense_is_refused(text, monkeypatch):
    monkeypatch.setenv(SHARE, text)
    with pytest.raises(ValueError, match=SHARE):
        memory_share()


def test_the_share_is_what_the_limits_are_made_of(monkeypatch):
    whole = memory_limits(workers=2, jobs=1)
    monkeypatch.setenv(SHARE, "0.5")
    for lane, limit in memory_limits(workers=2, jobs=1).items():
        assert limit == pytest.approx(whole[lane] / 2, rel=1e-6)


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    """A cluster that only talks to those who show the right certificate, and the files for that."""
    from distributed import LocalCluster, Security

    folder = tmp_path_factory.mktemp("tls")
    security = Security.temporary()
    files = {
        "ca": security.tls_ca_file,
        "certificate": security.tls_client_cert,
        "key": security.tls_client_key,
    }
    for name, content in files.items():
        (folder / name).write_text(content, encoding="ascii")
    with LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        security=security,
        protocol="tls://",
        dashboard_address=None,
    ) as cluster:
        yield cluster.scheduler_address, folder


def test_a_sweep_over_an_encrypted_connection(secured, store):
    address, folder = secured
    tls = Tls(**{name: str(folder / name) for name in ("ca", "certificate", "key")})
    engine = Engine(scheduler=address, tls=tls, task=task)
    engine.start_in_background()
    assert engine.wait_until_ready(PATIENCE)
    progress = Sweep([cell_at(8, image="fail"), cell_at(4, image="fail")], store, engine).run()
    engine.shutdown()
    assert (progress.done, progress.failed) == (2, 0)


def test_who_has_no_certificate_is_not_let_in(secured):
    engine = Engine(scheduler=secured[0], task=task)
    engine.start_in_background()
    assert not engine.wait_until_ready(PATIENCE)
    assert engine.state == "failed"
    engine.shutdown()
