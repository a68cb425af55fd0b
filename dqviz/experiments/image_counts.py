"""Requests cut down to the images that there are. Needs no torch."""

from __future__ import annotations

import dataclasses

from dqviz.data import DataError, count_images
from dqviz.specs import DataSpec, ExperimentSpec


def at_most_all(spec: ExperimentSpec) -> ExperimentSpec:
    """The same experiment on all images of a split that has fewer than are asked for.

    See `at_most_whole`.
    """
    data = at_most_whole(spec.data)
    return spec if data is spec.data else dataclasses.replace(spec, data=data)


def at_most_whole(data: DataSpec) -> DataSpec:
    """The same images, or all of a split that has fewer than are asked for.

    Data that cannot be found or read is left as it is, for whatever loads it to refuse. Files'
    footers and folders are read, no image is.
    """
    asked = data.n_samples
    if asked is None:
        return data
    try:
        total = count_images(data, enough=asked)
    except DataError:
        return data
    return dataclasses.replace(data, n_samples=total) if 0 < total < asked else data
