"""The command line: the same experiments as in the browser, in this process, without the engine."""

from .main import main

__all__ = ["main"]
