"""A slider move on the Amplification page against the same move on a trivial Streamlit page.

    python benchmarks/slider_latency.py [--app FILE] [--moves N]

Both pages are served side by side and looked at by the same headless Chromium. Epsilon is moved by
the keyboard over values that were seen before; timed is the way from the key press to the frame in
which the chart holds the new numbers. Prints medians in milliseconds and their ratios: to the
trivial page as Streamlit serves it, and to the same page under this project's configuration, which
spares it a search for garbage after every run.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from dqviz.cli.browser import find_browser, why_none  # noqa: E402
from tests.browser.serving import FLAGS, running_server  # noqa: E402

TRIVIAL = """
import plotly.graph_objects as go
import streamlit as st

value = st.select_slider("Epsilon", list(range(1, 12)), value=5, key="eps")
lines = [{"y": [value * k * layer for layer in range(22)]} for k in (1, 2, 3)]
with st.container(key="figure_growth"):
    st.plotly_chart(go.Figure(lines), key="chart")
"""
CHART = ".st-key-figure_growth .js-plotly-plot"
SLIDER = ".st-key-eps input[type=range]"
WATCH = """([chart, slider]) => {
  const shown = () => {
    const plot = document.querySelector(chart);
    return plot && plot.data ? JSON.stringify(plot.data.map(t => t.y)) : "";
  };
  const before = shown();
  window.moved = new Promise(resolve => {
    document.querySelector(slider).addEventListener("keydown", () => {
      const start = performance.now();
      const look = () => {
        const now = shown();
        if (now && now !== before) resolve(performance.now() - start);
        else requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    }, {once: true, capture: true});
  });
}"""
APP = "amplification"
IDLE = "[data-testid=stApp][data-test-script-state=notRunning]"


@contextlib.contextmanager
def stage():
    """The trivial page in a folder of its own, Playwright, and the browser's file.

    Leaves with status 2 and a line on standard error where there is no browser.
    """
    browser_file = find_browser()
    if browser_file is None:
        print(why_none(), file=sys.stderr)
        sys.exit(2)
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        trivial = Path(folder) / "trivial.py"
        trivial.write_text(TRIVIAL, encoding="utf-8")
        yield trivial, playwright, browser_file


def move(page, key: str) -> float:
    """Presses a key on the slider; milliseconds until the chart has changed."""
    page.wait_for_selector(IDLE)
    page.focus(SLIDER)
    page.evaluate(WATCH, [CHART, SLIDER])
    page.keyboard.press(key)
    return float(page.evaluate("window.moved"))


def measure(page, address: str, moves: int) -> list[float]:
    """Goes over all values once, then times moves to the left and to the right."""
    page.goto(address)
    page.wait_for_selector(f"{CHART} .main-svg")
    page.wait_for_selector(".st-key-busy", state="detached")
    for key in ["ArrowLeft"] * 3 + ["ArrowRight"] * 6 + ["ArrowLeft"] * 3:
        move(page, key)
    pattern = ["ArrowRight"] * 3 + ["ArrowLeft"] * 3
    return [move(page, pattern[turn % len(pattern)]) for turn in range(moves)]


def main() -> int:
    """Measures both pages in turns and prints the result."""
    parser = argparse.ArgumentParser(description="A slider move against a trivial page's.")
    parser.add_argument("--app", type=Path, default=ROOT / "app.py", help="the app to measure")
    parser.add_argument("--moves", type=int, default=30, help="moves in each of three rounds")
    options = parser.parse_args()
    with stage() as (trivial, playwright, browser_file):
        folder = trivial.parent
        browser = playwright.chromium.launch(executable_path=browser_file, args=FLAGS)
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(180_000)
        times: dict[str, list[float]] = {"trivial": [], "trivial, configured": [], APP: []}
        with (
            running_server(trivial, folder, cwd=folder) as plain,
            running_server(trivial, folder) as configured,
            running_server(options.app, folder) as app,
        ):
            for _ in range(3):
                for name, address in zip(times, (plain, configured, f"{app}/{APP}"), strict=True):
                    times[name] += measure(page, address, options.moves)
        browser.close()
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, median in medians.items():
        ratio = f"{APP} is {medians[APP] / median:.2f} times it" if name != APP else ""
        print(f"{name:>20}: {median:5.0f} ms, median of {len(times[name])} moves  {ratio}")
    print(f"{'goal':>20}: at most 1.5 times the trivial page")
    return 0


if __name__ == "__main__":
    sys.exit(main())
