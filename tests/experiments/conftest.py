"""A network and a data set small enough to compute with in a moment."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from safetensors.torch import save_file

from dqviz.attacks.arithmetic import PRECISIONS, own_arithmetic
from dqviz.experiments import Engine
from dqviz.models import build
from dqviz.specs import DataSpec, ExperimentSpec, ModelSpec
from tests.experiments import fake_tasks

ARCH = "wrn_10_1"


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """A file with random weights of a ten-layer network."""
    path = tmp_path_factory.mktemp("networks") / "tiny.safetensors"
    save_file(build(ARCH, 4, seed=3).state_dict(), path)
    return path


@pytest.fixture(scope="session")
def model(checkpoint):
    """The specification of that network."""
    return ModelSpec(
        id="tests/wrn_10_1/tiny",
        checkpoint=str(checkpoint),
        arch=ARCH,
        classes=4,
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
    )


@pytest.fixture(scope="session")
def images_folder(tmp_path_factory):
    """A folder with 20 training and 12 test images of four classes."""
    folder = tmp_path_factory.mktemp("images")
    for split, count, seed in (("train", 20, 1), ("test", 12, 2)):
        write_images(folder / f"{split}.parquet", count, seed)
    return folder


def write_images(path, count, seed):
    """Random images with labels 0, 1, 2, 3, 0, ..."""
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        buffer = io.BytesIO()
        pixels = random.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(buffer, "PNG")
        rows.append({"bytes": buffer.getvalue()})
    table = pa.table({"img": rows, "label": [index % 4 for index in range(count)]})
    pq.write_table(table, path)


@pytest.fixture(scope="session")
def data(images_folder):
    """The specification of eight test images."""
    return DataSpec(name=f"parquet:{images_folder}", n_samples=8)


@pytest.fixture(autouse=True, scope="session")
def own_data_folder(tmp_path_factory):
    """Decoded images are cached in a folder of the tests' own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DQVIZ_DATA", str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture(autouse=True)
def nothing_gains(monkeypatch):
    """In this process every gradient is float32, so that numbers do not depend on the machine."""
    usual = own_arithmetic()
    times = {kind: {usual: 1.0} for kind in PRECISIONS}
    monkeypatch.setattr("dqviz.attacks.fast.speeds", lambda: times)


@pytest.fixture(scope="module")
def engine():
    made = Engine(task=fake_tasks.task, workers=1)
    made.start_in_background()
    yield made
    made.shutdown()


@pytest.fixture
def wanted(model, data):
    """A specification by what the worker is to do."""

    def make(what):
        return ExperimentSpec(kind="playground", model=model, data=data, image=what)

    return make


@pytest.fixture
def ask(engine, wanted):
    """One request to the engine; what a test leaves at work does not wait for the next one."""
    owners = set()

    def submit(what, *, owner="someone", channel="page"):
        owners.add(owner)
        return engine.submit([wanted(what)], owner=owner, channel=channel)[0]

    yield submit
    for owner in owners:
        engine.release(owner)
