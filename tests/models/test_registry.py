"""The registry refuses duplicates and names what is close."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from dqviz.models import ModelError, architectures, build, catalog, image_size
from dqviz.models.registry import Architecture, Registry, Series


def entry(name):
    return Architecture(name=name, family="f", make=lambda n: nn.Linear(1, n), image_size=32)


@pytest.fixture
def registry():
    series = Series(prefix="wide_", form="wide_N", examples=("wide_2",), parse=entry)
    made = Registry()
    made.register(entry("alpha"))
    made.register_series(series)
    return made


def test_a_name_is_registered_once(registry):
    with pytest.raises(ValueError, match="'alpha' is registered already"):
        registry.register(entry("alpha"))
    with pytest.raises(ValueError, match="'wide_3' is registered already"):
        registry.register(entry("wide_3"))
    assert registry.names() == ("alpha", "wide_2")


@pytest.mark.parametrize("prefix", ["wide_", "wide_x", "w", "alp"])
def test_a_series_does_not_catch_the_names_of_others(registry, prefix):
    with pytest.raises(ValueError, match="collides"):
        registry.register_series(Series(prefix=prefix, form="", examples=(), parse=entry))


def test_a_series_makes_any_member(registry):
    assert registry.find("wide_77").name == "wide_77"


def test_an_unknown_name_is_answered_with_close_ones():
    with pytest.raises(ModelError, match=r"'resnt20'; close to it: resnet20.*wrn_DEPTH_WIDTH"):
        build("resnt20", 10)
    with pytest.raises(ModelError, match="no architecture is named ''"):
        build("", 10)


def test_the_catalog_refuses_a_second_resnet20():
    with pytest.raises(ValueError, match="registered already"):
        catalog.register(entry("resnet20"))


def test_the_catalog_holds_what_the_readme_promises():
    promised = {"resnet20", "resnet32", "resnet44", "resnet56", "plain20", "wrn_28_10", "resnet18"}
    assert promised <= set(architectures())
    assert len(set(architectures())) == len(architectures())
    assert (image_size("resnet20"), image_size("wrn_40_2"), image_size("resnet18")) == (32, 32, 224)


@pytest.mark.parametrize("classes", [1, 0, -3, 100_001, 2.0, True, "10", None])
def test_a_number_of_classes_that_makes_no_sense_is_refused(classes):
    with pytest.raises(ModelError, match="number of classes must be"):
        build("resnet20", classes)


def test_a_seed_names_the_weights_and_the_global_generator_does_not():
    torch.rand(3)
    first = build("resnet20", 10, seed=4).state_dict()
    torch.rand(5)
    second = build("resnet20", 10, generator=torch.Generator().manual_seed(4)).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
    other = build("resnet20", 10, seed=5).state_dict()
    assert not torch.equal(first["conv1.weight"], other["conv1.weight"])


def test_the_weights_have_the_variance_of_he():
    network = build("wrn_10_4", 10, seed=1)
    weight = network.block3.layer[0].conv2.weight
    assert weight.var().item() == pytest.approx(2 / (9 * 256), rel=0.02)
    assert torch.count_nonzero(network.fc.bias) == 0


def test_the_error_can_be_had_without_torch():
    code = "import dqviz.models as m, sys; m.ModelError; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_architectures_that_take_time_are_read_when_a_name_is_none_of_the_others(registry):
    read = []

    def late():
        read.append("late")
        return [entry("omega"), entry("psi")]

    registry.register_late(late)
    assert registry.find("alpha").name == "alpha"
    assert registry.find("wide_7").name == "wide_7"
    assert read == []
    assert registry.find("omega").name == "omega"
    assert registry.names() == ("alpha", "omega", "psi", "wide_2")
    with pytest.raises(ModelError, match="there are 3"):
        registry.find("chi")
    assert read == ["late"]


def test_our_own_networks_need_no_torchvision_which_takes_a_second_to_import():
    code = (
        "import sys\n"
        "from dqviz.experiments.run import run\n"
        "from dqviz.specs import DataSpec, ExperimentSpec\n"
        "run(ExperimentSpec(kind='lipschitz', data=DataSpec(n_samples=2)))\n"
        "assert not {'torchvision', 'torch._dynamo'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_plain_network_without_batchnorm_is_otherwise_the_same():
    bare, plain = (catalog.make_network(name, 10) for name in ("plain20_nonorm", "plain20"))
    kinds = [type(module).__name__ for module in bare.modules()]
    assert "BatchNorm2d" not in kinds
    layers = [
        [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        for network in (bare, plain)
    ]
    assert [m.weight.shape for m in layers[0]] == [m.weight.shape for m in layers[1]]
    assert all(m.bias is not None for m in layers[0])
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    logits = build("plain20_nonorm", 10, seed=0)(images).detach()
    assert 0.1 < float(logits.std()) < 10
