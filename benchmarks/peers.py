"""What benchmarks against other libraries have in common: the network, its images, the peers."""

from __future__ import annotations

import argparse
import importlib
import sys
import warnings
from types import ModuleType

from dqviz.models import load_checkpoint
from dqviz.models.normalize import Classifier


def library(name: str) -> ModuleType | None:
    """A library that is compared with; None, and said to be left out, where it is not there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module(name)
        except ImportError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
            return None


def add_network(parser: argparse.ArgumentParser) -> None:
    """The options that name a third-party network and its images."""
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--data", required=True, help="a data set's name, such as parquet:PATH")
    parser.add_argument("--arch", default="resnet20")
    parser.add_argument("--mean", default="0.485,0.456,0.406")
    parser.add_argument("--std", default="0.229,0.224,0.225")


def load_network(options: argparse.Namespace) -> Classifier:
    """The network that `add_network`'s options name, of ten classes."""
    mean, std = (tuple(map(float, text.split(","))) for text in (options.mean, options.std))
    return load_checkpoint(options.checkpoint, arch=options.arch, classes=10, mean=mean, std=std)
