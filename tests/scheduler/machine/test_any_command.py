"""No command of right types, however odd its values, ends the machine: it would end it on every node, and
again at every start."""

from __future__ import annotations

import json
import shutil
import tempfile
import typing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.model import canonical, parse_job
from scheduler.words import commands as c
from tests.scheduler.story import START_MS, Story, job

EDGE = (1 << 62) - 1


SPEC = canonical(parse_job(job("k", trigger=[{"every": "1m"}])))
INTEGERS = st.sampled_from([0, 1, 2, 3, -1, 7, 1 << 31, 1 << 53, EDGE, -EDGE, START_MS, START_MS + 60_000])
TEXTS = st.sampled_from(
    ["", "j", "k", "default", "agent-1", "installation of agent-1", "s1", "s2", "node-a", "boot-1", "main",
     "exit", "gone", "cancelled", "timeout", "skipped", "coalesced", "missed", "running", "admin", "agent",
     "join-agent", "x" * 300, "\0", "😀#1"]
)  # fmt: skip
ODD_SPECS = [
    SPEC[:-1], SPEC.replace(b'"every":"1m"', b'"every":"1x"'), SPEC.replace(b'"main"', b'"no"'),
    json.dumps({**json.loads(SPEC), "tasks": {}}).encode(), b"[" * 100_000, b'{"a":1e999}', b"9" * 5_000,
]  # fmt: skip
ODD = [b"", b"{}", b"null", b"[]", b'{"a":"b"}', b'{"a":1}', b"\xff\xfe", b"s" * 32, b"t" * 400]
BYTES = st.sampled_from([*ODD, SPEC, *ODD_SPECS])
LEAVES: dict[Any, st.SearchStrategy[Any]] = {
    int: INTEGERS,
    str: TEXTS,
    bytes: BYTES,
    bool: st.booleans(),
}


def values(hint: Any) -> st.SearchStrategy[Any]:
    if hint in LEAVES:
        return LEAVES[hint]
    arguments = typing.get_args(hint)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return records(typing.cast(type[Any], hint))
    if type(None) in arguments:
        return st.none() | values(arguments[0])
    if arguments[-1] is Ellipsis:
        return st.lists(values(arguments[0]), max_size=3).map(tuple)
    return st.tuples(*map(values, arguments))


def records(cls: type[Any]) -> st.SearchStrategy[Any]:
    hints = typing.get_type_hints(cls)
    return st.builds(cls, **{field.name: values(hints[field.name]) for field in msgspec.structs.fields(cls)})


COMMANDS = sorted(set(c.ALL) - {c.Activate}, key=lambda cls: cls.__name__)
"""But the one that a node which cannot obey it has to stop at."""


def begun(path: Path) -> Story:
    """Jobs, a run, an attempt that is granted, one that is not, a retry that waits."""
    story = Story(path)
    story.lead()
    story.put(job("j", trigger=[{"every": "1m", "jitter": "5s"}], retry={"max": 2}))
    story.put(job("graph", tasks={"a": {"noop": True}, "b": {"noop": True, "needs": ["a"]}}))
    agent = story.connect(slots=2)
    for _ in range(3):
        story.tell_ok(c.RunJob("default", "j", b"{}", START_MS, agent=agent))
    story.tell_ok(c.RunJob("default", "graph", b"{}", START_MS))
    story.tell_ok(c.Grant(1, agent, "s1", "claim"))
    return story


@pytest.fixture(scope="module")
def beginning(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Told once; every example goes on with a copy of its file."""
    story = begun(tmp_path_factory.mktemp("begun") / "state.db")
    story.close()
    return story


def going_on(beginning: Story, path: Path) -> Story:
    shutil.copyfile(beginning.path, path)
    story = Story(path)
    story.seq, story.raft_index, story.sessions = beginning.seq, beginning.raft_index, {**beginning.sessions}
    return story


@pytest.mark.parametrize("cls", COMMANDS, ids=lambda cls: cls.__name__)
def test_a_command_of_any_values_is_applied_or_refused(cls: type[Any], beginning: Story) -> None:
    @settings(deadline=None, max_examples=30)
    @given(st.lists(records(cls), min_size=1, max_size=6))
    def of_any_values(commands: list[c.Command]) -> None:
        with tempfile.TemporaryDirectory() as directory:
            story = going_on(beginning, Path(directory) / "state.db")
            try:
                assert story.epoch == 1
                for command in commands:
                    story.tell(command)
                story.tell_ok(c.Barrier())
                story.plan()
            finally:
                story.close()

    of_any_values()
