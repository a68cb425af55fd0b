"""Attacks against foolbox and torchattacks, on a shipped network and on two from elsewhere.

Where the two libraries are not installed (`benchmarks/requirements-peers.txt`) these tests are
skipped; where the networks from elsewhere and their images are not at hand, those on them are.
Shortcuts for speed are off.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest
import torch

from dqviz.attacks import APGD, BIM, FGSM, MIFGSM, PGD, Attack, Square, Standard
from dqviz.data import ImageData, load_data
from dqviz.models import load_checkpoint, load_model
from dqviz.models.normalize import Classifier
from dqviz.specs import DataSpec

pytestmark = pytest.mark.timeout(3600)  # two minutes of one core's time, more on a busy machine

SHIPPED = "streetdigits/resnet20/vanilla"
CHECKPOINTS = {"resnet20": "resnet20-12fca82f.th", "resnet32": "resnet32-d509ac18.th"}
EPSILON = 1 / 255
ALPHA = EPSILON / 4


def peer(name: str) -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module(name)
        except ImportError:
            pytest.skip(f"needs {name}: pip install --no-deps -r benchmarks/requirements-peers.txt")


@pytest.fixture(scope="module")
def foolbox() -> ModuleType:
    return peer("foolbox")


@pytest.fixture(scope="module")
def torchattacks() -> ModuleType:
    return peer("torchattacks")


class Victim(NamedTuple):
    """A network, and images that it was trained for."""

    network: Classifier
    data: ImageData


@pytest.fixture(scope="module", params=[SHIPPED, *CHECKPOINTS])
def victim(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Victim:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DQVIZ_DATA", str(tmp_path_factory.mktemp("data")))
        if request.param == SHIPPED:
            return Victim(
                load_model(SHIPPED), load_data(DataSpec(name="streetdigits", n_samples=250))
            )
        shared: Path = request.getfixturevalue("shared_folder")
        path = shared / "datasets" / "cifar10" / "test-lossless.parquet"
        network = load_checkpoint(
            shared / "checkpoints" / CHECKPOINTS[request.param],
            arch=request.param,
            classes=10,
            mean=(0.485, 0.456, 0.406),
            std=(0.229, 0.224, 0.225),
        )
        return Victim(network, load_data(DataSpec(name=f"parquet:{path}", n_samples=250)))


def robust_accuracy(model: Classifier, adversarial: torch.Tensor, labels: torch.Tensor) -> float:
    with torch.no_grad():
        return float((model(adversarial).argmax(1) == labels).float().mean())


@pytest.mark.parametrize("eps", [1 / 255, 8 / 255])
def test_fgsm_equals_foolbox(foolbox: ModuleType, victim: Victim, eps: float) -> None:
    model, data = victim
    ours = FGSM(model, eps=eps)(data.images, data.labels, batch_size=250)
    network = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
    theirs = torch.cat(
        [
            foolbox.attacks.LinfFastGradientAttack()(network, images, labels, epsilons=eps)[0]
            for images, labels in zip(data.images.split(250), data.labels.split(250), strict=True)
        ]
    )
    assert isinstance(ours, torch.Tensor)
    equal = ((ours - theirs).abs().flatten(1).amax(1) <= 1e-4).float().mean().item()
    print(f"FGSM at {eps * 255:g}/255 equals foolbox's on {equal:.1%} of {len(data)} images")
    assert equal >= 0.98


@pytest.mark.parametrize("victim", [SHIPPED, "resnet20"], indirect=True)
def test_pgd_is_as_strong_as_foolbox_and_torchattacks(
    foolbox: ModuleType, torchattacks: ModuleType, victim: Victim
) -> None:
    model, data = victim
    network = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
    theirs = foolbox.attacks.LinfProjectedGradientDescentAttack(
        abs_stepsize=ALPHA, steps=10, random_start=False
    )
    others = torchattacks.PGD(model, eps=EPSILON, alpha=ALPHA, steps=10, random_start=False)
    ours = PGD(model, eps=EPSILON, alpha=ALPHA, steps=10, random_start=False)
    bim = BIM(model, eps=EPSILON, alpha=ALPHA, steps=10)
    crafted: dict[str, list[torch.Tensor]] = {"dqviz": [], "foolbox": [], "torchattacks": []}
    for images, labels in zip(data.images.split(250), data.labels.split(250), strict=True):
        crafted["dqviz"].append(ours(images, labels))
        crafted["foolbox"].append(theirs(network, images, labels, epsilons=EPSILON)[0])
        crafted["torchattacks"].append(others(images, labels))
    first = bim(data.images[:8], data.labels[:8])
    assert isinstance(first, torch.Tensor)
    assert torch.equal(first, ours(data.images[:8], data.labels[:8]))
    accuracies = {
        name: robust_accuracy(model, torch.cat(parts), data.labels)
        for name, parts in crafted.items()
    }
    print(f"robust accuracy under PGD-10 at 1/255: {accuracies}")
    assert 0.1 < accuracies["dqviz"] < 0.8
    assert abs(accuracies["dqviz"] - accuracies["foolbox"]) <= 0.01
    assert abs(accuracies["dqviz"] - accuracies["torchattacks"]) <= 0.01


@pytest.mark.parametrize("victim", [SHIPPED, "resnet20"], indirect=True)
def test_l2_pgd_is_as_strong_as_foolbox(foolbox: ModuleType, victim: Victim) -> None:
    model, data = victim
    images, labels, eps = data.images[:250], data.labels[:250], 0.1
    network = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
    theirs = foolbox.attacks.L2ProjectedGradientDescentAttack(
        abs_stepsize=eps / 4, steps=10, random_start=False
    )(network, images, labels, epsilons=eps)[0]
    ours = PGD(model, eps=eps, alpha=eps / 4, steps=10, norm="l2", random_start=False)
    adversarial = ours(images, labels)
    assert isinstance(adversarial, torch.Tensor)
    accuracies = [robust_accuracy(model, x, labels) for x in (adversarial, theirs)]
    print(f"robust accuracy under L2 PGD-10 at {eps}: dqviz, foolbox {accuracies}")
    assert 0.1 < accuracies[0] < 0.8
    assert abs(accuracies[0] - accuracies[1]) <= 0.01


class Strong(NamedTuple):
    """An attack of ours and the peer's of the same settings, by name."""

    ours: Callable[[Classifier], Attack]
    theirs: Callable[[ModuleType, Classifier], Callable[..., torch.Tensor]]


