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
from .shown import SHOWN, Shown, shown_rows, where
from .strengths import Graded, series, series_plan, series_table
from .tables import Tables, read_tables, records
from .verdicts import Verdict, judge, judge_equal
from .work import Work, work_here

__all__ = [
    "CLAIMS",
    "QUICK",
    "SHOWN",
    "WHOLE",
    "Claim",
    "Graded",
    "Network",
    "PaperError",
    "Part",
    "Progress",
    "Shown",
    "Size",
    "Tables",
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
    "read_tables",
    "records",
    "series",
    "series_plan",
    "series_table",
    "shown_rows",
    "verdict_table",
    "where",
    "without_images",
    "work_here",
    "write_files",
]
