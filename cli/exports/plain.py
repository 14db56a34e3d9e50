"""What of a job other schedulers know: a command, its environment, cron triggers."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scheduler.model.unsaid import lean
from scheduler.ticks import parse_expression
from scheduler.ticks.expression import Days, Expression

_WHEN = ("calendar", "workday", "valid", "params")
_WHAT = ("requires", "groups", "finally", "vars", "expect")
_TASK_WHAT = ("fanout", "secrets", "when", "async", "skip_if_exists", "locks")
_SAID = {"job", "namespace", "description", "triggers", "tasks", "policies", "enabled", "labels"}
_TASK_SAID = {"run", "exec", "stdin", "env", "cwd", "retry", "timeout"}


class NotSayable(Exception):  # no error: the other system has no word for it
    """Why this job cannot be written for that system."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user said beside the jobs."""

    tz: str = ""  #: of the crontab's host; empty: that of the first job
    image: str = ""  #: of containers, where the command names none


@dataclass(slots=True)
class Plain:
    """A job that has one command and cron triggers alone."""

    name: str
    namespace: str
    enabled: bool
    words: Sequence[str]  #: of `exec`; empty: it is a line for a shell
    line: str
    stdin: str
    env: Mapping[str, str]
    cwd: str
    triggers: list[Mapping[str, Any]]
    policies: Mapping[str, Any]
    retry: Mapping[str, Any]
    timeout: str
    notes: list[str] = field(default_factory=list)

    @property
    def shell(self) -> str:
        return self.line or shlex.join(self.words)

    def expression(self, trigger: Mapping[str, Any]) -> Expression:
        """The trigger's expression, its slots of H chosen as the cluster chooses them. Raises NotSayable."""
        found = parse_expression(trigger["cron"], f"{self.namespace}/{self.name}")
        if found.seconds != (0,):
            raise NotSayable(f"{trigger['cron']}: its seconds")
        if found.days.special or found.weekdays.special:
            raise NotSayable(f"{trigger['cron']}: L, W and #")
        return found


def plain(job: Mapping[str, Any]) -> Plain:
    """Raises NotSayable."""
    said = lean(dict(job))
    tasks = said.get("tasks", {})
    if len(tasks) != 1:
        raise NotSayable(f"its {len(tasks)} tasks")
    (task,) = tasks.values()
    for part, keys in ((said, _WHAT), (task, _TASK_WHAT)):
        if found := [key for key in keys if part.get(key)]:
            raise NotSayable(f"its {', '.join(found)}")
    if not (task.get("run") or task.get("exec")):
        raise NotSayable("work that is neither run nor exec")
    if "CRONCLAVE_" in repr([task.get(key) for key in ("run", "exec", "env", "stdin")]):
        raise NotSayable("a variable CRONCLAVE_… in its command")
    if any(param.get("required") for param in said.get("params", {}).values()):
        raise NotSayable("a parameter that each run must be given")
    left = [key for key in said if key not in _SAID] + [key for key in task if key not in _TASK_SAID]
    triggers = [each for each in said.get("triggers", ()) if not _refused(each)]
    if not triggers:
        raise NotSayable("a job without triggers")
    return Plain(
        said["job"], said.get("namespace", "default"), said.get("enabled", True), task.get("exec", ()),
        task.get("run", "").rstrip("\n"), task.get("stdin", ""), task.get("env", {}), task.get("cwd", ""),
        triggers, said.get("policies", {}), task.get("retry", {}), task.get("timeout", ""),
        [f"{', '.join(left)}: left out"] if left else [],
    )  # fmt: skip


def _refused(trigger: Mapping[str, Any]) -> bool:
    """Raises NotSayable: a job that lost one of its triggers would be due at other instants."""
    if found := [key for key in _WHEN if trigger.get(key)]:
        raise NotSayable(f"a trigger's {', '.join(found)}")
    if "cron" not in trigger:
        word = next(key for key in trigger if key not in ("id", "tz", "jitter"))
        raise NotSayable(f"the trigger {word}")
    return False


def is_any(days: Days, kind: str) -> bool:
    """Whether it restricts nothing."""
    return not days.special and len(days.values) == {"day": 31, "weekday": 7}[kind]


def night_note(plain_job: Plain, trigger: Mapping[str, Any], of_there: str) -> None:
    """Where clocks change, the policies differ."""
    if trigger.get("tz", "UTC") != "UTC" and trigger.get("dst", "cron") != of_there:
        note = "in the two nights in which clocks change it may be due otherwise there"
        if note not in plain_job.notes:
            plain_job.notes.append(note)
