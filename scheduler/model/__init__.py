"""The public job: its schema, its check, its one canonical text, and the plain form that the machine reads.

Promise: `parse_job` takes data from anywhere and gives a frozen Job, or a JobError with every problem, its
place and a hint; nothing is ignored in silence. `canonical(job)` gives equal bytes for equal jobs and
parses back to the same job; `compile_job(bytes)` needs no pydantic and gives the same on every node.

Reading order: job.py, task.py, work/ (what a task can do, a file a kind), trigger.py, triggers/ (what makes a
job due, a file a kind), policies.py, params.py (the schema), fields.py, texts.py and quantities.py (how its
values are written), parse.py (the check), newer.py (what needs a newer format), graph.py, compiled.py (for
the machine), documents.py (YAML files), written.py (how they are written), server_facts.py (what GET gives
beside a job), published.py (the JSON Schema). The schema loads pydantic; `scheduler.model.compiled` does not
need it, but Python loads the package first, so names are given out on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scheduler.model.compiled import CompiledJob, CompiledTask, compile_job
    from scheduler.model.job import Job, canonical, prepare, prepare_triggers
    from scheduler.model.parse import parse_job
    from scheduler.model.problems import JobError, Problem

_HOMES = {
    "CompiledJob": "compiled",
    "CompiledTask": "compiled",
    "Job": "job",
    "JobError": "problems",
    "Problem": "problems",
    "canonical": "job",
    "compile_job": "compiled",
    "parse_job": "parse",
    "prepare": "job",
    "prepare_triggers": "job",
}

__all__ = [
    "CompiledJob",
    "CompiledTask",
    "Job",
    "JobError",
    "Problem",
    "canonical",
    "compile_job",
    "parse_job",
    "prepare",
    "prepare_triggers",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
