"""A host boots: each trigger that waits for it makes one run, on that host."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.machine import startups
from scheduler.store.reads import ledger as ledger_reads
from scheduler.store.tables import boots
from scheduler.verify import verify
from scheduler.words import commands as c
from tests.scheduler.machine.test_restores import restore
from tests.scheduler.story import START_MS, Story, job


def entries(story: Story) -> list[tuple[str, str, str]]:
    """(cause, outcome, reason) of all that was no tick."""
    found = [entry for entry, _ in ledger_reads.after(story.store, 0, limit=1_000) if entry.key]
    assert all(entry.kind == "startup" for entry in found)
    return [(entry.key, entry.outcome, entry.reason) for entry in found]


def boot(story: Story, name: str = "web-1", boot_id: str = "boot-1", **fields: Any) -> int:
    """The agent registers from a host with this boot id, as a new session."""
    agent = story.store.value("SELECT id FROM agents WHERE name = ? AND node <> ''", (name,))
    if agent is not None:
        story.disconnect(agent)
    session = f"s{story.seq:06}"
    return story.connect(name, session=session, boot_id=boot_id, **{"pool": "web", **fields})


def on_boot(name: str = "j", *, delay: str = "", **fields: Any) -> dict[str, Any]:
    trigger = {"startup": {"pool": "web", **({"delay": delay} if delay else {})}, "id": "boot"}
    return job(name, trigger=trigger, **{"on": {"pool": "web"}, **fields})


def sound(story: Story) -> bool:
    check = verify(story.store, START_MS - 1, story.now_ms, now_ms=story.now_ms)
    assert check.ok, check.problems
    assert check.events == len(entries(story))
    return True


def test_each_new_boot_is_one_run_on_the_host_that_booted(story: Story) -> None:
    story.put(on_boot())
    agent = boot(story)
    story.settle()
    assert story.runs() == [("startup", "succeeded")]
    assert [attempt.agent for attempt in story.attempts(1)] == [agent]
    story.now_ms += 60_000
    assert boot(story, boot_id="boot-2") == agent
    story.settle()
    assert story.runs() == [("startup", "succeeded")] * 2
    assert entries(story) == [
        ("boot/installation of web-1/boot-1", "ran", ""), ("boot/installation of web-1/boot-2", "ran", ""),
    ]  # fmt: skip
    assert sound(story)


def test_an_agent_that_comes_back_on_a_host_that_did_not_boot_makes_none(story: Story) -> None:
    story.put(on_boot())
    for _ in range(3):
        boot(story)
        story.settle()
    assert story.runs() == [("startup", "succeeded")]
    # Nor one whose row was forgotten in between, as that of a name that another took.
    story.disconnect(story.store.value("SELECT id FROM agents"))
    story.store.execute("DELETE FROM agents")
    boot(story)
    story.settle()
    assert story.runs() == [("startup", "succeeded")]
    assert story.plan() == []


def test_two_agents_are_two_runs_whatever_overlap_says(story: Story) -> None:
    story.put(on_boot(policies={"overlap": "skip"}))
    agents = [boot(story, f"web-{n}", slots=1) for n in (1, 2)]
    story.plan_and_apply()
    assert story.runs() == [("startup", "pending")] * 2
    assert [story.attempts(run)[0].agent for run in (1, 2)] == agents
    story.settle()
    assert len(entries(story)) == 2
    assert sound(story)


def test_a_boot_behind_a_job_that_was_put_by_a_clock_ahead_is_its(story: Story) -> None:
    story.put(on_boot(), after_ms=story.now_ms + 900)
    story.now_ms += 100
    boot(story)
    story.settle()
    assert story.runs() == [("startup", "succeeded")]
    assert sound(story)


def test_another_pool_is_not_meant(story: Story) -> None:
    story.put(on_boot())
    boot(story, pool="db")
    story.settle()
    assert story.runs() == []
    assert boots.next_ms(story.store) is None


def test_a_host_without_a_slot_keeps_its_run_waiting_for_it(story: Story) -> None:
    story.put(on_boot(), job("other", on={"pool": "web"}))
    first, second = (boot(story, f"web-{n}", slots=1) for n in (1, 2))
    story.settle()
    assert [story.attempts(run)[0].agent for run in (1, 2)] == [first, second]
    boot(story, "web-1", "boot-2", slots=0)
    story.settle()
    assert story.run(3).state == "pending", "there is room on the other host, which has not booted"
    boot(story, "web-1", "boot-2", slots=1)
    story.settle()
    assert story.attempts(3)[0].agent == first


def test_tasks_that_the_host_may_not_take_go_where_they_belong(story: Story) -> None:
    tasks = {
        "here": {"noop": True, "on": {"pool": "web"}},
        "there": {"noop": True, "needs": ["here"], "on": {"pool": "mail"}},
    }
    document = on_boot(tasks=tasks)
    del document["on"]
    story.put(document)
    mail = story.connect("mail-1", pool="mail")
    boot(story, "web-0", "boot-0")
    web = boot(story)
    story.settle()
    assert [[attempt.agent for attempt in story.attempts(run)] for run in (1, 2)] == [[2, mail], [web, mail]]


def test_it_fires_once_the_host_was_up_for_the_delay(story: Story) -> None:
    story.put(on_boot("late", delay="2m"), on_boot("soon", delay="1m"), on_boot("now"))
    boot(story)
    story.settle()
    assert story.runs() == [("startup", "succeeded")]
    assert boots.next_ms(story.store) == START_MS + 60_000
    story.now_ms += 60_000
    story.settle()
    # A host that boots anew begins anew: what was not due yet never was.
    boot(story, boot_id="boot-2")
    story.settle()
    story.now_ms += 120_000
    story.settle()
    jobs = story.store.rows("SELECT name, due_ms FROM runs ORDER BY id")
    assert [(name, (due_ms - START_MS) // 1_000) for name, due_ms in jobs] == [
        ("now", 0), ("soon", 60), ("now", 60), ("soon", 120), ("late", 180),
    ]  # fmt: skip
    assert boots.next_ms(story.store) is None
    assert sound(story)


def test_what_was_put_after_the_boot_waits_for_the_next(story: Story) -> None:
    story.put(on_boot("before", delay="1m"))
    boot(story)
    story.now_ms += 1_000
    story.put(on_boot("after"))
    story.settle()
    assert story.runs() == []
    story.now_ms += 60_000
    story.settle()
    boot(story)  # it comes back, and has not booted
    story.settle()
    assert story.store.rows("SELECT name FROM runs") == [("before",)]


def test_an_edit_neither_repeats_nor_loses_a_boot(story: Story) -> None:
    story.put(on_boot("a"), on_boot("b", delay="10m"))
    boot(story)
    story.settle()
    story.now_ms += 120_000
    story.put(on_boot("a", delay="1s"), on_boot("b", delay="1m"))
    story.settle()
    assert story.store.rows("SELECT name FROM runs ORDER BY id") == [("a",), ("b",)]
    assert [key for key, *_ in entries(story)] == ["boot/installation of web-1/boot-1"] * 2
    assert sound(story)


def test_a_paused_job_skips_it_and_a_deleted_one_is_not_asked(story: Story) -> None:
    story.put(on_boot("paused"), on_boot("deleted"))
    story.tell_ok(c.PauseJob("default", "paused"), c.DeleteJob("default", "deleted"))
    boot(story)
    story.settle()
    assert story.runs() == []
    assert entries(story) == [("boot/installation of web-1/boot-1", "skipped", "paused")]
    story.tell_ok(c.ResumeJob("default", "paused"))
    boot(story)
    story.settle()
    assert story.runs() == []
    assert sound(story)


def test_a_start_deadline_counts_from_the_firing(story: Story) -> None:
    story.put(on_boot(policies={"start_deadline": "10s"}))
    agent = boot(story, slots=0)
    story.plan_and_apply()
    assert story.run(1).deadline_ms == START_MS + 10_000
    story.now_ms += 10_000
    story.settle()
    assert story.run(1).state == "expired"
    assert entries(story) == [("boot/installation of web-1/boot-1", "missed", "deadline")]
    assert agent
    assert sound(story)


def test_very_many_jobs_are_fired_in_bounded_steps(story: Story) -> None:
    many = 2 * startups.FIRED_AT_ONCE_MAX + 3
    story.put(*[on_boot(f"j{n}") for n in range(many)])
    boot(story, slots=1_000)
    fired = []
    while commands := [each for each in story.plan() if isinstance(each, c.FireStartups)]:
        fired.append(story.value(commands[0], "fired"))
    assert fired == [startups.FIRED_AT_ONCE_MAX] * 2 + [3]
    assert [name for (name,) in story.store.rows("SELECT name FROM runs ORDER BY id")] == [
        f"j{n}" for n in range(many)
    ]


def test_a_firing_that_came_before_is_refused(story: Story) -> None:
    story.put(on_boot(delay="1m"))
    agent = boot(story)
    early = c.FireStartups(story.epoch, agent, "boot-1", 0)
    assert story.one(early).code == "stale_due"
    story.now_ms += 60_000
    assert story.one(c.FireStartups(story.epoch, agent, "boot-0", 0)).code == "stale_due"
    assert story.one(c.FireStartups(story.epoch - 1, agent, "boot-1", 0)).code == "stale_epoch"
    assert story.one(early).ok
    assert story.one(early).code == "stale_due"


def test_an_agent_that_was_forgotten_fires_nothing(story: Story) -> None:
    story.put(on_boot(delay="1m"))
    boot(story)
    story.store.execute("DELETE FROM agents")
    story.now_ms += 60_000
    story.settle()
    assert (story.runs(), boots.next_ms(story.store)) == ([], None)


def test_a_boot_that_the_cluster_before_a_restore_may_have_seen_is_missed(story: Story) -> None:
    story.put(on_boot())
    boot(story)
    story.settle()
    story.now_ms += 60_000
    restore(story)
    story.now_ms += 1_000
    boot(story, boot_id="boot-2")
    boot(story, "web-2", "boot-7")  # which it does not know: it fires
    story.settle()
    assert entries(story)[1:] == [
        ("boot/installation of web-1/boot-2", "missed", "restored"),
        ("boot/installation of web-2/boot-7", "ran", ""),
    ]
    story.now_ms += 60_000
    boot(story, boot_id="boot-3")
    story.settle()
    assert entries(story)[-1] == ("boot/installation of web-1/boot-3", "ran", "")


def test_an_agent_without_a_boot_id_says_nothing_of_boots(story: Story) -> None:
    story.put(on_boot())
    boot(story, boot_id="")
    story.settle()
    assert story.runs() == []


@pytest.mark.parametrize("forgery", ["DELETE FROM ledger", "UPDATE runs SET decided = 0"])
def test_a_startup_without_an_entry_is_seen(story: Story, forgery: str) -> None:
    story.put(on_boot())
    boot(story)
    story.settle()
    assert sound(story)
    story.store.execute(forgery)
    if "ledger" in forgery:
        story.store.execute("UPDATE state SET ledger_seq = 0, ledger_head = zeroblob(32)")
        story.store.execute("UPDATE runs SET decided = 0")
    check = verify(story.store, START_MS - 1, story.now_ms, now_ms=story.now_ms)
    assert [problem.kind for problem in check.problems] == ["missing"]


def test_nothing_is_noted_where_nobody_waits(story: Story) -> None:
    boot(story)
    assert boots.next_ms(story.store) is None