STEPS, QUERIES = 10, 100
STRONG = {
    "MI-FGSM": Strong(
        lambda model: MIFGSM(model, eps=EPSILON, alpha=ALPHA, steps=STEPS),
        lambda peer, model: peer.MIFGSM(model, eps=EPSILON, alpha=ALPHA, steps=STEPS),
    ),
    "APGD-CE": Strong(
        lambda model: APGD(model, eps=EPSILON, steps=STEPS),
        lambda peer, model: peer.APGD(model, eps=EPSILON, steps=STEPS, loss="ce"),
    ),
    "APGD-DLR": Strong(
        lambda model: APGD(model, eps=EPSILON, steps=STEPS, loss="dlr"),
        lambda peer, model: peer.APGD(model, eps=EPSILON, steps=STEPS, loss="dlr"),
    ),
    "targeted APGD-DLR": Strong(
        lambda model: APGD(model, eps=EPSILON, steps=STEPS, loss="dlr", targets=3),
        lambda peer, model: peer.APGDT(model, eps=EPSILON, steps=STEPS, n_classes=4),
    ),
    "L2 APGD-CE": Strong(
        lambda model: APGD(model, eps=0.1, steps=STEPS, norm="l2"),
        lambda peer, model: peer.APGD(model, eps=0.1, steps=STEPS, loss="ce", norm="L2"),
    ),
    "Square": Strong(
        lambda model: Square(model, eps=3 * EPSILON, queries=QUERIES),
        lambda peer, model: peer.Square(model, eps=3 * EPSILON, n_queries=QUERIES),
    ),
    "L2 Square": Strong(
        lambda model: Square(model, eps=0.5, queries=QUERIES, norm="l2"),
        lambda peer, model: peer.Square(model, eps=0.5, n_queries=QUERIES, norm="L2"),
    ),
    "ensemble": Strong(
        lambda model: Standard(model, eps=EPSILON, steps=5, queries=QUERIES),
        lambda peer, model: peer.MultiAttack(
            [
                peer.APGD(model, eps=EPSILON, steps=5, loss="ce"),
                peer.APGDT(model, eps=EPSILON, steps=5),
                peer.Square(model, eps=EPSILON, n_queries=QUERIES),
            ]
        ),
    ),
}


@pytest.fixture(scope="module")
def third_party(shared_folder: Path) -> Victim:
    """The CIFAR-10 network from elsewhere, and few of its images."""
    network = load_checkpoint(
        shared_folder / "checkpoints" / CHECKPOINTS["resnet20"],
        arch="resnet20",
        classes=10,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
    )
    path = shared_folder / "datasets" / "cifar10" / "test-lossless.parquet"
    return Victim(network, load_data(DataSpec(name=f"parquet:{path}", n_samples=100)))


@pytest.mark.parametrize("name", STRONG)
def test_strong_attacks_are_as_strong_as_torchattacks(
    name: str, torchattacks: ModuleType, third_party: Victim
) -> None:
    """Starts are random on both sides, so ours may be weaker by a point, and stronger by any."""
    model, data = third_party
    ours = STRONG[name].ours(model)(data.images, data.labels, early_stop=True, batch_size=100)
    theirs = STRONG[name].theirs(torchattacks, model)(data.images, data.labels)
    assert isinstance(ours, torch.Tensor)
    found = [robust_accuracy(model, x, data.labels) for x in (ours, theirs)]
    print(f"robust accuracy under {name}: dqviz {found[0]:.1%}, torchattacks {found[1]:.1%}")
    assert found[0] <= found[1] + 0.01
    assert 0.1 < found[0] < 0.8
