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


def remaining(seconds: float | None) -> str:
    """What is put behind a progress text: `, about 5 s left`.

    Nothing where the time is unknown or rounds to none: what goes on after all was expected to be
    over, so that the estimate says nothing any more.
    """
    if seconds is None or round(seconds) < 1:
        return ""
    return f", about {duration(seconds)} left"
