"""ImageNet weights published with torchvision: found on disk or downloaded, checked, loaded.

They are kept in the folder `checkpoints` of the data folder (`DQVIZ_DATA`); a file that
torchvision itself has put into its own cache is used where it lies. The file's name ends in the
start of its SHA-256, which is checked every time, and it is read as weights only.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import sys
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch

from dqviz.data import data_folder
from dqviz.models.aliases import weights_name
from dqviz.models.catalog import find_architecture, make_network
from dqviz.models.checkpoint_files import parse_checkpoint, read_bytes
from dqviz.models.checkpoints import finish, load_state, unwrap
from dqviz.models.errors import ModelError
from dqviz.models.normalize import Classifier
from dqviz.models.vision import zoo

DATASET = "imagenet"
CONNECT_SECONDS = 15.0

_HASH = re.compile(r"-([0-9a-f]{8,64})\.")
_OWN_NORMALISATION = ("googlenet", "inception_v3")


def published_names(arch: str) -> tuple[str, ...]:
    """The names of the weights published for an architecture, without those for features only."""
    if arch not in zoo().list_models(module=zoo()):
        return ()
    members = zoo().get_model_weights(arch)
    return tuple(weights.name for weights in members if weights.meta.get("categories"))


def find_weights(arch: str, name: str) -> Any:
    """torchvision's entry for published weights; DEFAULT is its name for the best ones.

    Raises:
        ModelError: if the architecture is unknown or refused, or has no weights of that name.
    """
    find_architecture(arch)
    names = published_names(arch)
    name = weights_name(arch, name)
    if name not in names:
        raise ModelError(
            f"no weights {name!r} are published for {arch!r}; "
            + (f"there are: {', '.join(names)}" if names else "none are, for this architecture")
        )
    return zoo().get_model_weights(arch)[name]


def class_names(weights: Any) -> tuple[str, ...]:
    """The names of the classes in the order of the logits."""
    return tuple(weights.meta["categories"])


def evaluated_size(weights: Any) -> int:
    """The side in pixels of the images that the published accuracy was measured on."""
    return int(weights.transforms().crop_size[0])


def normalisation(arch: str, weights: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and std of the input.

    The published GoogLeNet and Inception undo ImageNet's normalisation inside themselves
    (`transform_input`) in favour of mean and std 0.5; here that is said where it belongs.
    """
    if arch in _OWN_NORMALISATION:
        return (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
    transforms = weights.transforms()
    return tuple(transforms.mean), tuple(transforms.std)


def load_published(arch: str, name: str) -> Classifier:
    """A network with weights that torchvision publishes, downloaded if need be.

    Raises:
        ModelError: if there are no such weights, the download fails, or the file is damaged.
    """
    weights = find_weights(arch, name)
    file = find_file(weights)
    data = read_bytes(file)
    check_hash(data, file)
    classes = len(class_names(weights))
    tensors = find_architecture(arch).adapt(
        unwrap(parse_checkpoint(data, name=str(file)), name=str(file))
    )
    network = make_network(arch, classes)
    load_state(network, tensors, classes=classes, name=str(file))
    mean, std = normalisation(arch, weights)
    return finish(network, arch=arch, mean=mean, std=std)


def folders() -> tuple[Path, Path]:
    """Where published weights are looked for: our own folder, then torchvision's cache."""
    return data_folder() / "checkpoints", Path(torch.hub.get_dir()) / "checkpoints"


def find_file(weights: Any) -> Path:
    """The file on disk, after a download into the first of `folders` if it was not there.

    Raises:
        ModelError: if it cannot be downloaded; says which file to put where.
    """
    file_name = Path(urlparse(weights.url).path).name
    for folder in folders():
        if (folder / file_name).is_file():
            return folder / file_name
    target = folders()[0]
    try:
        _require_server(weights.url)
        with contextlib.redirect_stdout(sys.stderr):  # torch announces the download on stdout
            weights.get_state_dict(
                model_dir=str(target),
                progress=sys.stderr.isatty(),
                check_hash=True,
                weights_only=True,
            )
    except (OSError, HTTPException, RuntimeError, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise ModelError(
            f"the weights {file_name} could not be downloaded ({reason}); without a network, "
            f"download {weights.url} elsewhere and put {file_name} into {target}"
        ) from error
    return target / file_name


def _require_server(url: str) -> None:
    """Raises within seconds where no network is: torch's own download waits without limit."""
    request = urllib.request.Request(url, method="HEAD", headers={"User-Agent": "torch.hub"})
    try:
        with urllib.request.urlopen(request, timeout=CONNECT_SECONDS):
            return
    except urllib.error.HTTPError as error:
        if error.code in (404, 410):
            raise


def check_hash(data: bytes, file: Path) -> None:
    """Compares the content with the start of the SHA-256 in the file's name.

    Raises:
        ModelError: if they differ, as after an interrupted copy.
    """
    found = _HASH.search(file.name)
    received = hashlib.sha256(data).hexdigest()
    if found is not None and not received.startswith(found[1]):
        raise ModelError(
            f"{file} is damaged or not what its name says: its SHA-256 starts with "
            f"{received[: len(found[1])]}, expected {found[1]}; delete it and try again"
        )
