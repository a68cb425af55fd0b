"""All that the verdicts and the beta series need on this machine, and what comes of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from dqviz.experiments.result import Result

from .depths import layer_table, quantizer_table
from .findings import effect_table, put_to_the_test, verdict_table
from .levels import level_table
from .networks import Network, networks, without_images
from .plan import Part, Size, plan
from .strengths import Graded, series, series_plan, series_table
from .tables import Tables


@dataclasses.dataclass(frozen=True, kw_only=True)
class Work:
    """What is computed for the shipped networks.

    `subjects` are the networks of the verdicts and `graded` those of the series, whose test images
    are here; `missing` holds the data sets that are not, and why; `parts` every result.
    """

    subjects: tuple[Network, ...]
    graded: tuple[Graded, ...]
    missing: Mapping[str, str]
    parts: tuple[Part, ...]

    def outcome(self, results: Mapping[Part, Result]) -> Tables:
        """The claims put to the test, and the numbers behind them.

        Args:
            results: of all `parts`.
        """
        tested = put_to_the_test(self.subjects, self.parts, results)
        return Tables(
            verdicts=verdict_table(tested),
            effects=effect_table(tested),
            beta=series_table(self.graded, results),
            levels=level_table(self.parts, results),
            layers=layer_table(self.parts, results),
            quantizers=quantizer_table(self.parts, results),
        )


def work_here(size: Size) -> Work:
    """What the shipped networks need whose images are here.

    Raises:
        CardError: for a card that cannot be read.
    """
    found, graded = networks(), series()
    missing = without_images([*found, *(member.network for member in graded)])
    subjects = tuple(network for network in found if network.dataset not in missing)
    members = tuple(member for member in graded if member.network.dataset not in missing)
    return Work(
        subjects=subjects,
        graded=members,
        missing=missing,
        parts=(*plan(subjects, size), *series_plan(members, size)),
    )
