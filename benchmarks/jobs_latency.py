"""Slider moves of one visitor, on values seen before, while two jobs of others are computed.

    python benchmarks/jobs_latency.py [--moves N]

The app is served and looked at by headless Chromium. Timed is the way from the key press to the
frame in which the chart holds the new numbers, first with an idle machine, then while two other
visitors' jobs run, of each kind: a page's request, and a study. Prints medians in milliseconds,
their ratio (goal: below 2), how busy the workers were meanwhile, and how long the workers went on
after the jobs were cancelled.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.slider_latency import measure, stage  # noqa: E402
from tests.browser.serving import FLAGS, running_server  # noqa: E402

HEAVY = "amplification?attack=PGD&steps=100&n=512&seed={seed}"
GRID = """
kind = "accuracy"
model = "streetdigits/resnet20/dq"
seed = [SEED]
[data]
n_samples = 2048
[quant]
act_bits = [8, 6, 5, 4, 3]
[attack]
name = "pgd"
steps = 100
"""
JOB = "[class*=st-key-job_]"


def workers() -> list[psutil.Process]:
    """The processes that compute for the server which this process has started."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it may have ended just now
            if "spawn_main" in " ".join(process.cmdline()):
                found.append(process)
    return found


def busy_seconds() -> float:
    """Processor time of all workers so far."""
    spent = 0.0
    for process in workers():
        with contextlib.suppress(psutil.Error):
            spent += sum(process.cpu_times()[:2])
    return spent


class Visitor:
    """Somebody else, who asks for something heavy."""

    def __init__(self, browser, address: str) -> None:
        self._page = browser.new_context(viewport={"width": 1400, "height": 1000}).new_page()
        self._page.set_default_timeout(180_000)
        self._address = address

    def ask(self, kind: str, seed: int) -> None:
        """Starts a job and leaves its page."""
        if kind == "page":
            self._page.goto(f"{self._address}/{HEAVY.format(seed=seed)}")
            self._page.locator(".st-key-busy a").first.wait_for()
        else:
            self._page.goto(f"{self._address}/studies")
            grid = self._page.get_by_role("textbox", name="Grid (TOML)")
            self._page.get_by_text("Start a study").click()
            grid.wait_for()
            grid.fill(GRID.replace("SEED", str(seed)))
            self._page.get_by_role("textbox", name="Store that takes").fill(f"study{seed}")
            self._page.get_by_role("button", name="Start", exact=True).click()
        self._page.goto(f"{self._address}/jobs")
        self._page.locator(JOB).filter(has_text="At work").wait_for()

    def cancel(self) -> None:
        """Cancels the job."""
        self._page.locator(JOB).get_by_role("button", name="Cancel").first.click()
        self._page.locator(JOB).filter(has_text="Cancelled").first.wait_for()

    def close(self) -> None:
        """Leaves."""
        self._page.context.close()


def seconds_until_idle() -> float:
    """How long the workers go on computing from now; at least the time of two looks."""
    begin = time.monotonic()
    while True:
        before, at = busy_seconds(), time.monotonic()
        time.sleep(0.1)
        if busy_seconds() - before < 0.01:
            return at - begin


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moves", type=int, default=40)
    options = parser.parse_args()
    with stage() as (trivial, playwright, browser_file):
        browser = playwright.chromium.launch(executable_path=browser_file, args=FLAGS)
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(180_000)
        with running_server(ROOT / "app.py", trivial.parent) as app:
            measure(page, f"{app}/amplification", 4)
            for kind in ("page", "study"):
                idle = measure(page, f"{app}/amplification", options.moves)
                others = [Visitor(browser, app) for _ in range(2)]
                for seed, other in enumerate(others, start=1):
                    other.ask(kind, seed)
                before, begin = busy_seconds(), time.monotonic()
                loaded = measure(page, f"{app}/amplification", options.moves)
                share = (busy_seconds() - before) / (time.monotonic() - begin)
                ratio = statistics.median(loaded) / statistics.median(idle)
                for other in others:
                    other.cancel()
                print(
                    f"{kind:>6}: idle {statistics.median(idle):4.0f} ms, with two jobs "
                    f"{statistics.median(loaded):4.0f} ms, ratio {ratio:.2f}; workers used "
                    f"{share:.2f} processors; idle again {seconds_until_idle():.1f} s after the "
                    "second was cancelled",
                    flush=True,
                )
                for other in others:
                    other.close()
        browser.close()
    print("  goal: a ratio below 2, idle within a second")
    return 0


if __name__ == "__main__":
    sys.exit(main())
