"""Files are looked at in a thread, with progress, and only once."""

import os
import sys

import pytest
from PIL import Image

from dqviz.data import DataError, fingerprint, fingerprint_data
from dqviz.data.fingerprint import fingerprint_files
from dqviz.experiments import Engine, Lookup, at_most_all, resolve
from dqviz.experiments.errors import Cancelled
from dqviz.experiments.resolve import Look
from dqviz.specs import DataSpec, ExperimentSpec, ModelSpec, QuantSpec


def spec(name, **more):
    return ExperimentSpec(kind="amplification", data=DataSpec(name=name, n_samples=64), **more)


@pytest.fixture
def images(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(3):
            Image.new("RGB", (32, 32), (number, 0, 0)).save(tmp_path / name / f"{number}.png")
    return f"folder:{tmp_path}"


@pytest.fixture
def looks(monkeypatch):
    """The data sets looked at, in order."""
    seen = []
    module = sys.modules[Look.__module__]
    real = module.fingerprint_data

    def counted(spec, *, progress):
        seen.append(spec.name)
        return real(spec, progress=progress)

    monkeypatch.setattr(module, "fingerprint_data", counted)
    return seen


def test_files_that_many_specifications_name_are_looked_at_once(images, looks):
    wanted = [spec(images, quant=QuantSpec(act_bits=bits)) for bits in (32, 8, 4)]
    look = Look()
    together = [resolve(one, look) for one in wanted]
    assert looks == [images]
    assert together == [resolve(one) for one in wanted]
    assert len(looks) == 4  # what has changed since is seen by the next look
    looks.clear()
    assert Lookup(wanted).wait(10)
    assert looks == [images]


def test_it_resolves_what_resolve_does_and_cuts_to_what_there_is(images):
    wanted = [spec(images), spec("streetdigits"), spec(images, quant=QuantSpec(act_bits=4))]
    found = Lookup(wanted)
    assert found.wait(10)
    assert found.is_over
    assert found.specs == tuple(resolve(at_most_all(one)) for one in wanted)
    assert [one.data.n_samples for one in found.specs] == [6, 64, 6]


def test_what_is_wrong_is_left_for_the_engine_to_refuse(images, tmp_path):
    wanted = [
        spec(f"folder:{tmp_path / 'none'}"),
        spec(images),
        spec("streetdigits", model=ModelSpec(checkpoint=str(tmp_path / "none.pt"), arch="x")),
    ]
    found = Lookup(wanted)
    assert found.wait(10)
    assert found.specs[0] is wanted[0]
    assert found.specs[1] == resolve(at_most_all(wanted[1]))
    assert found.specs[2] is wanted[2]
    engine = Engine(workers=1)
    try:
        handles = engine.submit(found.specs, owner="a", channel="b")
        assert ["none" in (handle.error or "") for handle in handles] == [True, False, True]
    finally:
        engine.shutdown()


def test_a_resolved_specification_is_not_looked_at_again(images, tmp_path, monkeypatch):
    found = Lookup([spec(images)])
    assert found.wait(10)

    def fail(*args, **more):
        raise AssertionError("looked at once more")

    monkeypatch.setattr(sys.modules[Look.__module__], "fingerprint_data", fail)
    assert not Engine().is_known(found.specs[0])


def test_a_large_file_is_read_with_progress_and_can_be_cancelled(tmp_path, monkeypatch):
    monkeypatch.setattr(fingerprint, "CHUNK_BYTES", 1000)
    (tmp_path / "test.parquet").write_bytes(bytes(range(250)) * 40)
    data = DataSpec(name=f"parquet:{tmp_path / 'test.parquet'}")
    steps = []

    def stop_half_way(done, total):
        steps.append((done, total))
        if done >= 5000:
            raise Cancelled

    with pytest.raises(Cancelled):
        fingerprint_data(data, progress=stop_half_way)
    assert steps == [(1000 * k, 10_000) for k in range(1, 6)]
    steps.clear()
    whole = fingerprint_data(data, progress=lambda done, total: steps.append((done, total)))
    assert steps == [(1000 * k, 10_000) for k in range(1, 11)]
    steps.clear()
    again = fingerprint_data(data, progress=lambda done, total: steps.append((done, total)))
    assert again == whole
    assert steps == []


def test_a_cancelled_lookup_ends_and_changes_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(fingerprint, "CHUNK_BYTES", 1)
    (tmp_path / "test.parquet").write_bytes(bytes(50_000_000))
    wanted = spec(f"parquet:{tmp_path / 'test.parquet'}")
    found = Lookup([wanted])
    assert not found.wait(0.2)
    found.cancel()
    assert found.wait(5)
    assert found.specs == (wanted,)
    assert 0 < found.progress.fraction < 1


def test_a_file_put_in_anothers_place_is_read_again(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"first")
    before, time = fingerprint_files([one]), one.stat().st_mtime_ns
    other.write_bytes(b"other")
    os.utime(other, ns=(time, time))
    other.replace(one)
    assert one.stat().st_mtime_ns == time
    assert fingerprint_files([one]) != before


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    for missing in (tmp_path / "gone", tmp_path):
        with pytest.raises(DataError, match=f"{missing.name} cannot be read"):
            fingerprint_files([missing])
