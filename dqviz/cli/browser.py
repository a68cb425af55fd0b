"""Where a browser of the Chromium family is: the browser tests drive it, `doctor` names it."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

CHOICE = "DQVIZ_CHROMIUM"
"""The environment variable that names the browser's file; nothing else is looked at then."""

COMMANDS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
    "msedge",
)
LINUX = ("/opt/google/chrome/chrome", "/snap/bin/chromium", "/opt/microsoft/msedge/msedge")
APPLICATIONS = Path("/Applications")
MAC = ("Google Chrome", "Chromium", "Microsoft Edge")
WINDOWS = (
    "Google/Chrome/Application/chrome.exe",
    "Chromium/Application/chrome.exe",
    "Microsoft/Edge/Application/msedge.exe",
)
WINDOWS_FOLDERS = ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA")

PLAYWRIGHT_FOLDERS = {"darwin": "Library/Caches", "win32": "AppData/Local"}
PLAYWRIGHT_FILES = (
    "chrome-*/chrome",
    "chrome-*/*.app/Contents/MacOS/*",
    "chrome-*/chrome.exe",
    "chrome-*/chrome-headless-shell",
    "chrome-*/chrome-headless-shell.exe",
    "chrome-*/headless_shell",
    "chrome-*/headless_shell.exe",
)
"""The browser's file in a folder such as `chromium-1200`, as Playwright's versions unpack it."""

HOW = (
    "no Chromium found: install Chromium, Google Chrome or Microsoft Edge, or run 'playwright "
    f"install chromium', or name the browser's file in {CHOICE}"
)


def find_browser(
    environment: Mapping[str, str] | None = None, *, system: str = sys.platform
) -> Path | None:
    """The browser's file, None where there is none.

    It is the one that `DQVIZ_CHROMIUM` names, else a command on the path, else one installed where
    the system keeps programs, else the newest that Playwright has fetched for itself.
    """
    known = os.environ if environment is None else environment
    chosen = chosen_browser(known)
    candidates = iter([Path(chosen).expanduser()]) if chosen else _candidates(known, system)
    return next((path for path in candidates if path.is_file()), None)


def chosen_browser(environment: Mapping[str, str] | None = None) -> str:
    """What `DQVIZ_CHROMIUM` says, '' where it says nothing."""
    known = os.environ if environment is None else environment
    return known.get(CHOICE, "").strip()


def why_none(environment: Mapping[str, str] | None = None) -> str:
    """What to do where `find_browser` finds nothing."""
    chosen = chosen_browser(environment)
    return f"{CHOICE} is {chosen!r}, which is no file" if chosen else HOW


def _candidates(known: Mapping[str, str], system: str) -> Iterator[Path]:
    for name in COMMANDS:
        if found := shutil.which(name, path=known.get("PATH", "")):
            yield Path(found)
    yield from _installed(known, system)
    folder = _playwright_folder(known, system)
    for build in sorted(folder.glob("chromium*-*"), key=_revision, reverse=True):
        for pattern in PLAYWRIGHT_FILES:
            yield from sorted(build.glob(pattern))


def _installed(known: Mapping[str, str], system: str) -> Iterator[Path]:
    """Where installers put a browser without adding it to the path."""
    if system == "darwin":
        for folder in (APPLICATIONS, _home(known) / "Applications"):
            yield from (folder / f"{name}.app/Contents/MacOS/{name}" for name in MAC)
    elif system == "win32":
        for root in filter(None, map(known.get, WINDOWS_FOLDERS)):
            yield from (Path(root) / name for name in WINDOWS)
    else:
        yield from map(Path, LINUX)


def _playwright_folder(known: Mapping[str, str], system: str) -> Path:
    """Where Playwright keeps the browsers that it fetches; 0 means inside its own package."""
    chosen = known.get("PLAYWRIGHT_BROWSERS_PATH", "")
    if chosen == "0":
        found = importlib.util.find_spec("playwright")
        package = Path(found.origin or "").parent if found else Path()
        return package / "driver" / "package" / ".local-browsers"
    if chosen:
        return Path(chosen)
    if system == "win32" and known.get("LOCALAPPDATA"):
        return Path(known["LOCALAPPDATA"]) / "ms-playwright"
    if system not in PLAYWRIGHT_FOLDERS and known.get("XDG_CACHE_HOME"):
        return Path(known["XDG_CACHE_HOME"]) / "ms-playwright"
    return _home(known) / PLAYWRIGHT_FOLDERS.get(system, ".cache") / "ms-playwright"


def _home(known: Mapping[str, str]) -> Path:
    named = known.get("HOME") or known.get("USERPROFILE")
    return Path(named) if named else Path.home()


def _revision(folder: Path) -> tuple[int, bool]:
    """Newer before older; of one revision the whole browser before the one without a window."""
    number = re.search(r"-(\d+)$", folder.name)
    return (int(number.group(1)) if number else 0, folder.name.startswith("chromium-"))
