"""The one error that a user's data can cause."""


class DataError(ValueError):
    """Images that cannot be used; the message names the file, the row and what was expected."""
