"""What a training leaves beside its network, by name: whoever writes it and whoever reads it."""

COURSE = "course.jsonl"
"""The file of what was seen on the way, one look a line."""
LAST_GOOD = "-last-good"
"""What the name of a network ends with whose training diverged."""
