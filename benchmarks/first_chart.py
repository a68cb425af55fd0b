"""How long the app's first chart takes, from a server just started, beside a trivial page's.

    python benchmarks/first_chart.py [--rounds N]

Server and browser are new in every round, as for someone who has just typed the command. Timed is
the way from opening the address to the frame in which the chart is drawn; the server answers
already, but has run no script. Prints medians in seconds.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.slider_latency import stage  # noqa: E402
from tests.browser.serving import FLAGS, running_server  # noqa: E402

CHART = ".st-key-figure_growth .js-plotly-plot .main-svg"
GOAL = 4.0


def first_chart(playwright, browser_file: Path, app: Path, folder: Path) -> float:
    """Seconds from opening a new server's address in a new browser to the chart."""
    browser = playwright.chromium.launch(executable_path=browser_file, args=FLAGS)
    try:
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        with running_server(app, folder) as address:
            begin = time.perf_counter()
            page.goto(address, wait_until="commit")
            page.wait_for_selector(CHART, timeout=120_000)
            return time.perf_counter() - begin
    finally:
        browser.close()


def main() -> int:
    """Measures both in turns and prints the result."""
    parser = argparse.ArgumentParser(description="The first chart of the app and of a trivial page")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with stage() as (trivial, playwright, browser_file):
        times: dict[str, list[float]] = {"trivial page": [], "overview": []}
        for _ in range(options.rounds):
            for name, app in zip(times, (trivial, ROOT / "app.py"), strict=True):
                times[name].append(first_chart(playwright, browser_file, app, trivial.parent))
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, values in times.items():
        print(f"{name:>13}: {medians[name]:.2f} s, from {min(values):.2f} to {max(values):.2f}")
    print(f"  their ratio: {medians['overview'] / medians['trivial page']:.2f}")
    print(f"         goal: {GOAL:.0f} s for the overview's first chart")
    return 0


if __name__ == "__main__":
    sys.exit(main())
