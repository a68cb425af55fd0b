"""Long computations as a visitor of the app knows them: listed, queued, cancelled, found again."""

from .book import Book, JobError
from .record import Record
from .work import View

__all__ = ["Book", "JobError", "Record", "View"]
