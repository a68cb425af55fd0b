"""Bringing one's own checkpoint: wrappers, prefixes, cards, and what a mismatch says."""

import os

import pytest
import safetensors.torch
import torch

from dqviz.data import load_data
from dqviz.models import Classifier, ModelError, load_checkpoint
from dqviz.specs import DataSpec
from tests.models.saving import GIVEN, IMAGES, MEAN, NETWORK, STATE, STD, logits, save

with torch.no_grad():
    EXPECTED = Classifier(NETWORK, mean=MEAN, std=STD)(IMAGES)


def prefixed(prefix, state=STATE):
    return {f"{prefix}{key}": value for key, value in state.items()}


WRAPPED = {
    "bare": STATE,
    "state_dict": {"state_dict": STATE, "best_prec1": 91.7},
    "model": {"epoch": 3, "model": STATE, "optimizer": {"state": {}, "lr": torch.ones(1)}},
    "model_state_dict": {"model_state_dict": STATE},
    "net": {"net": STATE, "acc": torch.tensor(91.7)},
    "twice": {"model": {"state_dict": STATE}},
    "module.": prefixed("module."),
    "compiled": prefixed("_orig_mod.module."),
    "wrapped module.": {"state_dict": prefixed("module.")},
    "net.": prefixed("net."),
    "classifier": Classifier(NETWORK, mean=MEAN, std=STD).state_dict(),
    "parallel classifier": prefixed(
        "module.", Classifier(NETWORK, mean=MEAN, std=STD).state_dict()
    ),
    "without counters": {k: v for k, v in STATE.items() if "num_batches" not in k},
    "with parameters": {k: torch.nn.Parameter(v, v.is_floating_point()) for k, v in STATE.items()},
    "in double precision": {k: v.double() for k, v in STATE.items()},
    "with other entries": {**STATE, "epoch": 3},
}


@pytest.mark.parametrize("kind", WRAPPED)
def test_wrappers_and_prefixes_are_taken_off(tmp_path, kind):
    network = load_checkpoint(save(tmp_path, WRAPPED[kind]), **GIVEN)
    assert torch.equal(logits(network), EXPECTED)


@pytest.mark.parametrize("prefix", ["", "module.", "net."])
def test_safetensors(tmp_path, prefix):
    safetensors.torch.save_file(prefixed(prefix), tmp_path / "net.safetensors")
    network = load_checkpoint(str(tmp_path / "net.safetensors"), **GIVEN)
    assert torch.equal(logits(network), EXPECTED)


def test_a_file_of_an_old_pytorch(tmp_path):
    file = save(tmp_path, {"state_dict": STATE}, _use_new_zipfile_serialization=False)
    assert torch.equal(logits(load_checkpoint(file, **GIVEN)), EXPECTED)


def test_classes_may_be_names(tmp_path):
    file = save(tmp_path, STATE)
    network = load_checkpoint(file, **{**GIVEN, "classes": list("abcdefghij")})
    assert torch.equal(logits(network), EXPECTED)


def test_a_mismatch_lists_what_is_missing_unexpected_and_of_the_wrong_shape(tmp_path):
    state = {key.replace("layer3.", "stage3."): value for key, value in STATE.items()}
    state["conv1.weight"] = torch.zeros(16, 1, 3, 3)
    with pytest.raises(ModelError) as caught:
        load_checkpoint(save(tmp_path, state), **GIVEN)
    message = str(caught.value)
    assert "net.pth does not fit the network" in message
    missing = [k for k in STATE if k.startswith("layer3.") and "num_batches" not in k]
    assert (
        f"{len(missing)} missing: {', '.join(missing[:5])} and {len(missing) - 5} more" in message
    )
    unexpected = sorted(key for key in state if key.startswith("stage3."))
    assert f"{len(unexpected)} unexpected: {unexpected[0]}" in message
    assert (
        "1 of the wrong shape: conv1.weight (file (16, 1, 3, 3), network (16, 3, 3, 3))" in message
    )
    assert "classes" not in message


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"extra.weight": torch.zeros(2)}, "network: 1 unexpected: extra.weight$"),
        ({"linear.bias": None}, "network: 1 missing: linear.bias$"),
        ({"linear.bias": torch.zeros(3)}, r"network: 1 of the wrong shape: linear.bias \("),
    ],
)
def test_one_name_that_does_not_fit_is_enough(tmp_path, change, said):
    with pytest.raises(ModelError, match=said):
        load_checkpoint(save(tmp_path, {**STATE, **change}), **GIVEN)


