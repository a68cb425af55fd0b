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
    amplification,
    measure_profile,
    measure_profiles,
    profile_rows,
    sample_distances,
)
from dqviz.measure.conv_norm import conv_operator_norm
from dqviz.measure.efficiency import Efficiency, efficiency, efficiency_rows
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
from dqviz.measure.lipschitz import layer_norms, measured_gain
from dqviz.measure.matrix_norm import Bounds
from dqviz.measure.measurement import Profile
from dqviz.measure.network_bounds import NetworkLipschitz, network_lipschitz
from dqviz.measure.rows import Row

__all__ = [
    "Area",
    "Bounds",
    "Efficiency",
    "FailurePrediction",
    "MeasureError",
    "NetworkLipschitz",
    "PairedDifference",
    "Profile",
    "Proportion",
    "Row",
    "accuracy",
    "amplification",
    "area_under_curve",
    "conv_operator_norm",
    "correctness",
    "efficiency",
    "efficiency_rows",
    "failure_prediction",
    "feature_maps",
    "freeze_codes",
    "layer_norms",
    "margin",
    "measure_profile",
    "measure_profiles",
    "measured_gain",
    "network_lipschitz",
    "paired_difference",
    "profile_rows",
    "sample_distances",
    "wilson",
]
