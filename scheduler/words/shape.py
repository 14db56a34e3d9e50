"""Are a decoded command's fields of the types that its class names? What came over a wire is not trusted to
be. It is asked of every command that is applied.
"""

from __future__ import annotations

from scheduler.shapes import check_of, first_wrong
from scheduler.words.commands import ALL, Command

_CHECKS = {cls: check_of(cls) for cls in ALL}


def misshapen(command: Command) -> str | None:
    """The name of the first field of a wrong type, or None."""
    return None if _CHECKS[type(command)](command) else first_wrong(command)
