"""Conditions (`when`, `after`, `until`) that are built in Python, and checked by the node that takes them.

    extract.succeeded & ((region == "eu") | ~load.failed)

`and`, `or` and `not` are Python's own and cannot be built on: a condition that is asked for its truth says
so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Union

from cronclave.errors import DefinitionError

_OR, _AND, _NOT, _ALONE = range(4)
#: A type checker takes what compares a function's parameter for a bool; a real one is refused.
Part = Union["Expression", str, bool]


class Expression:
    """A part of a condition, as text. `binds`: how tightly it holds together."""

    def __init__(self, text: str, binds: int = _ALONE) -> None:
        self._text = text
        self._binds = binds

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"<condition {self._text}>"

    def __and__(self, other: Part) -> Expression:
        return Expression(f"{_within(self, _AND)} and {_within(other, _AND)}", _AND)

    def __rand__(self, other: Part) -> Expression:
        return Expression(f"{_within(other, _AND)} and {_within(self, _AND)}", _AND)

    def __or__(self, other: Part) -> Expression:
        return Expression(f"{_within(self, _OR)} or {_within(other, _OR)}", _OR)

    def __ror__(self, other: Part) -> Expression:
        return Expression(f"{_within(other, _OR)} or {_within(self, _OR)}", _OR)

    def __invert__(self) -> Expression:
        return Expression(f"not {_within(self, _NOT)}", _NOT)

    def __bool__(self) -> bool:
        raise DefinitionError(
            f"the condition {self._text} is known when a run comes to it, and not now",
            hint="Join conditions with &, | and ~, each comparison in parentheses.",
        )

    __hash__ = None  # type: ignore[assignment]  # two that are equal are a comparison


class Value(Expression):
    """What can be compared: a parameter, an output, an exit code."""

    def __eq__(self, other: object) -> Expression:  # type: ignore[override]  # it is a part of a condition
        return self._compared("==", other)

    def __ne__(self, other: object) -> Expression:  # type: ignore[override]  # as above
        return self._compared("!=", other)

    def __lt__(self, other: object) -> Expression:
        return self._compared("<", other)

    def __le__(self, other: object) -> Expression:
        return self._compared("<=", other)

    def __gt__(self, other: object) -> Expression:
        return self._compared(">", other)

    def __ge__(self, other: object) -> Expression:
        return self._compared(">=", other)

    __hash__ = None

    def is_in(self, values: Iterable[object]) -> Expression:
        return Expression(f"{self} in [{', '.join(map(_written, values))}]", _NOT)

    def not_in(self, values: Iterable[object]) -> Expression:
        return Expression(f"{self} not in [{', '.join(map(_written, values))}]", _NOT)

    def _compared(self, sign: str, other: object) -> Expression:
        return Expression(f"{self} {sign} {_written(other)}", _NOT)


@dataclass(frozen=True)
class Outputs:
    """What a task has written: `task.outputs.rows`, or `task.outputs["rows"]`."""

    _task: str

    def __getattr__(self, name: str) -> Value:
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: str) -> Value:
        return Value(f"{self._task}.outputs.{name}")


class Asked:
    """What a condition may ask of a task, a group or a job."""

    @property
    def asked_as(self) -> str:
        raise NotImplementedError

    def _is(self, state: str) -> Expression:
        return Expression(f"{self.asked_as}.{state}")

    @property
    def succeeded(self) -> Expression:
        return self._is("succeeded")

    @property
    def failed(self) -> Expression:
        return self._is("failed")

    @property
    def ended(self) -> Expression:
        return self._is("ended")

    @property
    def warned(self) -> Expression:
        return self._is("warned")

    @property
    def skipped(self) -> Expression:
        return self._is("skipped")

    @property
    def timed_out(self) -> Expression:
        return self._is("timed_out")

    @property
    def lost(self) -> Expression:
        return self._is("lost")

    @property
    def cancelled(self) -> Expression:
        return self._is("cancelled")

    @property
    def expired(self) -> Expression:
        return self._is("expired")

    @property
    def exit_code(self) -> Value:
        return Value(f"{self.asked_as}.exit_code")


def param(name: str) -> Value:
    """A parameter of the run, in a condition."""
    return Value(f"params.{name}")


def var(name: str) -> Value:
    """A value of the job's vars, in a condition."""
    return Value(f"vars.{name}")


#: The date that a run is for.
plan_date = Value("plan_date")


def _within(part: Part, around: int) -> str:
    """The part, in parentheses where it would come apart. A text may hold anything."""
    if isinstance(part, bool):
        raise DefinitionError(
            f"a part of a condition is {part}, whatever the run is",
            hint="Ask the run: param(NAME) == …, task.succeeded, task.outputs.NAME.",
        )
    if isinstance(part, str):
        return f"({part})"
    return f"({part})" if part._binds < around else str(part)


def _written(value: Any) -> str:
    if isinstance(value, Expression):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    text = str(value.isoformat() if hasattr(value, "isoformat") else value)
    for quote in ("'", '"'):
        if quote not in text and "\\" not in text and text.isprintable():
            return f"{quote}{text}{quote}"
    raise DefinitionError(
        f"{text!r} cannot be written in a condition", hint="It has both kinds of quotes, or none that fit."
    )
