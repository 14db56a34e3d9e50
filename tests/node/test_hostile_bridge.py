"""A front with a defect, or a stranger's bytes on the bridge: the core refuses, and lives."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cluster.settings import PROPOSAL_BYTES_MAX
from node import bridge, link
from scheduler.words import codec, record
from scheduler.words.commands import Barrier
from tests.node.lone_core import Alone, HandFront


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Alone]:
    alone = Alone(tmp_path)
    alone.until(lambda: alone.index > 0)
    yield alone
    alone.close()


def frame(uid: str, sequence: int) -> list[Any]:
    """A proposal as a front makes it."""
    commands = (codec.encode_command(Barrier()),)
    return ["propose", sequence, codec.encode_frame(codec.Frame(uid, sequence, sequence, commands)), False]


def answered(front: HandFront, sequence: int) -> bool:
    return any(number == sequence for commit in front.heard("commit") for number, _ in commit[3])


def test_a_proposal_that_no_log_can_hold_is_refused_and_the_next_is_taken(alone: Alone) -> None:
    with alone.front("front") as front:
        front.say(["propose", 1, b"x" * (PROPOSAL_BYTES_MAX + 1), False])
        front.say(frame("front", 2))
        front.until(lambda: answered(front, 2))

    (refusal,) = front.heard("refused")
    assert refusal[1] == 1
    assert f"{PROPOSAL_BYTES_MAX + 1} bytes" in refusal[2]
    assert len(alone.core._pending) == 0, "it would be sent again for ever"


def test_more_events_than_a_message_holds_are_not_told_and_the_front_hears_of_that(
    alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridge, "EVENTS_BYTES_MAX", 10)
    with alone.front("front") as front:
        alone.put_job("a")
        front.until(lambda: front.heard("reopen"))

    (commit,) = front.heard("commit")
    assert commit[4] == []
    assert front.heard("reopen")[0][2] == alone.index


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=20)
    | st.sampled_from([*bridge.FROM_FRONT, *bridge._QUESTIONS]),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=8,
)
KINDS = st.sampled_from([*bridge.FROM_FRONT])
MESSAGES = VALUES | st.builds(lambda kind, rest: [kind, *rest], KINDS, st.lists(VALUES, max_size=4))
PROPOSALS = st.builds(lambda n, data: ["propose", n, data, True], st.integers(0, 9), st.binary(max_size=60))


def commands(tag: int) -> st.SearchStrategy[list[Any]]:
    """A command of this tag with anything in its fields. None is surplus: that would be a newer format's, and
    a node that cannot obey one has to stop."""
    fields = len(record.COMMANDS[tag].__struct_fields__)
    rows = st.lists(VALUES, max_size=fields).map(lambda rest: msgpack.packb([tag, *rest]))
    return st.builds(
        lambda n, row: ["propose", n, msgpack.packb(["f", n, n, [row]]), False], st.integers(1, 1 << 61), rows
    )


ASKS = st.builds(
    lambda number, what, arguments: ["ask", number, what, arguments],
    st.integers(0, 9),
    st.sampled_from([*bridge._QUESTIONS]),
    st.lists(st.none() | st.sampled_from(["", "node-1", "x", "127.0.0.1:1", "y" * 5_000]), max_size=4),
)
COMMANDS = st.sampled_from(sorted(record.COMMANDS)).flatmap(commands)


def encoded(message: Any) -> bytes:
    return bridge.encode(message)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.binary(max_size=40) | (MESSAGES | PROPOSALS | COMMANDS | ASKS).map(encoded), max_size=8)
)
def test_nothing_that_a_front_says_ends_the_core(alone: Alone, said: list[bytes]) -> None:
    with alone.front("hostile") as front:
        for data in said:
            front.send(data)
        front.say(["beat"])
        front.until(lambda: not front._unsent)
    with alone.front("sound") as front:
        alone.sound += 1
        front.say(frame("sound", alone.sound))
        front.until(lambda: answered(front, alone.sound))


def test_every_question_of_the_front_is_one_that_the_core_takes() -> None:
    """One that it does not know costs the front its connection, and so the node."""
    asked = set(re.findall(r'_ask\("(\w+)"', inspect.getsource(link)))
    assert asked == set(bridge._QUESTIONS)


def test_every_word_of_the_front_is_one_that_the_core_takes() -> None:
    said = set(re.findall(r'_send,? ?\(?\["(\w+)"', inspect.getsource(link)))
    assert said == set(bridge.FROM_FRONT)


def test_damage_that_a_reader_met_is_looked_for_and_costs_the_front_nothing(
    alone: Alone, caplog: pytest.LogCaptureFixture
) -> None:
    alone.until(lambda: not alone.core._state.inspection.is_on)
    with alone.front("front") as front:
        front.say(["damaged", "a reader met: a page that is none"])
        front.until(lambda: "the state was looked at and is sound: a reader met" in caplog.text)
        front.say(frame("front", 1))
        front.until(lambda: answered(front, 1))
        assert not front.is_dropped
