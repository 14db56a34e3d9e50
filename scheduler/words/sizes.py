"""How large a command may be, measured as it is written down.

Rules:
1. What is measured is the encoded command: a small body may become a large one.
2. What is too large, or cannot be written down at all, is refused before it is proposed, with its size and
   the limit. A dry run measures the very command that it stands for.
3. A command is never cut here: it is one act, all or none. Whoever can send less at once has to.
"""

from __future__ import annotations

from scheduler.words import codec
from scheduler.words.commands import Command
from scheduler.words.outcomes import Code, Outcome

FRAME_ROOM_BYTES = 1 << 10  #: what a frame adds to its commands: the front's name, numbers, lengths
COMMAND_BYTES_MAX = (1 << 20) - FRAME_ROOM_BYTES
"""With its frame it is a proposal of 1 MiB at most, the limit of the log (cluster.settings)."""


def written(command: Command) -> bytes | Outcome:
    """The command's bytes, or the refusal of what no log could hold."""
    try:
        encoded = codec.encode_command(command)
    except (OverflowError, TypeError, ValueError) as error:
        return Outcome(Code.INVALID, f"{type(command).__name__} cannot be written down: {str(error)[:200]}")
    if len(encoded) > COMMAND_BYTES_MAX:
        return Outcome(
            Code.TOO_LARGE,
            f"{len(encoded)} bytes as it is written down, {COMMAND_BYTES_MAX} at most",
            {"bytes": len(encoded), "bytes_max": COMMAND_BYTES_MAX},
        )
    return encoded
