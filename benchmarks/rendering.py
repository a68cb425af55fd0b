"""How many images a second streetdigits renders, on all processors and on one.

    python benchmarks/rendering.py

The test split, 5,000 images, several times; the fastest counts. The goal is for two processors.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from dqviz.data import streetdigits
from dqviz.data.streetdigits import render

REPEATS = 3
GOAL = 2000


def main() -> None:
    """Print both rates."""
    count = streetdigits.IMAGES["test"]
    together, alone = [], []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        render.render("test", lambda done, total: None)
        together.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        for number in render.blocks("test"):
            render.render_block("test", number)
        alone.append(time.perf_counter() - begin)
    rate, one = count / min(together), count / min(alone)
    print(f"{os.cpu_count()} processors: {rate:,.0f} images/s (goal on two: {GOAL:,})")
    print(f"one of them: {one:,.0f} images/s; together {rate / one:.2f} times as fast")


if __name__ == "__main__":
    main()
