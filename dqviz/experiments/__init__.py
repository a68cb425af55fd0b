"""A specification in, a table of numbers out; and the engine that computes away from the browser.

Nothing that is imported here needs torch: pages use this room without any network in their process.
What computes (`dqviz.experiments.run`) is imported by the engine's workers and the command line.
"""

from .engine import Engine
from .errors import Cancelled, ExperimentError
from .handle import Handle, Progress
from .image_counts import at_most_all
from .lookup import Lookup
from .resolve import resolve
from .result import COLUMNS, Result

__all__ = [
    "COLUMNS",
    "Cancelled",
    "Engine",
    "ExperimentError",
    "Handle",
    "Lookup",
    "Progress",
    "Result",
    "at_most_all",
    "resolve",
]
