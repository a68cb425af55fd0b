"""What is to be computed, said in full: frozen specifications and the key that names a result.

Only the standard library is imported here, so that every part of the project, the browser pages
included, can name a computation without being able to run it. Two specifications that are equal
have the same `spec_key`, in the app and on the command line, and give the same numbers.
"""

from .checks import SpecError
from .experiment import CORRUPTIONS, EXPERIMENTS, FAST_KINDS, Craft, ExperimentSpec
from .keys import RESULTS_VERSION, Spec, spec_key, to_json
from .methods import (
    ATTACKS,
    CONTROLS,
    ESTIMATORS,
    FULL_PRECISION,
    LONGEST,
    LOSSES,
    NORMS,
    RANGES,
    SMALLEST,
    TRAINED,
    AttackSpec,
    DefenseSpec,
    QuantSpec,
)
from .subjects import MAX_CLASSES, MAX_MEDIAN, DataSpec, ModelSpec
from .sweep import Axis, Exclusion, SweepSpec

__all__ = [
    "ATTACKS",
    "CONTROLS",
    "CORRUPTIONS",
    "ESTIMATORS",
    "EXPERIMENTS",
    "FAST_KINDS",
    "FULL_PRECISION",
    "LONGEST",
    "LOSSES",
    "MAX_CLASSES",
    "MAX_MEDIAN",
    "NORMS",
    "RANGES",
    "RESULTS_VERSION",
    "SMALLEST",
    "TRAINED",
    "AttackSpec",
    "Axis",
    "Craft",
    "DataSpec",
    "DefenseSpec",
    "Exclusion",
    "ExperimentSpec",
    "ModelSpec",
    "QuantSpec",
    "Spec",
    "SpecError",
    "SweepSpec",
    "spec_key",
    "to_json",
]
