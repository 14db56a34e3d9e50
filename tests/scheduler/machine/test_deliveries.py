"""Deliveries of another system: each makes one run of every trigger of its hook, or none is taken."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from scheduler.machine import deliveries as machine
from scheduler.machine.rules.hooked import TRIGGERS_MAX
from scheduler.model import parse_job, prepare
from scheduler.store.reads import ledger as ledger_reads
from scheduler.store.tables import deliveries, secrets
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import triggers as trigger_rows
from scheduler.verify import verify
from scheduler.words import causes
from scheduler.words import commands as c
from scheduler.words import events as e
from scheduler.words.outcomes import Code, Outcome
from tests.scheduler.machine.test_restores import restore
from tests.scheduler.story import START_MS, Story, job

HOOK = {"hook": "deploys", "secret": "key"}


def listens(name: str, hook: str = "deploys", **fields: Any) -> dict[str, Any]:
    trigger = {"webhook": hook, "id": "t"}
    trigger |= {key: fields.pop(key) for key in ("overlap", "params", "id") if key in fields}
    return job(name, trigger=trigger, **fields)


def delivery(story: Story, name: str = "d1", **fields: Any) -> c.Deliver:
    """As a front makes it that has seen all there is."""
    ids = trigger_rows.awaiting(story.store, causes.hooked("default", "deploys"), TRIGGERS_MAX + 1)
    found = [trigger_rows.firing(story.store, each) for each in ids]
    firings = [c.HookFiring(row.id, row.revision, b"{}") for row in found if row is not None]
    secret = secrets.find(story.store, "default", "key")
    values: dict[str, Any] = {
        "namespace": "default", "hook": "deploys", "hook_revision": 1,
        "secret_namespace": "default", "secret": "key",
        "secret_version": 0 if secret is None else secret.version, "delivery": name, "signed_ms": None,
        "safe_ms": story.now_ms + 1_000, "firings": tuple(firings),
        "actor": c.Actor("hook default/deploys", "10.0.0.7"), **fields,
    }  # fmt: skip
    return c.Deliver(**values)


def told(outcome: Outcome) -> list[tuple[str, int, str, str]]:
    """(job, run, outcome, reason) of each firing."""
    assert outcome.ok, outcome
    firings = deliveries.firings_of(str((outcome.value or {})["firings"]))
    return [(each.name, each.run, each.outcome, each.reason) for each in firings]


def runs(story: Story, name: str) -> list[str]:
    """Their causes."""
    rows = story.store.rows("SELECT cause_key FROM runs WHERE name = ? ORDER BY id", (name,))
    return [row[0] for row in rows]


def entries(story: Story) -> list[tuple[str, str, str]]:
    found = [entry for entry, _ in ledger_reads.after(story.store, 0, limit=1_000)]
    return [(entry.key, entry.outcome, entry.reason) for entry in found if entry.kind == "webhook"]


@pytest.fixture
def hooked(story: Story) -> Iterator[Story]:
    story.tell_ok(c.PutSecret("default", "key", 1, "k", b"sealed", ()))
    assert story.apply(HOOK).ok
    story.connect()
    yield story
    check = verify(story.store, START_MS - 1, story.now_ms, now_ms=story.now_ms)
    assert check.ok, check.problems


def test_each_delivery_makes_one_run_of_each_of_its_jobs(hooked: Story) -> None:
    hooked.put(listens("a"), listens("b"), listens("other", hook="deploys2") | {"triggers": []})
    first = hooked.one(delivery(hooked))
    assert told(first) == [("a", 1, "", ""), ("b", 2, "", "")]
    assert [type(event) for event in hooked.events if isinstance(event, e.Delivered)] == [e.Delivered]
    hooked.settle()
    assert (runs(hooked, "a"), runs(hooked, "b"), runs(hooked, "other")) == (["t/d1"], ["t/d1"], [])
    assert entries(hooked) == [("t/d1", "ran", ""), ("t/d1", "ran", "")]
    assert told(hooked.one(delivery(hooked, "d2"))) == [("a", 3, "", ""), ("b", 4, "", "")]


def test_sent_again_it_is_answered_again_whoever_leads(hooked: Story) -> None:
    hooked.put(listens("a"))
    first = hooked.one(delivery(hooked))
    hooked.lead()
    hooked.put(listens("b"))
    again = hooked.one(delivery(hooked))
    assert told(again) == told(first)
    assert (again.value or {})["repeated"] is True
    hooked.settle()
    assert (runs(hooked, "a"), runs(hooked, "b")) == (["t/d1"], [])


def test_a_secret_of_another_namespace_is_for_hooks_that_it_is_granted_to(hooked: Story) -> None:
    hooked.tell_ok(c.PutSecret("web", "theirs", 1, "k", b"sealed", ("default/other", "deploys")))
    foreign = {**HOOK, "secret": "web/theirs"}
    refused, none = hooked.apply(foreign), hooked.apply({**HOOK, "secret": "web/none"})
    assert (refused.code, none.code) == (Code.MISSING, Code.MISSING)
    assert refused.detail == none.detail.replace("none", "theirs"), "nobody learns what there is"
    hooked.tell_ok(c.GrantSecret("web", "theirs", ("default/dep*",), ()))
    assert hooked.apply(foreign).ok
    signed = {"hook_revision": 2, "secret_namespace": "web", "secret": "theirs", "secret_version": 1}
    assert hooked.one(delivery(hooked, "d1", **signed)).ok

    hooked.tell_ok(c.GrantSecret("web", "theirs", (), ("default/dep*",)))
    late = hooked.one(delivery(hooked, "d2", **signed))
    assert (late.code, "is not granted to it" in late.detail) == (Code.SUPERSEDED, True)


def test_nobody_listens_and_it_is_taken_all_the_same(hooked: Story) -> None:
    assert told(hooked.one(delivery(hooked))) == []


def test_what_was_seen_otherwise_is_looked_at_again(hooked: Story) -> None:
    hooked.put(listens("a"))
    seen = delivery(hooked)
    hooked.put(listens("b"))
    assert hooked.one(seen).code == Code.SUPERSEDED
    seen = delivery(hooked)
    hooked.put(listens("a", labels={"x": "y"}))
    refused = hooked.one(seen)
    assert (refused.code, refused.detail) == (Code.SUPERSEDED, "job default/a is at revision 2")
    seen = delivery(hooked)
    hooked.tell_ok(c.PutSecret("default", "key", 2, "k", b"other", ()))
    assert hooked.one(seen).code == Code.SUPERSEDED
    assert hooked.apply(HOOK | {"enabled": False}).ok
    assert hooked.one(delivery(hooked)).code == Code.SUPERSEDED
    assert runs(hooked, "a") == []
    assert told(hooked.one(delivery(hooked, hook_revision=2))) != []


def test_a_full_queue_refuses_it_for_all_before_anything_came_of_it(hooked: Story) -> None:
    hooked.put(listens("a"), listens("one", overlap="queue_one"))
    for number in range(2):
        assert len(told(hooked.one(delivery(hooked, f"d{number}")))) == 2
    refused = hooked.one(delivery(hooked, "d9"))
    assert (refused.code, (refused.value or {})["job"]) == (Code.LIMIT, "default/one")
    assert deliveries.find(hooked.store, "default", "deploys", "d9") is None
    assert (len(runs(hooked, "a")), len(runs(hooked, "one"))) == (2, 2)
    hooked.settle()
    assert [row[0] for row in told(hooked.one(delivery(hooked, "d9")))] == ["a", "one"]


def test_queue_all_takes_a_hundred_that_wait(hooked: Story) -> None:
    hooked.put(listens("a", on={"pool": "none"}))
    for number in range(101):
        assert told(hooked.one(delivery(hooked, f"d{number}")))
    assert hooked.one(delivery(hooked, "d101")).code == Code.LIMIT


def test_what_is_paused_takes_it_and_ends_without_a_run(hooked: Story) -> None:
    hooked.put(listens("a"), listens("b"))
    hooked.tell_ok(c.PauseJob("default", "a"))
    assert told(hooked.one(delivery(hooked))) == [("a", 0, "skipped", "paused"), ("b", 1, "", "")]
    hooked.tell_ok(c.ResumeJob("default", "a"))
    hooked.settle()
    assert told(hooked.one(delivery(hooked))) == [("a", 0, "skipped", "paused"), ("b", 1, "", "")]
    assert runs(hooked, "a") == []
    assert entries(hooked) == [("t/d1", "skipped", "paused"), ("t/d1", "ran", "")]


def test_skip_says_which_run_was_in_the_way(hooked: Story) -> None:
    hooked.put(listens("a", overlap="skip"))
    hooked.one(delivery(hooked))
    assert told(hooked.one(delivery(hooked, "d2"))) == [("a", 1, "skipped", "overlap")]


def test_its_parameters_are_those_that_came_along(hooked: Story) -> None:
    hooked.put(listens("a", params={"ref": "main"}) | {"params": {"ref": {"type": "string"}}})
    command = delivery(hooked)
    (firing,) = command.firings
    given = c.HookFiring(firing.trigger, firing.revision, b'{"ref":"v1"}')
    hooked.one(delivery(hooked, firings=(given,)))
    assert hooked.run(1).params == '{"ref":"v1"}'


def test_it_is_known_for_ever_by_its_ledger_entry(hooked: Story) -> None:
    hooked.put(listens("a"))
    hooked.one(delivery(hooked))
    hooked.settle()
    hooked.now_ms += 86_400_000 * 2
    hooked.tell_ok(c.Sweep(hooked.epoch, hooked.now_ms - 86_400_000, 1_000))
    assert deliveries.oldest_ms(hooked.store) is None
    row = job_rows.find(hooked.store, "default", "a")
    assert row is not None
    hooked.tell_ok(c.Purge(hooked.epoch, row.id, 1, 10))
    assert told(hooked.one(delivery(hooked))) == [("a", 1, "ran", "")]
    assert runs(hooked, "a") == []


def test_so_many_are_remembered_and_the_oldest_go_once_they_are_too_old(
    hooked: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "KEPT_MAX", 3)
    for number in range(3):
        hooked.one(delivery(hooked, f"d{number}"))
    refused = hooked.one(delivery(hooked, "d3"))
    assert refused.code == Code.LIMIT
    hooked.now_ms += 1_000
    assert hooked.one(delivery(hooked, "d3")).ok
    kept = deliveries.newest(hooked.store, "default", "deploys", None, 10)
    assert [row.delivery for row in kept] == ["d3", "d2", "d1"]
    assert deliveries.find(hooked.store, "default", "deploys", "d0") is None


def test_what_was_signed_before_a_restore_is_missed(story: Story) -> None:
    story.tell_ok(c.PutSecret("default", "key", 1, "k", b"sealed", ()))
    assert story.apply(HOOK).ok
    story.put(listens("a"))
    restore(story)
    early = delivery(story, "old", signed_ms=story.now_ms - 1_000)
    assert told(story.one(early)) == [("a", 0, "missed", "restored")]
    assert told(story.one(delivery(story, "new", signed_ms=story.now_ms + 1_000)))[0][2] == ""


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("DELETE FROM ledger WHERE kind = 'webhook'", "missing"),
        ("UPDATE ledger SET run = 7 WHERE kind = 'webhook'", "cause"),
        ("UPDATE ledger SET outcome = 'skipped' WHERE kind = 'webhook' AND outcome = 'missed'", ""),
    ],
)
def test_verify_sees_what_did_not_come_of_it(story: Story, statement: str, kind: str) -> None:
    story.tell_ok(c.PutSecret("default", "key", 1, "k", b"sealed", ()))
    assert story.apply(HOOK).ok
    story.put(listens("a"))
    story.connect()
    story.one(delivery(story))
    story.settle()
    story.store.execute(statement)
    check = verify(story.store, START_MS - 1, story.now_ms, now_ms=story.now_ms)
    assert [each.kind for each in check.problems if each.kind != "chain"] == ([kind] if kind else [])


def test_so_many_triggers_may_wait_for_one_hook(hooked: Story) -> None:
    many = [listens(f"j{number}") for number in range(TRIGGERS_MAX)]
    hooked.put(*many)
    hooked.put(*[{**each, "labels": {"again": "yes"}} for each in many])
    one_more = prepare(parse_job(listens("more")), hooked.now_ms)
    refused = hooked.one(c.PutJobs((one_more,), hooked.now_ms))
    assert refused.code == Code.INVALID
    assert refused.detail.startswith("21 triggers would wait for hook default/deploys, 20 may")
    assert refused.value is not None
    assert refused.value["pointer"] == "/triggers"
    assert len(told(hooked.one(delivery(hooked)))) == TRIGGERS_MAX


def test_a_hook_that_a_job_waits_for_stays(hooked: Story) -> None:
    hooked.put(listens("a"))
    assert hooked.apply(gone=[("hook", "default", "deploys")]).code == Code.REFERRED


@pytest.mark.parametrize(("overlap", "busy", "taken"), [
    ("queue_one", 0, True), ("queue_one", 1, False), ("queue_all", 1, True), ("queue_all", 100, False),
])  # fmt: skip
def test_two_triggers_of_one_job_take_it_both_or_neither(
    hooked: Story, overlap: str, busy: int, taken: bool
) -> None:
    triggers = [{"webhook": "deploys", "id": each, "overlap": overlap} for each in "tu"]
    hooked.put(job("a", trigger=triggers))
    for _ in range(busy):
        hooked.tell_ok(c.RunJob("default", "a", b"{}", hooked.now_ms))
    if busy > 1:  # all but the first wait: there is room for one
        hooked.store.write("UPDATE runs SET waiting = 1 WHERE id > 1")
    outcome = hooked.one(delivery(hooked))
    assert outcome.ok is taken, outcome
    assert runs(hooked, "a")[busy:] == (["t/d1", "u/d1"] if taken else [])
    assert entries(hooked) == []


def test_more_triggers_than_a_queue_ever_takes_end_as_it_says(hooked: Story) -> None:
    triggers = [{"webhook": "deploys", "id": each, "overlap": "queue_one"} for each in "tuv"]
    hooked.put(job("a", trigger=triggers))
    firings = told(hooked.one(delivery(hooked)))
    assert [firing[2] for firing in firings] == ["", "", "skipped"], "or nobody ever took it"
