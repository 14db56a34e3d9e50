"""A job in Python: the words of the schema, and what is handy around them.

A graph is built task by task; what `task` and `group` give stands for the box, in `needs` and in conditions.
A job may also be a function that builds it, whose parameters are the job's:

    @job(triggers=[cron("0 2 * * 1-5", tz="Europe/Berlin")])
    def nightly_report(job: Job, region: Literal["eu", "us"] = "eu") -> None:
        extract = job.task("extract", run="./extract.sh")
        job.task("load", run="./load.sh", needs=[extract], when=region == "eu")
"""

from __future__ import annotations

import datetime as dt
import enum
import inspect
import sys
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from cronclave.errors import DefinitionError
from cronclave.jobs.conditions import Asked, Expression, Outputs, param
from cronclave.jobs.word import Duration, Instant, plain
from cronclave.jobs.words import Call, Delay, Group, JobWords, Noticed, Param, Task, Trigger

OWN = str(Path(__file__).parent)
Function = TypeVar("Function", bound=Callable[..., Any])
_TYPES: dict[Any, str] = {
    str: "string", int: "integer", float: "number", bool: "boolean", dt.datetime: "datetime", dt.date: "date",
    dt.timedelta: "duration", list: "list", dict: "map",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Box(Asked):
    """A task or a group of a job: what others need, and what conditions ask."""

    name: str

    @property
    def asked_as(self) -> str:
        return self.name

    @property
    def outputs(self) -> Outputs:
        return Outputs(self.name)


class Job(JobWords, Asked):
    """A definition. Its fields are those of YAML (docs/reference/job.md); `task`, `group` and `python` add
    boxes."""

    def __init__(self, name: str, **fields: Any) -> None:
        known = JobWords.__dataclass_fields__
        for given in fields:
            if given not in known:
                raise DefinitionError(f"a job has no field {given!r}", hint=_near(given, list(known)))
        super().__init__(name, **fields)
        self.place = _place()  #: file and line in which it was begun
        self._boxes: dict[str, str] = dict.fromkeys(self.tasks or {}, "task")

    @property
    def asked_as(self) -> str:
        return self.name if self.namespace is None else f"{self.namespace}/{self.name}"

    def task(self, name: str, task: Task | None = None, /, **fields: Any) -> Box:
        """Add a task: its fields, or a `Task`. Raises DefinitionError where the name is taken."""
        if task is not None and fields:
            raise DefinitionError(f"task {name}: it is a Task already; say its fields there")
        if task is None:
            known = Task.__dataclass_fields__
            for given in fields:
                if given not in known:
                    raise DefinitionError(
                        f"task {name}: there is no field {given!r}", hint=_near(given, list(known))
                    )
            task = Task(**fields)
        self._add(name, "task")
        self.tasks = {**(self.tasks or {}), name: task}
        return Box(name)

    def group(self, name: str, group: Group | None = None, /, **fields: Any) -> Box:
        """Put tasks into one box, that is tried again, repeated, or caught as one."""
        self._add(name, "group")
        self.groups = {**(self.groups or {}), name: Group(**fields) if group is None else group}
        return Box(name)

    def function(
        self,
        name: str | None = None,
        /,
        *,
        interpreter: str | None = None,
        module: str | None = None,
        **fields: Any,
    ) -> Callable[[Function], Function]:
        """A decorator: a function without arguments is a task, run by an interpreter of the agent's host,
        where its module has to be installed. What it returns, if that is a dict, are the task's
        `outputs`."""

        def add(function: Function) -> Function:
            if "." in function.__qualname__:
                raise DefinitionError(
                    f"{function.__qualname__}: only a function of a module can be called elsewhere"
                )
            of = module or function.__module__
            if of == "__main__":
                raise DefinitionError(
                    f"{function.__name__} is of the program itself, which no agent can import",
                    hint="Apply the file (cronclave job apply FILE.py), or say module=…",
                )
            call = f"{of}:{function.__name__}"
            box = self.task(
                name or function.__name__.replace("_", "-"),
                python=call if interpreter is None else Call(call=call, interpreter=interpreter),
                **fields,
            )
            setattr(function, "name", box.name)  # noqa: B010  # it stands for its task in `needs`
            return function

        return add

    def to_dict(self) -> dict[str, Any]:
        found = super().to_dict()
        return {name: value for name, value in found.items() if value not in ({}, [])}

    def _add(self, name: str, what: str) -> None:
        if name in self._boxes:
            raise DefinitionError(f"job {self.name}: there is a {self._boxes[name]} {name} already")
        self._boxes[name] = what


def job(name: str | None = None, /, **fields: Any) -> Callable[[Callable[..., None]], Job]:
    """A decorator: the function builds the job that takes its place. Its name is that of the function, with
    hyphens; its docstring the description; its parameters, behind the job, those of the job: by their
    annotations (str, int, float, bool, date, datetime, timedelta, list, dict, Literal, an Enum), with their
    defaults, or required."""

    def build(function: Callable[..., None]) -> Job:
        said = {"description": inspect.getdoc(function)} if function.__doc__ else {}
        made = Job(name or function.__name__.replace("_", "-"), **{**said, **fields})
        made.place = (function.__code__.co_filename, function.__code__.co_firstlineno)
        params = _params_of(function)
        if params:
            made.params = {**params, **(made.params or {})}
        function(made, **{each: param(each) for each in params})
        return made

    return build


# -- triggers -------------------------------------------------------------------------------------------


def cron(expression: str, **fields: Any) -> Trigger:
    """5 fields, 6 with seconds first, or @daily…; in UTC, unless `tz` says more."""
    return Trigger(cron=expression, **fields)


def every(duration: Duration, **fields: Any) -> Trigger:
    """Elapsed time from one tick to the next."""
    return Trigger(every=duration, **fields)


def delay(duration: Duration, **fields: Any) -> Trigger:
    """So long after the end of the last run."""
    return Trigger(every=Delay(delay=duration), **fields)


def at(instant: Instant, **fields: Any) -> Trigger:
    """Once."""
    return Trigger(at=instant, **fields)


def after(condition: str | Expression, **fields: Any) -> Trigger:
    """When runs of other jobs have ended so: `after(extract.succeeded & load.failed)`."""
    return Trigger(after=condition, **fields)


def notice(board: str, key: str | None = None, **fields: Any) -> Trigger:
    """Each notice that is posted on a board."""
    return Trigger(notice=Noticed(board=board, key=key), **fields)


def webhook(hook: str, **fields: Any) -> Trigger:
    """Each delivery to a hook."""
    return Trigger(webhook=hook, **fields)


# -- parameters -----------------------------------------------------------------------------------------


def _params_of(function: Callable[..., None]) -> dict[str, Param]:
    """What the function's parameters behind the first one say."""
    named = list(inspect.signature(function).parameters.values())
    if not named:
        raise DefinitionError(f"{function.__name__} has to take the job: def {function.__name__}(job): …")
    hints = get_type_hints(function, include_extras=True)
    return {each.name: _param(function, each, hints.get(each.name, str)) for each in named[1:]}


def _param(function: Callable[..., None], given: inspect.Parameter, hint: Any) -> Param:
    description = None
    if get_origin(hint) is Annotated:
        hint, *told = get_args(hint)
        description = next((each for each in told if isinstance(each, str)), None)
    if get_origin(hint) in (Union, types.UnionType):  # of `date | str = "plan_date - 1 workday"` the date
        hint = next((each for each in get_args(hint) if each not in (str, type(None))), str)
    has_default = given.default is not inspect.Parameter.empty
    default = given.default.value if isinstance(given.default, enum.Enum) else given.default
    said: dict[str, Any] = {"default": plain(default)} if has_default and default is not None else {}
    said |= {} if has_default else {"required": True}
    if description is not None:
        said["description"] = description
    if get_origin(hint) is Literal:
        return Param(type="enum", enum=list(get_args(hint)), **said)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return Param(type="enum", enum=[each.value for each in hint], **said)
    kind: Any = _TYPES.get(get_origin(hint) or hint)
    if kind is None:
        raise DefinitionError(
            f"{function.__name__}: {given.name} has the type {hint!r}, which no parameter of a job has",
            hint=f"One of {', '.join(each.__name__ for each in _TYPES)}, a Literal, or an Enum.",
        )
    return Param(type=kind, **said)


def _near(name: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, known, 1)
    return f"Did you mean {near[0]}?" if near else "The fields are those of docs/reference/job.md."


def _place() -> tuple[str, int]:
    """The file and line, outside of this package, that is at work."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(OWN):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno
