"""The tiny network and images of the engine's tests, and cells that no network is needed for."""

from __future__ import annotations

import dataclasses

import pytest

from dqviz.specs import AttackSpec, DataSpec, ExperimentSpec, ModelSpec, QuantSpec
from dqviz.studies import Cell, Store
from tests.experiments.conftest import (  # noqa: F401
    checkpoint,
    data,
    images_folder,
    model,
    own_data_folder,
)


def cell_at(act_bits=4, epsilon=1 / 255, *, kind="accuracy", attack="fgsm", **more):
    """A cell of a network and images that need not exist."""
    return Cell.of(
        ExperimentSpec(
            kind=kind,
            model=ModelSpec(id="some/net/vanilla", fingerprint="card:0"),
            data=DataSpec(n_samples=8, fingerprint="0"),
            quant=QuantSpec(act_bits=act_bits),
            attack=AttackSpec(name=attack, epsilons=(epsilon,)),
            **more,
        )
    )


def with_seed(cell, seed):
    """The same cell on other images."""
    images = dataclasses.replace(cell.spec.data, seed=seed)
    return Cell.of(dataclasses.replace(cell.spec, data=images))


@pytest.fixture
def cells():
    """Three cells."""
    return [cell_at(bits) for bits in (8, 4, 2)]


@pytest.fixture
def store(tmp_path):
    """A new store, open for writing."""
    with Store(tmp_path / "store.sqlite", write=True) as opened:
        yield opened
