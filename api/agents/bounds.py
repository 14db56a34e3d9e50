"""What an agent may say: types and bounds of every field of its messages.

Rules: whoever holds an agent's token may send anything, and what goes into the log is applied by every node.
So nothing of a message is used before it was judged here. Out of bounds closes that agent's socket with the
reason; only output and detail are cut, since an agent that is older or richer in words has to get rid of its
report. Integers are those that the state can hold and add up; instants those that a reader can write down.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from scheduler import protocol as p
from scheduler.machine.steps.ends import DETAIL_LETTERS_MAX
from scheduler.model.outputs import BYTES_MAX as OUTPUTS_BYTES_MAX

LETTERS_MAX = 255
COUNT_MAX = (1 << 62) - 1  #: ids, indices, offsets: as machine.shape
INSTANT_MS_MAX = 253_370_764_800_000  #: the year 9999, as in jobs
INT32_MAX = (1 << 31) - 1
HELD_MAX = 40_000  #: attempts that one agent may hold: they have to fit in one command
CHUNK_BYTES_MAX = 1 << 20
PATH_LETTERS_MAX = 4_096
WORDS = frozenset({"running", "exited", "gone", p.UNSTARTED})

Check = Callable[[Any], bool]


def is_text(value: object) -> bool:
    return type(value) is str and len(value) <= LETTERS_MAX


def is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= COUNT_MAX


def is_instant(value: object) -> bool:
    return type(value) is int and 0 <= value < INSTANT_MS_MAX


def is_code(value: object) -> bool:
    """An exit code; Windows' are unsigned."""
    return type(value) is int and -INT32_MAX - 1 <= value <= 2 * INT32_MAX + 1


def or_none(check: Check) -> Check:
    return lambda value: value is None or check(value)


def is_flag(value: object) -> bool:
    return type(value) is bool


def is_held(value: object) -> bool:
    """(attempt, word) of each attempt in the journal."""
    return (
        type(value) is tuple
        and len(value) <= HELD_MAX
        and all(
            type(pair) is tuple and len(pair) == 2 and is_count(pair[0]) and pair[1] in WORDS
            for pair in value
        )
    )


def are_counts(value: object) -> bool:
    return type(value) is tuple and len(value) <= HELD_MAX and all(map(is_count, value))


def are_rows(value: object, check: Check) -> bool:
    return type(value) is tuple and len(value) <= p.FILES_AT_ONCE_MAX and all(map(check, value))


def is_file(value: object) -> bool:
    """(path, identity, size, mtime, ctime) of a complete file."""
    return (
        type(value) is tuple
        and len(value) == 5
        and type(value[0]) is str
        and 0 < len(value[0]) <= PATH_LETTERS_MAX
        and is_text(value[1])
        and is_count(value[2])
        and all(map(is_instant, value[3:]))
    )


_FIELDS: Mapping[type[Any], Mapping[str, Check]] = {
    p.Claim: {"attempt": is_count, "claim": is_text},
    p.Running: {"event": is_count, "attempt": is_count, "started_ms": is_instant},
    p.Silent: {"event": is_count, "attempt": is_count, "since_ms": is_instant, "silent": is_flag},
    p.Finished: {
        "event": is_count,
        "attempt": is_count,
        "started_ms": or_none(is_instant),
        "finished_ms": is_instant,
        "exit_code": or_none(is_code),
        "reason": is_text,
        "signal": or_none(is_code),
        "detail": lambda value: type(value) is str,
        "tail": lambda value: type(value) is bytes,
        "output_bytes": or_none(is_count),
        "wrote_stderr": or_none(is_flag),
        "outputs": lambda value: type(value) is bytes and len(value) <= OUTPUTS_BYTES_MAX,
        "outputs_wrong": lambda value: type(value) is str,
    },
    p.GivenBack: {
        "event": is_count,
        "attempts": lambda value: are_counts(value) and len(value) <= p.GIVEN_BACK_MAX,
        "reason": lambda value: value in ("", "overlap"),
        "behind": is_count,
    },
    p.Ping: {"sent_ms": is_count, "index": is_count},
    p.TailChunk: {
        "request": is_count,
        "data": lambda value: type(value) is bytes and len(value) <= CHUNK_BYTES_MAX,
        "ended": is_flag,
        "size": is_count,
        "missing": is_flag,
    },
    p.Seen: {"trigger": is_count, "files": lambda value: are_rows(value, is_file)},
    p.Gone: {"trigger": is_count, "serials": lambda value: are_rows(value, is_count)},
    p.Blind: {"trigger": is_count, "trouble": lambda value: type(value) is str},
    p.Moved: {"trigger": is_count, "serial": is_count, "error": lambda value: type(value) is str},
    p.Goodbye: {"reason": is_text},
    p.Ran: {
        "page": is_count,
        "attempts": lambda value: type(value) is tuple,  # row by row in api.agents.recount
        "more": is_flag,
        "running": are_counts,
    },
}


def why_unsound(message: p.Message) -> str | None:
    """The reason to send the agent away, or None. Hello has its own judge (api.agents.hello)."""
    checks = _FIELDS.get(type(message))
    if checks is None:
        return f"{type(message).__name__} is not an agent's message"
    for name, check in checks.items():
        value = getattr(message, name)
        if not check(value):
            return f"{type(message).__name__}.{name} is out of bounds: {_shown(value)}"
    return None


def cut(message: p.Finished) -> p.Finished:
    """With no more output and words than the state keeps: the last bytes, the first letters."""
    good = message.reason == "exit" and message.exit_code == 0 and message.signal is None
    most = p.TAIL_SUCCESS_BYTES if good else p.TAIL_FAILURE_BYTES
    words = max(len(message.detail), len(message.outputs_wrong))
    if len(message.tail) <= most and words <= DETAIL_LETTERS_MAX:
        return message
    return dataclasses.replace(
        message,
        tail=message.tail[-most:],
        detail=message.detail[:DETAIL_LETTERS_MAX],
        outputs_wrong=message.outputs_wrong[:DETAIL_LETTERS_MAX],
    )


def _shown(value: object) -> str:
    if isinstance(value, int | None):
        return str(value)
    if isinstance(value, str | bytes | list | tuple | dict):
        return f"{type(value).__name__} of {len(value)}"
    return type(value).__name__
