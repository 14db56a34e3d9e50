"""Fields of a wrong type are found, whatever a wire brought."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any

import pytest

from scheduler.words import commands as c
from scheduler.words.shape import misshapen

RAN = c.RanAttempt(1, 2, "ns", "j", "main", "", 0, 1, None, 5, True, None, 6, 0, "exit")
ADOPT = c.Adopt(1, "i", "a", "z", "p", (RAN,), True, (7,))
PUT = c.PutJobs((c.PreparedJob("ns", "j", b"{}", (c.PreparedTrigger("k", b"{}", None, 0),)),), 5)
FINISH = c.Finish(1, 2, None, 5, None, "exit")
NO_END: dict[str, Any] = {"ended": None}
NO_TRIGGERS: dict[str, Any] = {"triggers": (PUT.jobs[0],)}
CONNECT = c.ConnectAgent("a", "i", "s", "b", "z", "p", b"{}", 1, "v", "n", ("shell",), ((1, "gone"),))


@pytest.mark.parametrize("command", [ADOPT, PUT, FINISH, CONNECT, c.Barrier()])
def test_what_is_as_its_class_says_passes(command: c.Command) -> None:
    assert misshapen(command) is None


@pytest.mark.parametrize(
    ("command", "field", "value"),
    [
        (FINISH, "attempt", True),
        (FINISH, "attempt", None),
        (FINISH, "attempt", 1 << 62),
        (FINISH, "exit_code", -(1 << 62)),
        (FINISH, "exit_code", "0"),
        (FINISH, "tail", "text"),
        (ADOPT, "last", 1),
        (ADOPT, "running", [7]),
        (ADOPT, "running", (7, None)),
        (ADOPT, "running", (1 << 62,)),
        (ADOPT, "attempts", (("a", "tuple"),)),
        (ADOPT, "attempts", (dataclasses.replace(RAN, tick_ms=1 << 62),)),
        (ADOPT, "attempts", (RAN, dataclasses.replace(RAN, **NO_END))),
        (PUT, "jobs", (dataclasses.replace(PUT.jobs[0], **NO_TRIGGERS),)),
        (CONNECT, "held", ((1, "gone", 2),)),
        (CONNECT, "held", ((1, b"gone"),)),
        (CONNECT, "held", ([1, "gone"],)),
        (c.Barrier(), None, None),
    ],
)
def test_a_wrong_value_is_named_by_its_field(command: Any, field: str | None, value: Any) -> None:
    wrong = dataclasses.replace(command, **{field: value}) if field else command
    assert misshapen(wrong) == field


@pytest.mark.parametrize("cls", c.ALL, ids=lambda cls: cls.__name__)
def test_every_field_of_every_command_is_checked(cls: type[Any]) -> None:
    hints = typing.get_type_hints(cls)
    plain = {int: 1, str: "", bytes: b"", bool: True}
    good = cls(**{field.name: plain.get(hints[field.name], ()) for field in dataclasses.fields(cls)})
    optional = [name for name, hint in hints.items() if type(None) in typing.get_args(hint)]
    good = dataclasses.replace(good, **dict.fromkeys(optional))
    assert misshapen(good) is None
    for field in dataclasses.fields(cls):
        assert misshapen(dataclasses.replace(good, **{field.name: 1.5})) == field.name
