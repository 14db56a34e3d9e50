"""What conditions of jobs ask of vars, as these are when the job is put."""

from __future__ import annotations

import json
from collections.abc import Mapping

from scheduler.model import Job
from scheduler.model.problems import Problem
from scheduler.model.when_vars import asks_vars, unknown_vars
from scheduler.store.connection import Store
from scheduler.store.tables import objects as object_rows

VARS = "vars"
Puts = Mapping[tuple[str, str], bytes]
"""The specs of vars that are put beside the job, by namespace and name."""


def vars_problems(store: Store, job: Job, puts: Puts) -> list[Problem]:
    """What is asked and is not there. Of vars that do not exist nothing is said here: that is told where all
    references are."""
    if not asks_vars(job):
        return []
    keys: dict[str, None] = {}
    for target in job.refers:
        if target.kind != VARS:
            continue
        spec = puts.get((target.namespace, target.name))
        if spec is None:
            row = object_rows.find(store, VARS, target.namespace, target.name)
            if row is None:
                return []
            spec = bytes(row.spec)
        keys.update(dict.fromkeys(json.loads(spec)["values"]))
    return unknown_vars(job, keys)
