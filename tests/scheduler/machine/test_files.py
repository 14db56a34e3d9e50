"""Files: each that an agent tells of fires each trigger that waits for it, once, whoever tells of it
again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from scheduler.machine import files as machine
from scheduler.store.reads import ledger as ledger_reads
from scheduler.store.tables import files, folders
from scheduler.store.tables.files import SeenFile
from scheduler.verify import verify
from scheduler.words import commands as c
from scheduler.words import events as e
from scheduler.words.outcomes import Code
from tests.scheduler.machine.test_restores import restore
from tests.scheduler.story import START_MS, Story, job


def waits(name: str = "j", overlap: str = "", **asked: Any) -> dict[str, Any]:
    given = {"path": {"type": "string"}}
    file = {"dir": "/in", "match": "*.csv", "as": "path", **asked}
    if file.get("per") == "batch":
        given["path"]["type"] = "list"
    trigger = {"file": file, "id": "t"} | ({"overlap": overlap} if overlap else {})
    return job(name, trigger=trigger, params=given)


def seen(*names: str, version: int = 1) -> tuple[c.FileSeen, ...]:
    return tuple(
        c.FileSeen(f"/in/{name}", f"{version}.{name}", 10 * version, START_MS - 5_000, START_MS)
        for name in names
    )


def folder(story: Story, name: str = "j") -> folders.Folder:
    found = folders.get(story.store, story.job(name).id, "t")
    assert found is not None
    return found


def tell(story: Story, agent: int, *names: str, name: str = "j", version: int = 1) -> list[int]:
    command = c.ReportFiles(
        folder(story, name).trigger, agent, story.sessions[agent], seen(*names, version=version)
    )
    return list(story.value(command, "serials"))


def gone(story: Story, agent: int, *serials: int) -> None:
    story.tell_ok(c.ReportGone(folder(story).trigger, agent, story.sessions[agent], serials))


def fired(story: Story, name: str = "j") -> list[str]:
    rows = story.store.rows(
        "SELECT cause_key FROM runs WHERE name = ? AND cause = 'file' ORDER BY id", (name,)
    )
    return [row[0] for row in rows]


def paths(story: Story) -> list[Any]:
    rows = story.store.rows("SELECT params FROM runs WHERE cause = 'file' ORDER BY id")
    return [json.loads(row[0])["path"] for row in rows]


def known(story: Story) -> list[tuple[int, str]]:
    return [(each.serial, each.state) for each in files.page(story.store, (0, "", 0), 1_000)]


def file(story: Story, serial: int) -> SeenFile:
    found = files.get(story.store, story.job().id, "t", serial)
    assert found is not None
    return found


def entries(story: Story) -> list[tuple[str, str, str]]:
    found = [entry for entry, _ in ledger_reads.after(story.store, 0, limit=1_000)]
    return [(entry.key, entry.outcome, entry.reason) for entry in found if entry.kind == "file"]


@pytest.fixture
def told(story: Story) -> Iterator[Story]:
    story.connect()
    yield story
    check = verify(story.store, START_MS - 1, story.now_ms, now_ms=story.now_ms)
    assert check.ok, check.problems


def test_a_file_makes_one_run_however_often_it_is_told(told: Story) -> None:
    told.put(waits())
    assert tell(told, 1, "a.csv") == [1]
    assert [event.path for event in told.events if isinstance(event, e.FileArrived)] == ["/in/a.csv"]
    told.settle()
    assert tell(told, 1, "a.csv", "b.csv") == [1, 2]
    told.settle()
    told.disconnect(1)
    told.connect(session="s2")  # a new process, which knows nothing
    assert tell(told, 1, "a.csv", "b.csv") == [1, 2]
    told.settle()
    assert fired(told) == ["t/1", "t/2"]
    assert paths(told) == ["/in/a.csv", "/in/b.csv"]
    assert entries(told) == [("t/1", "ran", ""), ("t/2", "ran", "")]
    assert told.run(1).bound == 1


def test_another_version_is_another_file_and_so_is_one_that_was_gone(told: Story) -> None:
    told.put(waits())
    tell(told, 1, "a.csv")
    told.settle()
    assert tell(told, 1, "a.csv", version=2) == [2]
    gone(told, 1, 1, 1)
    assert tell(told, 1, "a.csv") == [3]
    told.settle()
    assert fired(told) == ["t/1", "t/2", "t/3"]


def test_what_goes_before_its_turn_is_missed(told: Story) -> None:
    told.put(waits())
    told.tell_ok(c.PauseJob("default", "j"))
    tell(told, 1, "a.csv")
    gone(told, 1, 1)
    told.tell_ok(c.ResumeJob("default", "j"))
    told.settle()
    assert (fired(told), entries(told), known(told)) == ([], [("t/1", "missed", "window")], [])


def test_each_agent_has_a_folder_of_its_own(told: Story) -> None:
    other = told.connect("agent-b", zone="zone-b")
    told.put(waits())
    assert tell(told, 1, "a.csv") == [1]
    assert tell(told, other, "a.csv") == [2]
    told.settle()
    assert [told.run(run).bound for run in (1, 2)] == [1, other]
    gone(told, other, 1)
    assert known(told) == [(1, "fired"), (2, "fired")], "it is in the folder of another"


def test_of_a_shared_folder_the_eyes_of_one_count_and_of_another_when_that_is_gone(told: Story) -> None:
    other = told.connect("agent-b", zone="zone-b")
    told.put(waits(scope="shared"))
    told.plan_and_apply()
    first = folder(told).agent
    second = other if first == 1 else 1
    assert tell(told, first, "a.csv") == [1]
    told.settle()
    assert told.run(1).bound == 0, "any agent may take it"
    refused = told.one(c.ReportFiles(folder(told).trigger, second, told.sessions[second], seen("a.csv")))
    assert refused.code == Code.SUPERSEDED
    told.disconnect(first)
    told.plan_and_apply()
    assert folder(told).agent == second
    assert tell(told, second, "a.csv", "b.csv") == [1, 2]
    told.settle()
    assert fired(told) == ["t/1", "t/2"]


def test_only_agents_that_are_meant_tell_of_it(told: Story) -> None:
    told.put(waits(on={"pool": "default", "labels": {"disk": "big"}}))
    command = c.ReportFiles(folder(told).trigger, 1, told.sessions[1], seen("a.csv"))
    assert told.one(command).code == Code.SUPERSEDED
    strange = c.ReportFiles(folder(told).trigger, 1, "another", seen("a.csv"))
    assert told.one(strange).code == Code.NOT_CONNECTED
    big = told.connect("agent-b", labels=b'{"disk":"big"}')
    assert tell(told, big, "a.csv") == [1]


def test_a_pause_and_a_full_queue_keep_them_in_their_order(told: Story) -> None:
    told.put(waits(overlap="queue_one"))
    told.tell_ok(c.PauseJob("default", "j"))
    tell(told, 1, "a.csv", "b.csv", "c.csv", "d.csv")
    told.settle()
    assert fired(told) == []
    told.tell_ok(c.ResumeJob("default", "j"))
    told.plan_and_apply()
    assert fired(told) == ["t/1", "t/2"], "one runs, one waits, two are kept"
    told.settle()
    assert fired(told) == ["t/1", "t/2", "t/3", "t/4"]
    told.tell_ok(c.Pause("default", "a story", None))
    tell(told, 1, "e.csv")
    told.settle()
    told.tell_ok(c.Resume("default"))
    told.now_ms += machine.LOOK_AGAIN_MS
    told.settle()
    assert fired(told)[-1] == "t/5"


def test_a_rate_lets_so_many_fire_in_a_time_and_the_rest_later(told: Story) -> None:
    told.put(waits(max_rate="2 per 1m"))
    tell(told, 1, "a.csv", "b.csv", "c.csv")
    told.settle()
    assert fired(told) == ["t/1", "t/2"]
    assert folders.next_ms(told.store) == told.now_ms + 60_000
    told.now_ms += 59_999
    told.settle()
    assert len(fired(told)) == 2
    told.now_ms += 1
    told.settle()
    assert len(fired(told)) == 3


def test_a_batch_is_one_run_of_all_that_waits(told: Story) -> None:
    told.put(waits(per="batch"))
    assert tell(told, 1, "a.csv", "b.csv", "c.csv") == [1, 2, 3]
    told.settle()
    assert fired(told) == ["t/1"]
    assert paths(told) == [["/in/a.csv", "/in/b.csv", "/in/c.csv"]]
    assert {file(told, serial).run for serial in (1, 2, 3)} == {1}


def test_facts_are_params_of_their_types(told: Story) -> None:
    types = {"p": "string", "n": "string", "s": "integer", "m": "datetime", "x": "string"}
    asked = {"path": "p", "name": "n", "size": "s", "modified": "m"}
    trigger = {"file": {"dir": "/in", "as": asked}, "id": "t", "params": {"x": "y"}}
    told.put(job(trigger=trigger, params={name: {"type": each} for name, each in types.items()}))
    tell(told, 1, "a.csv")
    told.settle()
    (row,) = told.store.rows("SELECT params FROM runs")
    said = {"p": "/in/a.csv", "n": "a.csv", "s": 10, "m": "2027-01-15T07:59:55Z", "x": "y"}
    assert json.loads(row[0]) == said


def test_after_success_it_is_moved_and_after_failure_it_stays(told: Story) -> None:
    told.put(waits(then={"move": "/done"}))
    tell(told, 1, "a.csv")
    told.plan_and_apply()
    told.work()
    (event,) = [event for event in told.events if isinstance(event, e.FileToMove)]
    assert (event.agent, event.serial, known(told)) == (1, 1, [(1, "done")])
    moved = c.ReportMoved(folder(told).trigger, 1, told.sessions[1], 1)
    told.tell_ok(moved)
    assert known(told) == []
    told.tell_ok(moved)  # told again

    tell(told, 1, "b.csv", "c.csv")
    told.settle(exit_code=1)
    assert known(told) == [(2, "left"), (3, "left")]
    assert file(told, 2).why == "its run ended as failed"
    told.settle()
    assert len(fired(told)) == 3, "no new firing"


def test_what_could_not_be_moved_is_left_with_the_reason(told: Story) -> None:
    told.put(waits(then={"delete": True}))
    tell(told, 1, "a.csv")
    told.settle()
    told.tell_ok(c.ReportMoved(folder(told).trigger, 1, told.sessions[1], 1, "no permission"))
    assert (file(told, 1).state, file(told, 1).why) == ("left", "no permission")
    assert tell(told, 1, "a.csv") == [1]


def test_what_there_is_no_room_for_stays_with_its_agent(told: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "WAITING_MAX", 2)
    told.put(waits())
    assert tell(told, 1, "a.csv", "b.csv", "c.csv") == [1, 2, 0]
    told.settle()
    assert tell(told, 1, "c.csv") == [3]
    told.settle()
    assert fired(told) == ["t/1", "t/2", "t/3"]


def test_an_edit_that_keeps_the_trigger_fires_nothing_anew(told: Story) -> None:
    told.put(waits())
    tell(told, 1, "a.csv")
    told.settle()
    before = folder(told).trigger
    told.put(waits(stable="1m"))
    assert folder(told).trigger != before
    late = c.ReportFiles(before, 1, told.sessions[1], seen("a.csv", "b.csv"))
    assert told.value(late, "serials") == [1, 2], "the agent has not heard of the edit"
    told.settle()
    assert fired(told) == ["t/1", "t/2"]


def test_a_trigger_that_is_no_more_hears_of_nothing_and_its_files_are_forgotten(told: Story) -> None:
    told.put(waits())
    tell(told, 1, "a.csv")
    told.settle()
    trigger = folder(told).trigger
    told.put(job())
    refused = told.one(c.ReportFiles(trigger, 1, told.sessions[1], seen("b.csv")))
    assert refused.code == Code.SUPERSEDED
    told.tell_ok(c.Sweep(told.epoch, 0, 100))
    assert known(told) == []
    told.put(waits())
    assert tell(told, 1, "a.csv") == [2], "no serial comes twice"


def test_after_a_restore_what_was_there_before_is_missed(told: Story) -> None:
    told.put(waits())
    restore(told)
    told.now_ms += 600_000
    told.connect()
    told.settle()
    tell(told, 1, "a.csv")
    told.settle()
    assert entries(told) == [("t/1", "missed", "restored")]
    assert file(told, 1).state == "left"
    late = c.FileSeen("/in/b.csv", "x", 1, told.now_ms, told.now_ms)
    told.tell_ok(c.ReportFiles(folder(told).trigger, 1, told.sessions[1], (late,)))
    told.settle()
    assert fired(told) == ["t/2"]
