"""Weights from outside into a network of ours: unwrapped, matched by name, checked, copied.

What stands between a public checkpoint and a network is nearly always one of: a wrapper around the
state dict, a prefix before every name, another number of classes. The first two are taken off; for
everything else the message says which names are missing, unexpected or of the wrong shape.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from dqviz import cards
from dqviz.models.catalog import find_architecture, make_network
from dqviz.models.checkpoint_files import read_checkpoint_file
from dqviz.models.errors import ModelError
from dqviz.models.normalize import Classifier
from dqviz.models.registry import State
from dqviz.models.stored import unpack

WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network", "weights")
PREFIXES = ("module.", "_orig_mod.", "net.", "model.")
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
CHANNELS = 3
LEAST_STD = 1e-6
"""A standard deviation below this is taken for a mistake; far below, it is zero in float32."""
SHOWN = 5
"""How many names of each kind a message lists."""


def load_checkpoint(
    path: str | os.PathLike[str],
    *,
    arch: str | None = None,
    classes: int | Sequence[str] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> Classifier:
    """A network with the weights in a file; in eval mode, its parameters frozen.

    The file is safetensors or a PyTorch file that `weights_only` accepts; wrapped (`state_dict`,
    `model`, ...) or not, with `module.` before the names or not. What is not given comes from the
    card beside it (`FILE.json`), mean and std also from the file itself where it holds a
    `Classifier`.

    Args:
        path: the file of weights.
        arch: the architecture's name, such as `resnet20`.
        classes: the number of classes, or their names in the order of the logits.
        mean: one number a channel, for pixels in [0, 1].
        std: likewise, positive.

    Raises:
        ModelError: if the file is not one of weights, does not fit the architecture, holds NaN or
            code, or something is neither given nor found.
    """
    name = str(path)
    if any(value is None for value in (arch, classes, mean, std)):
        card = _card_beside(path)
        if card is not None:
            arch = card.arch if arch is None else arch
            classes = card.classes if classes is None else classes
            mean, std = (card.mean, card.std) if mean is None and std is None else (mean, std)
    if arch is None or classes is None:
        raise ModelError(
            f"{name}: say the architecture and the number of classes, such as arch='resnet20', "
            f"classes=10; got arch={arch!r}, classes={classes!r}, and no card beside the file"
        )
    count = _count(classes)
    tensors = unwrap(read_checkpoint_file(path), name=name)
    network = make_network(arch, count)
    held_mean, held_std = take_normalisation(tensors)
    if mean is None and std is None:
        mean, std = held_mean, held_std
    mean, std = check_normalisation(mean, std, name=name)
    tensors = unpack(tensors, name=name)
    load_state(network, find_architecture(arch).adapt(tensors), classes=count, name=name)
    return finish(network, arch=arch, mean=mean, std=std)


def _count(classes: int | Sequence[str]) -> int:
    if isinstance(classes, int):
        return classes
    if isinstance(classes, str) or not isinstance(classes, Sequence):
        raise ModelError(f"classes is a number or a list of names; got {classes!r}")
    return len(classes)


def _card_beside(path: str | os.PathLike[str]) -> cards.Card | None:
    try:
        return cards.card_beside(path)
    except cards.CardError as error:
        raise ModelError(str(error)) from error


def finish(
    network: nn.Module, *, arch: str, mean: Sequence[float], std: Sequence[float]
) -> Classifier:
    """The network behind its normalisation, in eval mode, its parameters frozen."""
    made_for = find_architecture(arch).image_size
    classifier = Classifier(network, mean=mean, std=std, arch=arch, made_for=made_for).eval()
    classifier.requires_grad_(False)
    return classifier


def unwrap(document: Any, *, name: str) -> State:
    """The tensors by name inside what a file holds, without wrappers and shared prefixes.

    Raises:
        ModelError: if there is no dict of tensors in it.
    """
    inner = document
    for _ in range(3):
        if not isinstance(inner, Mapping):
            break
        wrapper = next((key for key in WRAPPERS if isinstance(inner.get(key), Mapping)), None)
        if wrapper is None:
            break
        inner = inner[wrapper]
    entries = inner.items() if isinstance(inner, Mapping) else ()
    tensors = {
        key: value
        for key, value in entries
        if isinstance(key, str) and isinstance(value, torch.Tensor)
    }
    if not tensors:
        raise ModelError(
            f"{name} holds no weights: expected a dict of tensors, wrapped in "
            f"{', '.join(WRAPPERS)} or not; got {_describe(document)}"
        )
    return _without_prefixes(tensors)


def _describe(document: Any) -> str:
    if not isinstance(document, Mapping):
        return f"a {type(document).__name__}"
    keys = [repr(key)[:40] for key in list(document)[:SHOWN]]
    return f"a dict with {len(document)} keys" + (f": {', '.join(keys)}" if keys else "")


def _without_prefixes(tensors: State) -> State:
    """Takes off, again and again, a prefix that every name has; `normalize.` keeps out of it."""
    own = {key: value for key, value in tensors.items() if key.startswith("normalize.")}
    rest = {key: value for key, value in tensors.items() if key not in own}
    shared = next((p for p in PREFIXES if rest and all(key.startswith(p) for key in rest)), None)
    if shared is None:
        return tensors
    stripped = {key.removeprefix(shared): value for key, value in rest.items()}
    return _without_prefixes({**own, **stripped})


def take_normalisation(
    tensors: State,
) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """Removes the buffers of our own normalisation layer; returns mean and std, if there are."""
    held = [tensors.pop(f"normalize.{part}", None) for part in ("mean", "std")]
    mean, std = (None if t is None else tuple(float(v) for v in t.flatten()) for t in held)
    return mean, std


def check_normalisation(
    mean: Sequence[float] | None, std: Sequence[float] | None, *, name: str
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and std as tuples.

    Raises:
        ModelError: if one is missing, has not three finite numbers, or a std is below `LEAST_STD`.
    """
    if mean is None or std is None:
        raise ModelError(
            f"{name}: say how the network's input is normalised, for pixels in [0, 1]: "
            "mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225) for ImageNet's, mean=(0, 0, 0), "
            "std=(1, 1, 1) for none, on the command line --mean 0.485,0.456,0.406 --std "
            f"0.229,0.224,0.225, or in a card beside it; got mean={mean}, std={std}"
        )
    for what, given in (("mean", mean), ("std", std)):
        values = _numbers(given)
        finite = all(-1e6 < value < 1e6 for value in values)
        if len(values) != CHANNELS or not finite or (what == "std" and min(values) < LEAST_STD):
            positive = "positive " if what == "std" else ""
            raise ModelError(
                f"{name}: {what} needs {CHANNELS} finite {positive}numbers, one a colour channel; "
                f"got {values or given!r}"
            )
    return _numbers(mean), _numbers(std)


