"""What can be computed here: networks without their test images are left out, in both parts."""

import dataclasses
import importlib

import pytest

from dqviz.data import DataError
from dqviz.paper import QUICK, WHOLE, Graded, work_here
from tests.paper.planted import network


@pytest.fixture
def here(monkeypatch):
    """A pair and a series on each of two data sets, one of them without images."""
    found = [
        network(f"{data}/resnet20", method, "w8a4")
        for data in ("here", "elsewhere")
        for method in ("vanilla", "dq")
    ]
    graded = [
        Graded(network=dataclasses.replace(one, training=""), arm="raw", beta=1.0, weight_decay=0.0)
        for one in found[::2]
    ]

    def fingerprint(data):
        if data.name == "elsewhere":
            raise DataError("no images of elsewhere")
        return "0" * 64

    monkeypatch.setattr("dqviz.paper.work.networks", lambda: tuple(found))
    monkeypatch.setattr("dqviz.paper.work.series", lambda: tuple(graded))
    module = importlib.import_module("dqviz.paper.networks")  # hidden by a function of that name
    monkeypatch.setattr(module, "fingerprint_data", fingerprint)


@pytest.mark.usefixtures("here")
def test_networks_without_images_are_left_out_and_it_is_known_why():
    work = work_here(WHOLE)
    assert work.missing == {"elsewhere": "no images of elsewhere"}
    assert {subject.dataset for subject in work.subjects} == {"here"}
    assert [member.network.dataset for member in work.graded] == ["here"]
    assert {part.network.dataset for part in work.parts} == {"here"}
    assert {"robust", "series"} <= {part.experiment for part in work.parts}


@pytest.mark.usefixtures("here")
def test_the_quick_run_leaves_out_the_series():
    assert {part.experiment for part in work_here(QUICK).parts} == {"robust", "amplification"}
