"""A run of another job that a task begins: of which job, with which parameters, and whether it waits for it.

Read without pydantic too (`waited_for`): the core looks for jobs that would wait for themselves."""

from __future__ import annotations

import json
from functools import lru_cache

from scheduler.model.named import resolved

JOB = "job"
_MAY = b'"job":{'


def may_wait(spec: bytes) -> bool:
    """As cheap as can be: False of what waits for none."""
    return _MAY in spec


@lru_cache(maxsize=1_024)
def waited_for(spec: bytes) -> tuple[tuple[str, str], ...]:
    """Namespace and name of the jobs for whose runs tasks of this canonical job wait, each once."""
    if not may_wait(spec):
        return ()
    shape = json.loads(spec)
    found = [task[JOB] for task in shape["tasks"].values() if JOB in task]
    return tuple(dict.fromkeys(resolved(each["name"], shape["namespace"]) for each in found if each["wait"]))
