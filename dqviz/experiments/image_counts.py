"""Requests cut down to the images that there are. Needs no torch."""

from __future__ import annotations

import dataclasses

from dqviz.data import DataError, count_images
from dqviz.specs import ExperimentSpec


def at_most_all(spec: ExperimentSpec) -> ExperimentSpec:
    """The same experiment on all images of a split that has fewer than are asked for.

    Data that cannot be found or read is left as it is, for `resolve` or the computation to refuse.
    Files' footers and folders are read, no image is.
    """
    asked = spec.data.n_samples
    if asked is None:
        return spec
    try:
        total = count_images(spec.data, enough=asked)
    except DataError:
        return spec
    if not 0 < total < asked:
        return spec
    return dataclasses.replace(spec, data=dataclasses.replace(spec.data, n_samples=total))
