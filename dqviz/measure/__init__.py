"""Measuring a network: tensors in, plain numbers out."""

from dqviz.measure.accuracy import (
    PairedDifference,
    Proportion,
    accuracy,
    correctness,
    paired_difference,
    wilson,
)
from dqviz.measure.amplification import (
    Profile,
    amplification,
    measure_profile,
    profile_rows,
    sample_distances,
)
from dqviz.measure.errors import MeasureError
from dqviz.measure.failure import (
    Area,
    FailurePrediction,
    area_under_curve,
    failure_prediction,
    margin,
)
from dqviz.measure.feature_maps import feature_maps
from dqviz.measure.flips import freeze_codes
from dqviz.measure.rows import Row

__all__ = [
    "Area",
    "FailurePrediction",
    "MeasureError",
    "PairedDifference",
    "Profile",
    "Proportion",
    "Row",
    "accuracy",
    "amplification",
    "area_under_curve",
    "correctness",
    "failure_prediction",
    "feature_maps",
    "freeze_codes",
    "margin",
    "measure_profile",
    "paired_difference",
    "profile_rows",
    "sample_distances",
    "wilson",
]
