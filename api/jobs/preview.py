"""What a job that is not there yet would do: its first ticks, and the graph of its tasks."""

from __future__ import annotations

from typing import Any

from api.instants import rfc3339
from scheduler.model import Job
from scheduler.ticks import anchored, jitter_ms, schedule

TICKS_MAX = 10
TASKS_MAX = 2_000  #: more are no picture


def preview(job: Job, now_ms: int) -> dict[str, Any]:
    coming: list[tuple[int, int, str]] = []
    for trigger in job.triggers if job.enabled else ():
        offset_ms = jitter_ms(job.namespace, job.name, trigger.key, trigger.jitter_ms or 0) + trigger.delay_ms
        spec = anchored(trigger.spec(job.namespace, job.name), now_ms + 1)
        instants = schedule(spec).upcoming(now_ms, TICKS_MAX)
        coming += [(at_ms, at_ms + offset_ms, trigger.key) for at_ms in instants]
    coming.sort()
    tasks = list(job.tasks.items())[:TASKS_MAX]
    return {
        "next_ticks": [
            {"at": rfc3339(at), "due": rfc3339(due), "trigger": key} for at, due, key in coming[:TICKS_MAX]
        ],
        "graph": [
            {"task": name, "kind": task.kind.name, "needs": list(task.needs), "rule": task.rule}
            for name, task in tasks
        ],
    }
