"""How triggers that a job has of a schedule are called: `schedule:key`, as the job names the schedule."""

from __future__ import annotations

KIND = "schedule"
SEPARATOR = ":"  #: no name has one


def words_key(trigger: str) -> str:
    """Of a trigger by its key: by which key the job says what its runs are."""
    return trigger.partition(SEPARATOR)[0]
