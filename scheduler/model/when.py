"""A task's `when`: a condition over the run that it is in, read.

Rules of this file:

1. `TASK.succeeded`, `TASK.exit_code`: what stands after the last dot is asked of the task before it, which is
   one that it needs, or that one of those needs; `TASK.outputs.NAME` is what its command wrote.
2. It is judged once, when all that it needs and all that it asks has ended: so it never matters which of two
   ends came first.
3. `params.NAME` and `vars.NAME` are the run's own, which never change; `plan_date` and `tick` are texts,
   2027-01-15 and 2027-01-15T08:00:00Z.
4. What has no value is unknown: the exit code or output of a task that has none, a parameter that nobody
   gave, the tick of a run that has none.
5. No pydantic, as the core reads it; what is refused of a text is in when_check.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from scheduler.model.expressions import BOOLEAN, NUMBER, Node, Type, names_of, parse
from scheduler.words.lifecycle import TASK_ENDS

PARAMS, VARS, PLAN_DATE, TICK, TASK, OUTPUT = "params", "vars", "plan_date", "tick", "task", "output"
TASKS_MAX = 50  #: that one condition may name: each is looked up when it is judged

STATES: dict[str, frozenset[str]] = {
    "succeeded": frozenset({"succeeded"}),
    "failed": frozenset({"failed", "timed_out", "lost", "expired"}),
    "timed_out": frozenset({"timed_out"}),
    "lost": frozenset({"lost"}),
    "cancelled": frozenset({"cancelled"}),
    "expired": frozenset({"expired"}),
    "skipped": frozenset({"skipped"}),
    "ended": TASK_ENDS,
}
"""What is asked of how a task ended, and the states of which it is true; `failed` as rules mean it."""

WARNED = "warned"
ASKED: dict[str, Type] = {**dict.fromkeys((*STATES, WARNED), BOOLEAN), "exit_code": NUMBER}
"""All that can be asked of a task."""

_OUTPUTS = ".outputs"


class Asked(NamedTuple):
    """What a name of a condition means."""

    of: str  #: params | vars | plan_date | tick | task | output
    name: str = ""  #: of the parameter, the value or the task
    what: str = ""  #: of a task: a word of ASKED, or the name of an output; empty: nothing is asked


@dataclass(frozen=True, slots=True)
class When:
    text: str
    tree: Node
    tasks: tuple[str, ...]  #: that it asks, each once, in the order of the text
    asks_vars: bool


def asked_of(path: str) -> Asked:
    if path in (PLAN_DATE, TICK):
        return Asked(path)
    first, dot, rest = path.partition(".")
    if dot and first in (PARAMS, VARS):
        return Asked(first, rest)
    name, _, what = path.rpartition(".")
    if name.endswith(_OUTPUTS):
        return Asked(OUTPUT, name.removesuffix(_OUTPUTS), what)
    return Asked(TASK, name, what) if name else Asked(TASK, path)


_NAMES = re.compile(r"'[^']*'|\"[^\"]*\"|([A-Za-z0-9_](?:[A-Za-z0-9._/-]*[A-Za-z0-9_])?)")


def asked_beside(text: str, needs: tuple[str, ...]) -> tuple[str, ...]:
    """The tasks that this condition asks beside those: it waits for them too. Found by its words alone, since
    each condition of a job is looked at whenever the job is compiled."""
    found: dict[str, None] = {}
    for path in _NAMES.findall(text):
        if "." in path:
            asked = asked_of(path)
            is_task = (asked.of == TASK and asked.what in ASKED) or asked.of == OUTPUT
            if is_task and asked.name not in needs:
                found[asked.name] = None
    return tuple(found)


@lru_cache(maxsize=4_096)
def read_when(text: str) -> When:
    """Of a text that the check let in. Raises ExpressionError."""
    tree = parse(text)
    asked = [asked_of(name.path) for name in names_of(tree)]
    tasks = dict.fromkeys(each.name for each in asked if each.of in (TASK, OUTPUT))
    return When(text, tree, tuple(tasks), any(each.of == VARS for each in asked))
