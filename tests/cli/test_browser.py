"""The browser is found wherever it is usually installed, on folders made for the test."""

import os
import sys
from pathlib import Path

import pytest

from dqviz.cli import browser
from dqviz.cli.browser import find_browser, why_none


@pytest.fixture(autouse=True)
def _no_real_browser(monkeypatch, tmp_path):
    """Folders of this machine do not count."""
    monkeypatch.setattr(browser, "LINUX", (str(tmp_path / "opt/google/chrome/chrome"),))
    monkeypatch.setattr(browser, "APPLICATIONS", tmp_path / "Applications")


def put(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    path.chmod(0o755)
    return path


PLAYWRIGHT_LINUX = "home/.cache/ms-playwright"
PLAYWRIGHT_MAC = "home/Library/Caches/ms-playwright"
FOR_TESTING = "Google Chrome for Testing"
PLACES = [
    ("linux", "opt/google/chrome/chrome"),
    ("linux", f"{PLAYWRIGHT_LINUX}/chromium-1105/chrome-linux/chrome"),
    ("linux", f"{PLAYWRIGHT_LINUX}/chromium-1228/chrome-linux64/chrome"),
    ("linux", f"{PLAYWRIGHT_LINUX}/chromium_headless_shell-1150/chrome-linux/headless_shell"),
    (
        "linux",
        f"{PLAYWRIGHT_LINUX}/chromium_headless_shell-1228/chrome-headless-shell-linux64"
        "/chrome-headless-shell",
    ),
    ("darwin", "Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
    ("darwin", "home/Applications/Chromium.app/Contents/MacOS/Chromium"),
    (
        "darwin",
        f"{PLAYWRIGHT_MAC}/chromium-1105/chrome-mac/Chromium.app/Contents/MacOS/Chromium",
    ),
    (
        "darwin",
        f"{PLAYWRIGHT_MAC}/chromium-1228/chrome-mac-arm64/{FOR_TESTING}.app/Contents/MacOS/"
        f"{FOR_TESTING}",
    ),
    ("win32", "Program Files/Google/Chrome/Application/chrome.exe"),
    ("win32", "Program Files (x86)/Microsoft/Edge/Application/msedge.exe"),
    ("win32", "local/Google/Chrome/Application/chrome.exe"),
    ("win32", "local/ms-playwright/chromium-1105/chrome-win/chrome.exe"),
    ("win32", "local/ms-playwright/chromium-1228/chrome-win64/chrome.exe"),
]


def environment_of(system, root):
    if system != "win32":
        return {"PATH": str(root / "bin"), "HOME": str(root / "home")}
    folders = {"PROGRAMFILES": "Program Files", "PROGRAMFILES(X86)": "Program Files (x86)"}
    folders |= {"LOCALAPPDATA": "local", "USERPROFILE": "home", "PATH": "bin"}
    return {name: str(root / folder) for name, folder in folders.items()}


@pytest.mark.parametrize(("system", "place"), PLACES)
def test_a_browser_outside_the_path_is_found(tmp_path, system, place):
    known = environment_of(system, tmp_path)
    assert find_browser(known, system=system) is None
    file = put(tmp_path / place)
    assert find_browser(known, system=system) == file


def test_the_variable_comes_first_and_alone(tmp_path):
    known = environment_of("linux", tmp_path)
    put(tmp_path / PLACES[0][1])
    own = put(tmp_path / "my browser")
    assert find_browser({**known, "DQVIZ_CHROMIUM": str(own)}, system="linux") == own
    wrong = {**known, "DQVIZ_CHROMIUM": str(tmp_path / "none")}
    assert find_browser(wrong, system="linux") is None
    assert "DQVIZ_CHROMIUM is" in why_none(wrong)
    assert "which is no file" in why_none(wrong)
    assert "playwright install chromium" in why_none(known)


@pytest.mark.skipif(os.name == "nt", reason="a command is a file with an ending there")
def test_a_command_on_the_path_comes_before_what_is_installed(tmp_path):
    known = environment_of("linux", tmp_path)
    put(tmp_path / PLACES[0][1])
    command = put(tmp_path / "bin" / "chromium")
    assert find_browser(known, system="linux") == command


def test_the_newest_of_playwrights_is_taken_and_the_whole_before_the_windowless(tmp_path):
    known = {"PATH": "", "PLAYWRIGHT_BROWSERS_PATH": str(tmp_path)}
    put(tmp_path / "chromium-999/chrome-linux/chrome")
    shell = "chromium_headless_shell-1000/chrome-headless-shell-linux64/chrome-headless-shell"
    windowless = put(tmp_path / shell)
    assert find_browser(known, system="linux") == windowless
    whole = put(tmp_path / "chromium-1000/chrome-linux64/chrome")
    assert find_browser(known, system="linux") == whole


def test_playwrights_own_folder_counts(monkeypatch, tmp_path):
    package = put(tmp_path / "site" / "playwright" / "__init__.py")
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.delitem(sys.modules, "playwright", raising=False)  # the browser tests import it
    file = put(package.parent / "driver/package/.local-browsers/chromium-7/chrome-linux64/chrome")
    known = {"PATH": "", "PLAYWRIGHT_BROWSERS_PATH": "0"}
    assert find_browser(known, system="linux") == file


def test_the_doctor_names_the_browser_that_the_tests_take(monkeypatch, tmp_path, command):
    def line():
        return next(line for line in command("doctor")[1].splitlines() if "Chromium" in line)

    own = put(tmp_path / "own")
    monkeypatch.setenv("DQVIZ_CHROMIUM", str(own))
    assert find_browser() == own
    assert str(own) in line()
    Path(own).unlink()
    assert "which is no file" in line()
    assert line().endswith("no")
