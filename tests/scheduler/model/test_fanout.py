"""What is refused of a divided task, each with its place and a way out; and what is made of it."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.model import JobError, canonical, parse_job
from scheduler.model.compiled import CompiledTask, compile_job
from scheduler.model.members import MEMBERS_MAX, CompiledFanout, Join, items_of, wanted

TASKS: dict[str, Any] = {
    "list": {"run": "x", "outputs": ["files"]},
    "inside": {"run": "x", "outputs": ["files"]},
    "many": {"run": "x", "needs": ["list"]},
}


def document(fanout: Any, **fields: Any) -> dict[str, Any]:
    tasks = {**TASKS, "many": {**TASKS["many"], "fanout": fanout, **fields}}
    shape = {"job": "j", "tasks": tasks, "groups": {"g": {"tasks": ["inside"]}}}
    return {**shape, "params": {"hosts": {"type": "string"}}}


def compiled(fanout: Any, **fields: Any) -> CompiledTask:
    job = compile_job(canonical(parse_job(document(fanout, **fields))))
    return next(task for task in job.tasks if task.name == "many")


@pytest.mark.parametrize(
    ("fanout", "fields", "pointer", "detail", "hint"),
    [
        ({}, {}, "fanout", "divided over nothing", "exactly one of foreach, n, all"),
        ({"n": 2, "foreach": ["a"]}, {}, "fanout", "foreach and n exclude", "exactly one of foreach, n"),
        ({"n": 2, "all": "connected"}, {}, "fanout", "n and all exclude", "exactly one of foreach, n"),
        ({"all": "known"}, {}, "fanout/all", "must be one of", ""),
        ({"all": "registered", "offline": "skip"}, {}, "fanout", "after ttl", "add ttl"),
        ({"all": "registered", "ttl": "1h", "offline": "no"}, {}, "fanout/offline", "must be one of", ""),
        ({"n": 2, "ttl": "1h"}, {}, "fanout", "ttl is of members that are agents", "remove ttl"),
        ({"n": 2, "max_per_agent": 0}, {}, "fanout/max_per_agent", "at least 1", ""),
        ({"n": 0}, {}, "fanout/n", "at least 1", ""),
        ({"n": MEMBERS_MAX + 1}, {}, "fanout/n", f"at most {MEMBERS_MAX}", ""),
        ({"n": "3"}, {}, "fanout/n", "must be an integer, not text", ""),
        ({"n": 2, "paralel": 1}, {}, "fanout/paralel", "unknown field", ""),
        ({"n": 2, "max_parallel": 0}, {}, "fanout/max_parallel", "at least 1", ""),
        ({"n": 2, "stagger": 5}, {}, "fanout/stagger", "text with a unit", "90s"),
        ({"foreach": []}, {}, "fanout/foreach", "an empty list", "at least one item"),
        ({"foreach": 3}, {}, "fanout/foreach", "must be a list, not a number", "params.NAME"),
        ({"foreach": [["a"]]}, {}, "fanout/foreach", "item 0 must be text", ""),
        ({"foreach": ["a\0"]}, {}, "fanout/foreach", "NUL", ""),
        ({"foreach": ["a"] * (MEMBERS_MAX + 1)}, {}, "fanout/foreach", "10001 items, 10000", "coarsely"),
        ({"foreach": "hosts"}, {}, "fanout/foreach", "says of nothing that it is a list", "params.NAME"),
        ({"foreach": "{params.host}"}, {}, "fanout/foreach", "no parameter 'host'", "did you mean hosts?"),
        ({"foreach": "{tasks.ls.outputs.files}"}, {}, "fanout/foreach", "task 'ls'", "did you mean list?"),
        ({"foreach": "{tasks.list.outputs.file}"}, {}, "fanout/foreach", "no output 'file'", "declares it"),
        (
            {"foreach": "{tasks.list.outputs.files}"}, {"needs": []}, "fanout/foreach",
            "list may not have ended when many begins", "add list to the needs of many",
        ),
        (
            {"foreach": "{tasks.inside.outputs.files}"}, {"needs": ["g"]}, "fanout/foreach",
            "inside of group g", "divide it inside",
        ),
        ({"n": 2}, {"join": "most"}, "join", "neither a number nor a share", 'such as "80%"'),
        ({"n": 2}, {"join": "120%"}, "join", "neither a number nor a share", 'such as "80%"'),
        ({"n": 2}, {"join": 0}, "join", "between 1 and", "such as 3"),
        ({"n": 2}, {"join": [1]}, "join", "text or a number, not a list", "such as 3"),
        ({"n": 2}, {"join": 3}, "", "join: 3 can never be met: it has 2 members", "ask for fewer"),
        (None, {"join": "any"}, "", "join judges members", "add fanout"),
        ({"n": 2}, {"on": {"same_as": "list"}}, "on/same_as", "many agents", "remove same_as"),
    ],
)  # fmt: skip
def test_refused(fanout: Any, fields: dict[str, Any], pointer: str, detail: str, hint: str) -> None:
    with pytest.raises(JobError) as refused:
        parse_job(document(fanout, **fields))
    (told,) = refused.value.problems
    assert told.pointer == "/tasks/many" + (pointer and f"/{pointer}")
    assert detail in told.detail
    assert hint in told.hint


@pytest.mark.parametrize(
    ("work", "hint"),
    [
        ({"sleep": "1s"}, "remove fanout"),
        ({"approval": {"expires": "1h"}}, "make an approval for each, and let what follows need them"),
        ({"job": {"name": "other"}}, "divide the task in that job"),
    ],
)
def test_work_in_the_state_is_not_divided(work: dict[str, Any], hint: str) -> None:
    with pytest.raises(JobError) as refused:
        parse_job({"job": "j", "tasks": {"many": {**work, "fanout": {"n": 2}}}})
    (told,) = refused.value.problems
    assert f"{next(iter(work))} reads no fanout" in told.detail
    assert hint in told.hint


def test_what_the_machine_reads() -> None:
    task = compiled({"foreach": ["a", 1, False], "max_parallel": 2, "stagger": "2s"}, join="80%")
    items = ("a", "1", "false")
    assert task.fanout == CompiledFanout("list", items, 0, "", "", Join("share", 80), 2, None, 2_000)
    task = compiled({"foreach": "{tasks.list.outputs.files}", "max_failures": 0})
    assert task.fanout == CompiledFanout("output", (), 0, "files", "list", Join(), 0, 0, 0)
    assert task.asks == ()
    all_of_them = {"all": "connected", "ttl": "1h", "offline": "skip", "max_per_agent": 1, "stagger": "1s"}
    task = compiled(all_of_them)
    assert task.fanout == CompiledFanout(
        "agents", (), 0, "", "", Join(), 0, None, 1_000, connected=True, ttl_ms=3_600_000, skips_away=True
    )
    assert compiled({"n": 3, "max_per_agent": 2}).fanout == CompiledFanout(
        "number", (), 3, "", "", Join(), 0, None, 0, agent_max=2
    )
    task = compiled({"n": 3}, join=2)
    assert task.fanout == CompiledFanout("number", (), 3, "", "", Join("count", 2), 0, None, 0)


def test_a_task_waits_for_the_list_that_a_task_before_those_it_needs_gives() -> None:
    shape = document({"foreach": "{tasks.list.outputs.files}"}, needs=["between"])
    shape["tasks"]["between"] = {"run": "x", "needs": ["list"]}
    job = compile_job(canonical(parse_job(shape)))
    assert next(task for task in job.tasks if task.name == "many").asks == ("list",)


@pytest.mark.parametrize(("share", "members", "asked"), [(80, 10, 8), (80, 9, 8), (1, 3, 1), (100, 3, 3)])
def test_shares_round_up(share: int, members: int, asked: int) -> None:
    assert wanted(Join("share", share), members) == asked


def test_a_list_is_bounded() -> None:
    assert items_of("x\n" * (MEMBERS_MAX + 1)) == ((), "has 10001 items, 10000 at most")
    assert "at place 1, with a NUL" in items_of(["a", "b\0"])[1]
