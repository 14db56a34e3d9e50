"""Kinds of work: what a task can do, exactly one of these. One file a kind.

Promise: whoever needs to know about kinds asks `KINDS` and finds there all that a kind is: its field and what
is refused of it, its hint, the form that an agent gets, where it happens and what an agent must have for it.
The check of a job, its JSON Schema, the reference and the compiled form go through `KINDS`; nothing else in
scheduler/, api/ or cli/ decides by a kind's name (a test looks for it).

Reading order: kind.py (what a kind says of itself), run.py, exec.py, script.py, python.py, http.py,
ssh.py, custom.py, noop.py, sleep.py, finish.py, post.py, approval.py, job.py; process.py (what those share
that start a process), in_state.py (what those share that happen in the state).

Nothing here loads pydantic before `Kind.value` is called: the core compiles jobs and never judges them.
Rejected: a field `kind` in the job, since `run: ./x.sh` says it already.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from scheduler.model.stored import is_stored
from scheduler.model.work.approval import APPROVAL
from scheduler.model.work.custom import CUSTOM
from scheduler.model.work.exec import EXEC
from scheduler.model.work.finish import FINISH
from scheduler.model.work.http import HTTP
from scheduler.model.work.job import JOB
from scheduler.model.work.kind import Kind, Place
from scheduler.model.work.noop import NOOP
from scheduler.model.work.post import POST
from scheduler.model.work.python import PYTHON
from scheduler.model.work.run import RUN
from scheduler.model.work.script import SCRIPT
from scheduler.model.work.sleep import SLEEP
from scheduler.model.work.ssh import SSH
from scheduler.protocol import OBJECT_STORE

__all__ = [
    "KINDS", "NAMES", "ONE_OF", "ONE_OF_SHORT", "PLANNED", "SHORT", "Kind", "Place", "compiled_work",
    "kind_meant", "offered",
]  # fmt: skip

KINDS = (RUN, EXEC, SCRIPT, PYTHON, HTTP, SSH, CUSTOM, NOOP, SLEEP, FINISH, POST, APPROVAL, JOB)
NAMES = tuple(kind.name for kind in KINDS)
ONE_OF = f"one of {', '.join(kind.said for kind in KINDS)}"
SHORT = tuple(kind for kind in KINDS if not kind.in_tasks_only)
"""Those that may stand at the top of a job of one task."""
ONE_OF_SHORT = f"one of {', '.join(kind.said for kind in SHORT)}"
PLANNED: tuple[str, ...] = ()
"""Kinds of the job semantics that this version cannot do: none is left."""

_MEANT = {word: kind.name for kind in KINDS for word in kind.other_words}


def compiled_work(
    task: Mapping[str, Any],
) -> tuple[dict[str, Any], Place, str, tuple[str, ...], int, str | None]:
    """Of a task of a canonical job: `scheduler.protocol.Assign.work`, where it happens, on an agent by which
    executor with which features, in the state how long, and as which user of its host: None, it starts no
    process."""
    for kind in KINDS:
        if kind.name in task:
            work = kind.compiled(task)
            executor = str(task[kind.name]["kind"]) if kind.names_executor else kind.executor or ""
            if executor:
                work["kind"] = executor
            lasts_ms = 0 if kind.lasts_ms is None else kind.lasts_ms(task)
            user = None if "run_as" in kind.unread else task.get("run_as", "")
            asked: Set[str] = task.keys()
            if "async" in task:
                asked |= {"secrets"}  # its token is one
            if is_stored(task.get("skip_if_exists")):
                asked |= {OBJECT_STORE}
            features = tuple(sorted(kind.features & asked)) if kind.features & asked else ()
            return work, kind.happens, executor, features, lasts_ms, user
    raise KeyError("no kind of work")


def offered(executor: str) -> str:
    """What helps where no agent has this executor."""
    return next((kind.offered for kind in KINDS if kind.executor == executor), CUSTOM.offered)


def kind_meant(word: str) -> str | None:
    """The kind that other schedulers call so."""
    return _MEANT.get(word.casefold())
