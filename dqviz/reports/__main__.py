"""`python -m dqviz.reports STORE OUT`: a report by a process that gives way to all others.

How far it is is written line by line, a share of 0 to 1 and a text; an error is the last line.
"""

from __future__ import annotations

import os
import sys

from dqviz.studies import StoreError

from .html import ReportError, write_report

NICENESS = 10


def main(store: str, out: str) -> int:
    """Writes the report; 0 if that was possible."""
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    try:
        write_report(store, out, report=_tell)
    except (StoreError, ReportError) as error:
        print(" ".join(str(error).split()), flush=True)
        return 1
    return 0


def _tell(share: float, text: str) -> None:
    print(f"{share:.3f} {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
