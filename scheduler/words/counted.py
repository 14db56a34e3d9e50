"""So many of something, in words."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "") -> str:
    """`1 run`, `2 runs`. `many`: where it is not `one` and an s, such as `runs wait`."""
    return f"{number} {one if number == 1 else many or one + 's'}"
