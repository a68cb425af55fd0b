"""The paper's claims put to the test on the shipped networks.

Lin, Gan, Han: *Defensive Quantization: When Efficiency Meets Robustness*, ICLR 2019,
https://arxiv.org/abs/1904.08444. `work_here` says what is computed, `compute` does it,
`Work.outcome` judges by rules stated beforehand, `write_files` leaves tables and a page. No torch.
"""

from .claim import Claim
from .claims import CLAIMS
from .computing import PaperError, Progress, compute
from .files import write_files
from .findings import Tested, effect_table, put_to_the_test, verdict_table
from .networks import Network, networks, without_images
from .plan import QUICK, WHOLE, Part, Size, plan
from .strengths import Graded, series, series_plan, series_table
from .verdicts import Verdict, judge, judge_equal
from .work import Work, work_here

__all__ = [
    "CLAIMS",
    "QUICK",
    "WHOLE",
    "Claim",
    "Graded",
    "Network",
    "PaperError",
    "Part",
    "Progress",
    "Size",
    "Tested",
    "Verdict",
    "Work",
    "compute",
    "effect_table",
    "judge",
    "judge_equal",
    "networks",
    "plan",
    "put_to_the_test",
    "series",
    "series_plan",
    "series_table",
    "verdict_table",
    "without_images",
    "work_here",
    "write_files",
]
