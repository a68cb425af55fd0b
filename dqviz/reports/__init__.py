"""A store of results as one HTML file that needs nothing else. No torch, no browser."""

from .html import ReportError, write_report

__all__ = ["ReportError", "write_report"]
