"""A look at a network in training finds what the measurements find, and changes nothing."""

import copy
import json

import numpy as np
import pytest
import torch

from dqviz.attacks import FGSM
from dqviz.defense import lab, train_network
from dqviz.defense.penalty import penalized_layers
from dqviz.defense.probe import EPSILON, IMAGES, Probe
from dqviz.measure import amplification, layer_norms
from dqviz.models import build
from dqviz.models.normalize import Classifier
from dqviz.specs.training import COURSE as FILE
from tests.defense.test_training import images, recipe
from tests.experiments.conftest import images_folder  # noqa: F401


@pytest.fixture(scope="module")
def network():
    """A network with statistics of its own, in training."""
    torch.manual_seed(0)
    made = Classifier(build("plain20", 2, seed=0), mean=(0.5,) * 3, std=(0.25,) * 3)
    made.train()
    made(images(64).images)
    return made


@pytest.fixture(scope="module")
def looked(network):
    layers = penalized_layers(network, input_shape=(3, 32, 32))
    before = copy.deepcopy(network.state_dict())
    look = Probe(images(96)).look(network, layers)
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not any(module._forward_pre_hooks for module in network.modules())
    return look


def test_the_distances_are_those_of_the_measurement(network, looked):
    data = images(96)
    clean, labels = data.images[:IMAGES], data.labels[:IMAGES]
    still = copy.deepcopy(network).eval()
    attacked = FGSM(still, eps=EPSILON)(clean, labels)
    assert float((attacked - clean).abs().max()) == pytest.approx(EPSILON, rel=1e-4)
    rows = amplification(still, clean, attacked)
    found = {
        row.layer: row.value
        for row in rows
        if (row.metric, row.statistic) == ("relative_distance", "median") and row.layer != "logits"
    }
    assert list(found) == [name.removeprefix("net.") for name in looked.distance]
    # Of an even number of images torch takes the lower of the two middle ones, numpy their mean.
    for layer, value in looked.distance.items():
        assert value == pytest.approx(found[layer.removeprefix("net.")], rel=0.1)
    with torch.no_grad():
        right = (still(clean).argmax(1) == labels).float().mean().item()
        robust = (still(attacked).argmax(1) == labels).float().mean().item()
    assert (looked.clean, looked.robust) == (right, robust)


def test_the_norms_are_those_of_other_libraries(network, looked):
    for name, value in looked.raw.items():
        kernel = network.get_submodule(name).weight.detach().flatten(1).numpy()
        assert value == pytest.approx(np.linalg.svd(kernel, compute_uv=False)[0], rel=1e-4)
    rows = layer_norms(copy.deepcopy(network).eval(), (3, 32, 32))
    ends = {(r.layer, r.statistic): r.value for r in rows if r.metric == "operator_norm_folded"}
    assert len(ends) == 2 * (len(looked.folded) - 1)  # none of the last layer, which has no norm
    for name in list(looked.folded)[:-1]:
        low, high = (ends[name.removeprefix("net."), end] for end in ("lower", "upper"))
        assert 0.9 * low <= looked.folded[name] <= 1.001 * high


def test_a_watched_training_gives_the_very_same_network(tmp_path):
    probe, seen = Probe(images(96)), []

    def watch(model, layers, progress):
        seen.append((progress.step, probe.look(model, layers)))

    alone = train_network(recipe(), tmp_path / "alone", data=images(), report=lambda _: None)
    watched = train_network(
        recipe(), tmp_path / "watched", data=images(), report=lambda _: None, watch=watch
    )
    assert seen[0][0] == 0
    for one, other in zip(alone.model.parameters(), watched.model.parameters(), strict=True):
        assert torch.equal(one, other)


SMALL = """
id = "made/plain20/small"
data = { name = "NAME" }
test = { name = "NAME", split = "test" }
epochs = 1
batch_size = 8
crop = 0
defense = { arm = "folded", beta = 1e-3 }
"""


def test_the_course_is_written_down_and_the_network_beside_it(
    tmp_path,
    images_folder,  # noqa: F811
    capsys,
):
    (tmp_path / "recipe.toml").write_text(SMALL.replace("NAME", f"parquet:{images_folder}"))
    status = lab.main(str(tmp_path / "recipe.toml"), str(tmp_path))
    said = capsys.readouterr().out
    assert status == 0, said
    looks = [json.loads(line) for line in (tmp_path / FILE).read_text().splitlines()]
    assert [looks[0]["step"], looks[-1]["step"]] == [0, looks[-1]["steps"]]
    assert looks[-1]["penalty"] > 0
    assert set(looks[0]["raw"]) == set(looks[0]["folded"]) == set(looks[0]["distance"])
    assert (tmp_path / "made-plain20-small.safetensors").is_file()
    assert said.startswith("0.000 loading images")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("unknown = 1", "unknown setting 'unknown'"),
        (SMALL.replace("NAME", "parquet:/nowhere"), "nowhere"),
        (SMALL.replace("epochs = 1", "epochs = -1"), "epochs must be finite and positive"),
    ],
)
def test_what_is_wrong_is_the_last_line(tmp_path, capsys, text, message):
    (tmp_path / "recipe.toml").write_text(text)
    assert lab.main(str(tmp_path / "recipe.toml"), str(tmp_path)) == 1
    assert message in capsys.readouterr().out.strip().splitlines()[-1]
    assert not list(tmp_path.glob("*.safetensors"))
