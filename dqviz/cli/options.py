"""The options that several commands share."""

from __future__ import annotations

import argparse
from typing import Any

from dqviz.specs import ATTACKS, ESTIMATORS, LOSSES, MAX_CLASSES, MAX_MEDIAN, NORMS, RANGES

from .values import bits, number, numbers, out_file, out_folder, whole

DEFAULT_MODEL = "streetdigits/resnet20/vanilla"
NAMED_DATA = ("streetdigits", "cifar10", "svhn")
CALIBRATION_IMAGES = 256


def add_command(commands: Any, name: str, help: str, examples: str) -> argparse.ArgumentParser:
    """A command, or a command's command, with its examples under its help."""
    command: argparse.ArgumentParser = commands.add_parser(
        name,
        help=help,
        description=f"{help[0].upper()}{help[1:]}.",
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    return command


def add_out(parser: argparse.ArgumentParser) -> None:
    """--out."""
    parser.add_argument(
        "--out",
        metavar="FILE",
        type=out_file,
        help="write all rows to FILE (.json, .csv or .parquet) instead of printing a table",
    )


def add_save_images(parser: argparse.ArgumentParser) -> None:
    """--save-images."""
    parser.add_argument(
        "--save-images",
        metavar="DIR",
        type=out_folder,
        help="also write the attacked images as PNG files, load them again and judge those",
    )


def add_network(parser: argparse.ArgumentParser) -> None:
    """The network: an id, or a checkpoint with what it needs."""
    group = parser.add_argument_group("network")
    group.add_argument(
        "--model",
        metavar="ID",
        help=f"DATASET/ARCH/WEIGHTS; see `python -m dqviz models` (default: {DEFAULT_MODEL})",
    )
    group.add_argument(
        "--checkpoint", metavar="FILE", help="a safetensors or PyTorch file of weights instead"
    )
    group.add_argument("--arch", metavar="NAME", help="the checkpoint's architecture: resnet20")
    group.add_argument(
        "--classes",
        metavar="N",
        type=whole(2, MAX_CLASSES),
        help="the checkpoint's number of classes",
    )
    for name in ("mean", "std"):
        group.add_argument(
            f"--{name}",
            metavar="R,G,B",
            type=numbers,
            help=f"the {name} of its input, one number a channel, for pixels in [0, 1]",
        )
    group.add_argument(
        "--squeeze-bits",
        metavar="N",
        type=whole(1, 8),
        help="feature squeezing: pixels are rounded to so many bits first",
    )
    group.add_argument(
        "--squeeze-median",
        metavar="K",
        type=whole(2, MAX_MEDIAN),
        help="feature squeezing: then the median of KxK pixels is taken",
    )


def add_data(parser: argparse.ArgumentParser) -> None:
    """The images."""
    group = parser.add_argument_group("images")
    group.add_argument(
        "--data",
        metavar="NAME",
        help="streetdigits, cifar10, svhn, parquet:PATH or folder:PATH "
        "(default: the data set in the network's id)",
    )
    group.add_argument("--split", choices=("train", "test"), default="test")
    group.add_argument("--n", metavar="N", type=whole(1), help="how many images (default: all)")
    group.add_argument(
        "--seed",
        metavar="N",
        type=whole(0),
        default=0,
        help="of the choice of images, random starts and controls (default: 0)",
    )
    group.add_argument(
        "--image-size", metavar="PIXELS", type=whole(8, 1024), help="(default: the network's)"
    )
    group.add_argument(
        "--batch-size",
        metavar="N",
        type=whole(1, 100_000),
        default=64,
        help="images at once (default: 64)",
    )


def add_quantization(parser: argparse.ArgumentParser) -> None:
    """The bits, and how ranges are found."""
    group = parser.add_argument_group("quantization")
    for name, low, default in (
        ("weight-bits", 2, 32),
        ("act-bits", 1, 32),
        ("first-bits", 2, 8),
        ("last-bits", 2, 8),
    ):
        what = "of that layer, where it is quantized, " if default == 8 else ""
        group.add_argument(
            f"--{name}",
            metavar="N",
            type=bits(low),
            default=default,
            help=f"{low} to 8, or 32 for full precision {what}(default: {default})",
        )
    group.add_argument("--ranges", choices=RANGES, default="percentile")
    group.add_argument("--percentile", metavar="P", type=number, default=99.9)
    group.add_argument(
        "--fold-batchnorm", action=argparse.BooleanOptionalAction, default=True, help="(default)"
    )
    group.add_argument(
        "--estimator",
        choices=ESTIMATORS,
        default="clipped",
        help="the gradient that attacks see through rounding: passed on everywhere, within the "
        "range alone, that of the network at full precision, or none (default: clipped)",
    )
    group.add_argument(
        "--calibration",
        metavar="DATA",
        help=f"calibrate ranges on {CALIBRATION_IMAGES} training images of DATA (default: the "
        "card's histograms, else the data's training split, else the evaluated images)",
    )


def add_severities(parser: argparse.ArgumentParser) -> None:
    """How strong corruptions are."""
    group = parser.add_argument_group("corruptions")
    group.add_argument(
        "--severities",
        metavar="S[,S...]",
        type=lambda text: tuple(whole(1, 5)(part.strip()) for part in text.split(",")),
        default=(1, 3, 5),
        help="1 to 5 (default: 1,3,5)",
    )


def add_attack(parser: argparse.ArgumentParser, *, bound: bool = False) -> None:
    """The perturbation; with `bound`, its epsilon is the largest one that a search tries."""
    group = parser.add_argument_group("attack")
    strong = "pgd" if bound else "fgsm"
    group.add_argument("--attack", choices=ATTACKS, default=strong, help=f"(default: {strong})")
    epsilon, what = (8, "tried: ") if bound else (1, "of a pixel, images being in [0, 1]: ")
    group.add_argument(
        "--eps",
        metavar="E[,E...]",
        type=numbers,
        default=(epsilon / 255,),
        help=f"the largest change {what}1/255, 0.00392 or 0.5/255,1/255,2/255 "
        f"(default: {epsilon}/255)",
    )
    group.add_argument("--norm", choices=NORMS, default="linf")
    group.add_argument(
        "--loss",
        choices=LOSSES,
        default="cross_entropy",
        help="what fgsm, rfgsm, bim, pgd and mifgsm raise (default: cross_entropy)",
    )
    group.add_argument("--steps", metavar="N", type=whole(1), default=10, help="(default: 10)")
    group.add_argument("--alpha", metavar="A", type=number, help="step (default: 2.5 eps / steps)")
    group.add_argument("--restarts", metavar="N", type=whole(1), default=1, help="(default: 1)")
    group.add_argument(
        "--random-start", action=argparse.BooleanOptionalAction, default=True, help="(default)"
    )
    group.add_argument(
        "--momentum", metavar="M", type=number, default=1.0, help="of mifgsm, 0 to 1 (default: 1)"
    )
    group.add_argument(
        "--queries",
        metavar="N",
        type=whole(1),
        default=500,
        help="of square for each image, also within standard (default: 500)",
    )
    group.add_argument(
        "--targeted", action="store_true", help="aim at the class after the true one"
    )
    group.add_argument(
        "--fast",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="where an attack's success alone matters, take gradients in the arithmetic that is "
        "fastest on this machine; success is judged in float32 either way (default)",
    )
    group.add_argument(
        "--crafted-on",
        metavar="ID",
        help="craft the perturbation on another network, at full precision; `full` is the same "
        "network at full precision (default: on the very network measured)",
    )
