"""Times as people say them."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """A time in the two largest units."""
    whole_seconds = round(seconds)
    minutes, rest = divmod(whole_seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
