"""A store of results as one HTML file that needs nothing else. No torch, no browser."""

from .html import ReportError, report_text, write_report

__all__ = ["ReportError", "report_text", "write_report"]
