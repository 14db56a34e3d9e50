"""Fields of a wrong type are found, whatever a wire brought."""

from __future__ import annotations

import typing
from typing import Any

import msgspec
import pytest

from scheduler.words import codec
from scheduler.words import commands as c
from scheduler.words.record import inner, parts
from tests.scheduler.words.reference import hints

RAN = c.RanAttempt(1, 2, "ns", "j", "main", "", 0, 1, None, 5, True, None, 6, 0, "exit")
ADOPT = c.Adopt(1, "i", "a", "z", "p", (RAN,), True, (7,))
PUT = c.PutJobs((c.PreparedJob("ns", "j", b"{}", (c.PreparedTrigger("k", b"{}", None, 0),)),), 5)
FINISH = c.Finish(1, 2, None, 5, None, "exit")
NO_END: dict[str, Any] = {"ended": None}
NO_TRIGGERS: dict[str, Any] = {"triggers": (c.PreparedTrigger(1, b"{}", None, 0),)}  # type: ignore[arg-type]  # a key of a wrong type
CONNECT = c.ConnectAgent("a", "i", "s", "b", "z", "p", b"{}", 1, "v", "n", ("shell",), ((1, "gone"),))


def misshapen(command: c.Command) -> str | None:
    """The field that a reader of its bytes finds to be wrong."""
    try:
        codec.decode_command(codec.encode_command(command))
    except codec.MisshapenError as error:
        name, _, field = str(error).removesuffix(" has a wrong type").partition(".")
        assert name == type(command).__name__
        return field
    return None


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
        (ADOPT, "running", (7, None)),
        (ADOPT, "running", (1 << 62,)),
        (ADOPT, "attempts", (msgspec.structs.replace(RAN, tick_ms=1 << 62),)),
        (ADOPT, "attempts", (RAN, msgspec.structs.replace(RAN, **NO_END))),
        (PUT, "jobs", (msgspec.structs.replace(PUT.jobs[0], **NO_TRIGGERS),)),
        (CONNECT, "held", ((1, "gone", 2),)),
        (CONNECT, "held", ((1, b"gone"),)),
        (c.Barrier(), None, None),
    ],
)
def test_a_wrong_value_is_named_by_its_field(command: Any, field: str | None, value: Any) -> None:
    wrong = msgspec.structs.replace(command, **{field: value}) if field else command
    assert misshapen(wrong) == field


@pytest.mark.parametrize("cls", c.ALL, ids=lambda cls: cls.__name__)
def test_every_field_of_every_command_is_checked(cls: type[c.Command]) -> None:
    told = hints(cls)
    plain = {int: 1, str: "", bytes: b"", bool: True, c.Actor: c.NOBODY}
    good: c.Command = cls(**{name: plain.get(hint, ()) for name, hint in told.items()})
    optional = [name for name, hint in told.items() if type(None) in typing.get_args(hint)]
    good = msgspec.structs.replace(good, **dict.fromkeys(optional))
    assert misshapen(good) is None
    for place, name in enumerate(cls.__struct_fields__):
        wrong = msgspec.structs.replace(good, **{name: 1.5})
        if place in parts(cls) or place in inner(cls):  # where a record belongs, or an array of them
            with pytest.raises(codec.UnknownRecordError):
                misshapen(wrong)
        else:
            assert misshapen(wrong) == name