def test_another_number_of_classes_is_explained(tmp_path):
    with pytest.raises(ModelError, match=r"the file is for 10 classes, 100 were asked for"):
        load_checkpoint(save(tmp_path, STATE), **{**GIVEN, "classes": 100})


def test_another_architecture_does_not_look_like_another_number_of_classes(tmp_path):
    with pytest.raises(ModelError, match=r"missing: layer1\.3\.") as caught:
        load_checkpoint(save(tmp_path, STATE), **{**GIVEN, "arch": "resnet32"})
    assert "asked for" not in str(caught.value)
    with pytest.raises(ModelError, match="missing"):
        load_checkpoint(save(tmp_path, STATE), **{**GIVEN, "arch": "wrn_16_1"})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(tmp_path, value):
    state = {key: tensor.clone() for key, tensor in STATE.items()}
    state["layer2.0.conv1.weight"][0, 0, 0, 0] = value
    with pytest.raises(ModelError, match=r"NaN or infinite values: 1 tensors: layer2\.0\.conv1"):
        load_checkpoint(save(tmp_path, state), **GIVEN)


@pytest.mark.parametrize(
    ("tensor", "said"),
    [
        (torch.zeros(16, dtype=torch.int8), r"something else than real.*torch\.int8"),
        (torch.zeros(16, dtype=torch.complex64), "something else than real"),
        (torch.zeros(16).to_sparse(), r"something else than real.*sparse"),
        (torch.zeros(16, device="meta"), "something else than real"),
        (-torch.ones(16), "negative variances"),
    ],
    ids=["integers", "complex", "sparse", "meta", "negative"],
)
def test_tensors_that_a_network_cannot_use_are_refused(tmp_path, tensor, said):
    with pytest.raises(ModelError, match=said):
        load_checkpoint(save(tmp_path, {**STATE, "bn1.running_var": tensor}), **GIVEN)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([1, 2], "got a list"),
        (torch.zeros(2), "got a Tensor"),
        ({}, "got a dict with 0 keys"),
        ({"epoch": 3, "lr": 0.1}, "got a dict with 2 keys: 'epoch', 'lr'"),
        ({"state_dict": {"epoch": 3}}, "got a dict with 1 keys: 'state_dict'"),
        ({1: torch.zeros(2)}, "got a dict with 1 keys: 1"),
    ],
)
def test_a_file_without_weights_says_what_it_holds(tmp_path, document, said):
    with pytest.raises(ModelError, match=said):
        load_checkpoint(save(tmp_path, document), **GIVEN)


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "made"),))

    with pytest.raises(ModelError, match="holds code and was not run"):
        load_checkpoint(save(tmp_path, {"state_dict": STATE, "evil": Evil()}), **GIVEN)
    assert not (tmp_path / "made").exists()


@pytest.fixture(scope="module")
def lossless(shared_folder):
    path = shared_folder / "datasets" / "cifar10" / "test-lossless.parquet"
    return load_data(DataSpec(name=f"parquet:{path}", n_samples=200))


@pytest.mark.parametrize(
    ("arch", "file"), [("resnet20", "resnet20-12fca82f.th"), ("resnet32", "resnet32-d509ac18.th")]
)
def test_third_party_networks_score_what_they_are_known_to(shared_folder, lossless, arch, file):
    network = load_checkpoint(
        shared_folder / "checkpoints" / file, arch=arch, classes=10, mean=MEAN, std=STD
    )
    with torch.no_grad():
        right = network(lossless.images).argmax(1) == lossless.labels
    assert right.float().mean() > 0.87
