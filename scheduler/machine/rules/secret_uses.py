"""Whether jobs and hooks may use the secrets that they name: those that are not there or not for them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from scheduler.model.compiled import compile_job
from scheduler.model.problems import pointer_of
from scheduler.model.secret_uses import SecretUse, covers
from scheduler.store.connection import Store
from scheduler.store.tables import secrets
from scheduler.store.tables.refs import Named
from scheduler.words.commands import PreparedJob
from scheduler.words.outcomes import Code, Outcome

_SAID = b'"secrets":['  #: in the canonical text of a job that names any
_LOOKED_MAX = 1_000


def judge(store: Store, jobs: Iterable[PreparedJob]) -> Outcome | None:
    """The refusal of the first that may not."""
    for job in jobs:
        if _SAID not in job.spec:
            continue
        for task, uses in compile_job(job.spec).secrets.items():
            for use in uses:
                why = why_not(store, use, job.namespace, job.name)
                if why:
                    said = f"{job.namespace}/{job.name}, task {task}: {why}"
                    place = pointer_of("tasks", task, "secrets")
                    told: dict[str, object] = {"namespace": job.namespace, "name": job.name}
                    return Outcome(Code.INVALID, said, told | {"pointer": place})
    return None


def why_not(store: Store, use: SecretUse, namespace: str, job: str) -> str:
    """Why this job is not given the secret now; empty: it is."""
    known = secrets.find(store, use.namespace, use.name)
    where, whom = f"{use.namespace}/{use.name}", f"{namespace}/{job}"
    if known is not None and covers(known.patterns, use.namespace, namespace, job):
        return ""
    helps = f"cronclave secret grant {use.name} --namespace {use.namespace} --job"
    if use.namespace != namespace:  # what else there is concerns only those who may look there
        return f"there is no secret {where}, or it is not granted to {whom}: {helps} {whom}"
    if known is None:
        return f"there is no secret {where}{near(store, use.namespace, use.name)}"
    return f"secret {where} is not granted to {whom}: {helps} {job}"


def serves(store: Store, who: Named, namespace: str, name: str) -> bool:
    """Whether an object, such as a hook, may use this secret: any of its own namespace, which gives away
    nothing, and those of others that are granted to its name, as to a job's."""
    known = secrets.find(store, namespace, name)
    if known is None or who.namespace == namespace:
        return known is not None
    return covers(known.patterns, namespace, who.namespace, who.name)


def near(store: Store, namespace: str, name: str) -> str:
    """What may be meant, as the end of a sentence."""
    found = difflib.get_close_matches(name, secrets.names(store, namespace, _LOOKED_MAX), 1)
    return f"; did you mean {found[0]}?" if found else ""
