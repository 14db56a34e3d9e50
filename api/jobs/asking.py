"""What jobs ask of objects, as these are when the job is put: their conditions of vars, their locks of
resources. What becomes of the objects later is not judged again."""

from __future__ import annotations

import json
from collections.abc import Mapping

from scheduler.machine.rules import amounts
from scheduler.model import Job
from scheduler.model.problems import Problem
from scheduler.model.when_vars import asks_vars, unknown_vars
from scheduler.store.connection import Store
from scheduler.store.tables import objects as object_rows

VARS = "vars"
KINDS = (VARS, amounts.KIND)  #: of what a job may refer to
Puts = Mapping[tuple[str, str, str], bytes]
"""The specs of objects that are put beside the job, by kind, namespace and name."""


def unmet(store: Store, job: Job, puts: Puts) -> list[Problem]:
    """What is asked and is not there. Of objects that do not exist nothing is said here: that is told where
    all references are."""
    return [*_vars(store, job, puts), *_amounts(store, job, puts)]


def _vars(store: Store, job: Job, puts: Puts) -> list[Problem]:
    if not asks_vars(job):
        return []
    keys: dict[str, None] = {}
    for target in job.refers:
        if target.kind != VARS:
            continue
        spec = _spec(store, puts, VARS, target.namespace, target.name)
        if spec is None:
            return []
        keys.update(dict.fromkeys(json.loads(spec)["values"]))
    return unknown_vars(job, keys)


def _amounts(store: Store, job: Job, puts: Puts) -> list[Problem]:
    problems = []
    for target, wanted in job.wants:
        spec = _spec(store, puts, amounts.KIND, target.namespace, target.name)
        if spec is None or wanted <= (total := amounts.parsed(spec).total):
            continue
        detail = f"of resource {target.namespace}/{target.name} there are {total}: {wanted} are never free"
        hint = f"ask for at most {total}, or make the resource larger first, or in the same apply"
        problems.append(Problem(f"{target.pointer}/amount", detail, hint))
    return problems


def _spec(store: Store, puts: Puts, kind: str, namespace: str, name: str) -> bytes | None:
    spec = puts.get((kind, namespace, name))
    row = object_rows.find(store, kind, namespace, name) if spec is None else None
    return spec if row is None else bytes(row.spec)
