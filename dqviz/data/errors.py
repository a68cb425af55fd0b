"""The errors that a user's data can cause."""


class DataError(ValueError):
    """Images that cannot be used; the message names the file, the row and what was expected."""


class ClassesError(DataError):
    """Images with labels that a network has no class for; the message names both."""
