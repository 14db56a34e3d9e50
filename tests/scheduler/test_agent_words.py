"""What agents and nodes of different versions say to each other."""

from __future__ import annotations

import dataclasses

import msgpack
import pytest

from scheduler import protocol as p

FINISHED = p.Finished(1, 2, 3, 4, 0, "exit", None, "", b"tail", 4)
GRANT = p.Grant(1, "claim", 5, 6, {"A": "b"}, (("KEY", "value", False),), "")


@pytest.mark.parametrize(
    ("message", "more", "fields"),
    [
        (FINISHED, {}, 10),
        (FINISHED, {"wrote_stderr": False}, 11),
        (FINISHED, {"outputs": b"{}"}, 12),
        (FINISHED, {"outputs_wrong": "line 1"}, 13),
        (GRANT, {}, 7),
        (GRANT, {"before": "true"}, 8),
        (GRANT, {"after": "true"}, 9),
    ],
)
def test_an_older_one_is_sent_what_it_knows_unless_more_is_said(
    message: p.Finished | p.Grant, more: dict[str, object], fields: int
) -> None:
    message = dataclasses.replace(message, **more)  # type: ignore[arg-type]
    frame = p.encode([message, p.Ping(1, 2)])
    assert len(msgpack.unpackb(frame)[0]) == 1 + fields
    assert p.decode(frame) == [message, p.Ping(1, 2)]