def _numbers(values: Any) -> tuple[float, ...]:
    """The numbers in a list or an array, none for anything else."""
    try:
        return () if isinstance(values, str) else tuple(float(value) for value in values)
    except (TypeError, ValueError):
        return ()


def load_state(network: nn.Module, tensors: State, *, classes: int, name: str) -> None:
    """Copies the tensors into the network; all of them must fit.

    A BatchNorm's `num_batches_tracked`, which nothing here uses, may be missing.

    Raises:
        ModelError: listing the names that are missing, unexpected or of the wrong shape; or those
            that hold something else than finite real numbers.
    """
    expected = network.state_dict()
    optional = {key for key in expected if key.endswith("num_batches_tracked")}
    missing = [key for key in expected if key not in tensors and key not in optional]
    unexpected = sorted(key for key in tensors if key not in expected)
    wrong = [
        (key, tuple(tensors[key].shape), tuple(value.shape))
        for key, value in expected.items()
        if key in tensors and tensors[key].shape != value.shape
    ]
    if missing or unexpected or wrong:
        shapes = [f"{key} (file {got}, network {needed})" for key, got, needed in wrong]
        parts = [
            _listed("missing", missing),
            _listed("unexpected", unexpected),
            _listed("of the wrong shape", shapes),
            "" if missing or unexpected else _explain_classes(wrong, classes),
        ]
        raise ModelError(
            f"{name} does not fit the network: " + "; ".join(part for part in parts if part)
        )
    _check_values({key: value for key, value in tensors.items() if key not in optional}, name=name)
    with torch.no_grad():
        for key, value in expected.items():
            if key in tensors:
                value.copy_(tensors[key])


def _listed(what: str, items: Sequence[str]) -> str:
    if not items:
        return ""
    more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return f"{len(items)} {what}: {', '.join(items[:SHOWN])}{more}"


def _explain_classes(
    wrong: Sequence[tuple[str, tuple[int, ...], tuple[int, ...]]], classes: int
) -> str:
    """Where only the last layer's rows differ, the number of classes is what is wrong."""
    rows = {got[:1] for _, got, needed in wrong if needed[:1] == (classes,)}
    same_columns = all(got[1:] == needed[1:] for _, got, needed in wrong)
    if len(rows) != 1 or len(wrong) > 2 or not same_columns:
        return ""
    return f"the file is for {next(iter(rows))[0]} classes, {classes} were asked for"


def _check_values(tensors: State, *, name: str) -> None:
    kinds = [key for key, tensor in tensors.items() if not _is_plain(tensor)]
    if kinds:
        shown = [f"{key} ({tensors[key].dtype}, {tensors[key].layout})" for key in kinds]
        raise ModelError(
            f"{name} holds something else than real numbers: {_listed('tensors', shown)}"
        )
    broken = [key for key, tensor in tensors.items() if not bool(tensor.float().isfinite().all())]
    if broken:
        raise ModelError(f"{name} holds NaN or infinite values: {_listed('tensors', broken)}")
    negative = [
        key
        for key, tensor in tensors.items()
        if key.endswith("running_var") and bool((tensor < 0).any())
    ]
    if negative:
        raise ModelError(f"{name} holds negative variances: {_listed('tensors', negative)}")


def _is_plain(tensor: torch.Tensor) -> bool:
    plain = tensor.layout == torch.strided and tensor.device.type == "cpu"
    return plain and tensor.dtype in FLOATS
