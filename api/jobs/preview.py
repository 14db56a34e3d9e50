"""What a job that is not there yet would do: its first ticks, and the graph of its tasks."""

from __future__ import annotations

from typing import Any

from api.instants import rfc3339
from api.jobs import dates
from scheduler.model import Job
from scheduler.model.compiled import compile_job
from scheduler.store.connection import Store
from scheduler.ticks import anchored, schedule
from scheduler.words.commands import PreparedJob

TICKS_MAX = 10
GROUP = "group"  #: the kind of a box that holds others
TASKS_MAX = 2_000  #: more are no picture


def preview(store: Store, job: Job, prepared: PreparedJob, now_ms: int) -> dict[str, Any]:
    """`prepared`: the same job, for the log."""
    compiled = compile_job(prepared.spec)
    coming: list[tuple[int, int, str, bytes]] = []
    for trigger in prepared.triggers:
        instants = schedule(anchored(trigger.spec, now_ms + 1)).upcoming(now_ms, TICKS_MAX)
        coming += [(at_ms, at_ms + trigger.jitter_ms, trigger.key, trigger.spec) for at_ms in instants]
    coming.sort()
    tasks = list(job.tasks.items())[:TASKS_MAX]
    groups = job.groups or {}
    of = {task: name for name, group in groups.items() for task in (*group.tasks, *(group.catch or ()))}
    part = dict.fromkeys(job.finally_ or (), "finally")
    part |= {task: "catch" for group in groups.values() for task in group.catch or ()}
    return {
        "next_ticks": [
            {
                "at": rfc3339(at), "due": rfc3339(due), "trigger": key,
                **dates.of_tick(store, compiled, key, spec, at),
            }
            for at, due, key, spec in coming[:TICKS_MAX]
        ],
        "graph": [
            *(
                {
                    "task": name, "kind": GROUP, "needs": list(group.needs), "rule": group.rule,
                    "group": None, "part": part.get(name),
                }
                for name, group in groups.items()
            ),
            *(
                {
                    "task": name, "kind": task.kind.name, "needs": list(task.needs), "rule": task.rule,
                    "group": of.get(name), "part": part.get(name),
                }
                for name, task in tasks
            ),
        ],
    }
