"""The tiny network and data set of the experiments' tests, as options."""

from __future__ import annotations

import pytest

from dqviz.cli import main
from tests.experiments.conftest import (  # noqa: F401
    ARCH,
    checkpoint,
    data,
    images_folder,
    model,
    nothing_gains,
    own_data_folder,
)


@pytest.fixture(scope="session")
def network(checkpoint):  # noqa: F811
    """The options that name the tiny network."""
    described = ["--arch", ARCH, "--classes", "4", "--mean", "0.5,0.5,0.5"]
    return ["--checkpoint", str(checkpoint), *described, "--std", "0.25,0.25,0.25"]


@pytest.fixture(scope="session")
def images(images_folder):  # noqa: F811
    """The options that name eight images."""
    return ["--data", f"parquet:{images_folder}", "--n", "8"]


@pytest.fixture
def command(capsys):
    """Runs a command; returns its exit status and what it wrote to both streams."""

    def run(*arguments):
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as error:  # argparse ends by itself
            status = error.code
        return status, *capsys.readouterr()

    return run
