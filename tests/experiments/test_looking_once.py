"""A data set that many specifications name is looked at once for all of them."""

import sys

import pytest
from PIL import Image

from dqviz.experiments import Engine, looking_once, resolve
from dqviz.experiments import resolve as resolving
from dqviz.specs import DataSpec, ExperimentSpec, QuantSpec


@pytest.fixture
def looks(monkeypatch, tmp_path):
    """The splits looked at, in order."""
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            folder = tmp_path / split / name
            folder.mkdir(parents=True)
            Image.new("RGB", (32, 32), "teal").save(folder / "1.png")
    seen = []
    module = sys.modules[resolving.__module__]
    real = module.fingerprint_data

    def counted(spec):
        seen.append((spec.name, spec.split))
        return real(spec)

    monkeypatch.setattr(module, "fingerprint_data", counted)
    return seen


def specs(folder):
    data = DataSpec(name=f"folder:{folder}")
    return [
        ExperimentSpec(kind="amplification", data=data, quant=QuantSpec(act_bits=bits))
        for bits in (32, 8, 4)
    ]


def test_within_a_request_each_split_is_looked_at_once(looks, tmp_path):
    wanted = specs(tmp_path)
    alone = [resolve(spec) for spec in wanted]
    assert len(looks) == 3
    looks.clear()
    with looking_once():
        together = [resolve(spec) for spec in wanted]
    assert together == alone
    assert looks == [(f"folder:{tmp_path}", "test")]
    resolve(wanted[0])
    assert len(looks) == 2  # what has changed since is seen by the next request


def test_the_engine_looks_once_too(looks, tmp_path):
    engine = Engine()
    with looking_once():
        for spec in specs(tmp_path):
            assert not engine.is_known(spec)
    assert len(looks) == 1
