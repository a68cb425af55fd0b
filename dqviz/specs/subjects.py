"""What is measured: labelled images, and a network."""

from __future__ import annotations

import dataclasses

from .checks import check_types, require, require_choice, require_seed

MAX_CLASSES = 100_000
"""What images and networks may have; more are taken for a mistake."""

MAX_MEDIAN = 9
"""Of the windows of feature squeezing, in pixels a side."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataSpec:
    """Which labelled images: a data set's name, its split, and a seeded choice of its images.

    `name` is `streetdigits`, `cifar10`, `svhn`, `parquet:PATH` or `folder:PATH`. `n_samples` images
    are drawn without replacement by `seed`; None takes all of them, in order. A smaller `n_samples`
    with the same seed gives the first images of a larger one. `image_size` resizes to a square of
    that many pixels (None leaves 32x32 data sets as they are and resizes other files to 32).
    `fingerprint` names the content and is filled in when the specification is resolved.
    """

    name: str = "streetdigits"
    split: str = "test"
    n_samples: int | None = None
    seed: int = 0
    image_size: int | None = None
    fingerprint: str | None = None

    def __post_init__(self) -> None:
        check_types(self)
        require(bool(self.name), "the data set's name is empty")
        require_choice("split", self.split, ("train", "test"))
        require(
            self.n_samples is None or self.n_samples >= 1,
            f"n_samples must be at least 1; got {self.n_samples}",
        )
        require_seed(self.seed)
        require(
            self.image_size is None or 8 <= self.image_size <= 1024,
            f"image_size must lie between 8 and 1024 pixels; got {self.image_size}",
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """Which network: an id `DATASET/ARCH/WEIGHTS`, or a checkpoint file with what it needs.

    With `checkpoint` (a file's path) the fields `arch`, `classes`, `mean` and `std` describe the
    network (mean and std per colour channel, in units of pixels scaled to [0, 1]) and `id` is the
    name shown. `fingerprint` names the content of the weights and is filled in when resolved.

    `squeeze_bits` and `squeeze_median` put feature squeezing before the network: pixels rounded to
    so many bits, then the median of windows of so many pixels a side; None leaves it out.
    """

    id: str = "streetdigits/resnet20/vanilla"
    checkpoint: str | None = None
    arch: str | None = None
    classes: int | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    fingerprint: str | None = None
    squeeze_bits: int | None = None
    squeeze_median: int | None = None

    def __post_init__(self) -> None:
        check_types(self)
        for name, low, high in (("squeeze_bits", 1, 8), ("squeeze_median", 2, MAX_MEDIAN)):
            value = getattr(self, name)
            require(
                value is None or low <= value <= high,
                f"{name} must be {low} to {high}, or nothing for none; got {value}",
            )
        if self.checkpoint is None:
            require(
                len(self.id.split("/")) == 3 and all(self.id.split("/")),
                "a network's id has three parts, DATASET/ARCH/WEIGHTS, such as "
                f"streetdigits/resnet20/vanilla; got {self.id!r}",
            )
        require(
            self.classes is None or 2 <= self.classes <= MAX_CLASSES,
            f"a classifier has 2 to {MAX_CLASSES:,} classes; got {self.classes}",
        )
        require(
            self.std is None or all(v > 0 for v in self.std),
            f"std must be positive; got {self.std}",
        )

    @property
    def label(self) -> str:
        """The short name shown in tables and legends, with what squeezes the images."""
        bits, median = self.squeeze_bits, self.squeeze_median
        words = [f"{bits} bit" + "s" * (bits > 1)] if bits is not None else []
        words += [f"median {median}"] if median is not None else []
        return f"{self.id}, squeezed ({' and '.join(words)})" if words else self.id
