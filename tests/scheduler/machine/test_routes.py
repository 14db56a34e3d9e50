"""Routes, channels, mutes, digests, floods, acknowledgements, escalation, and receivers that fail."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scheduler.machine import effects
from scheduler.machine.rules import route_counts, sending
from scheduler.store.reads import outbox as outbox_reads
from scheduler.store.tables import outbox
from scheduler.store.tables.outbox import STATES, Effect
from scheduler.words import commands as c
from scheduler.words import events as e
from scheduler.words.outcomes import Code
from tests.scheduler.story import Story, job

OPS, BOSS, HOOK = "ops@example.org", "boss@example.org", "https://hooks.example.org/a"
MINUTE_MS = 60_000
ANN = c.Actor("ann")
CHANNELS = (
    {"channel": "ops", "email": [OPS]},
    {"channel": "boss", "email": [BOSS]},
    {"channel": "hook", "webhook": HOOK},
)


def rows(story: Story, *states: str) -> list[Effect]:
    return outbox_reads.page(story.store, after=0, limit=100_000, states=states or STATES, namespaces=None)


def ok(story: Story, *documents: dict[str, Any], **fields: Any) -> None:
    outcome = story.apply(*documents, **fields)
    assert outcome.ok, outcome


def fail(story: Story, name: str = "j", *, times: int = 1, namespace: str = "default") -> None:
    for _ in range(times):
        story.tell(c.RunJob(namespace, name, b"{}", story.now_ms))
        story.settle(exit_code=1)


@pytest.fixture
def told(story: Story) -> Story:
    story.connect()
    ok(story, *CHANNELS)
    story.put(job("j"))
    return story


def route(**fields: Any) -> dict[str, Any]:
    return {"route": "r", "on": ["failed"], "to": ["ops"], **fields}


def test_a_route_tells_of_jobs_that_say_nothing(told: Story) -> None:
    ok(told, route(to=["ops", "hook"]))
    fail(told)

    assert [(row.kind, row.target, row.channel, row.route) for row in rows(told)] == [
        ("email", OPS, "default/ops", "default/r"), ("webhook", HOOK, "default/hook", "default/r"),
    ]  # fmt: skip
    ok(told, route(enabled=False))
    fail(told)
    assert len(rows(told)) == 2
    ok(told, route(on=["recovered"]))
    told.tell(c.RunJob("default", "j", b"{}", told.now_ms))
    told.settle()
    assert [row.about for row in rows(told)] == ["failed", "failed", "recovered"]
    ok(told, gone=[("route", "default", "r")])
    fail(told)
    assert len(rows(told)) == 3


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        ({"jobs": ["j*"]}, True), ({"jobs": ["k*", "regex:[jk]"]}, True), ({"jobs": ["k*"]}, False),
        ({"labels": {"team": "da*"}}, True), ({"labels": {"team": "data", "tier": "1"}}, False),
        ({"owners": ["data-*"]}, True), ({"owners": ["ops"]}, False),
        ({"criticality": ["major", "critical"]}, True), ({"criticality": ["minor"]}, False),
        ({"jobs": ["j"], "owners": ["ops"]}, False),
    ],
)  # fmt: skip
def test_of_which_jobs_it_is(told: Story, match: dict[str, Any], fits: bool) -> None:
    told.put(job("j", labels={"team": "data"}, owner="data-oncall", criticality="major"))
    ok(told, route(match=match))
    fail(told)

    assert bool(rows(told)) is fits


def test_a_route_is_of_its_namespace_or_of_all(told: Story) -> None:
    told.put(job("far", namespace="web"))
    ok(told, route())
    fail(told, "far", namespace="web")
    assert rows(told) == []

    ok(told, route(everywhere=True))
    fail(told, "far", namespace="web")
    assert [(row.namespace, row.target) for row in rows(told)] == [("web", OPS)]


def test_there_are_no_routes_that_are_never_asked(told: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route_counts, "ROUTES_MAX", 2)

    def names(*names: str, **fields: Any) -> list[dict[str, Any]]:
        return [route(route=name, **fields) for name in names]

    refused = told.apply(*names("a", "b", "c"))
    assert (refused.code, refused.detail) == (
        Code.QUOTA, "there would be 3 routes of namespace default; 2 are the most",
    )  # fmt: skip
    ok(told, *names("a", "b"))
    ok(told, *names("a", "b", on=["late"]))
    refused = told.apply(*names("c"))
    assert refused.code == Code.QUOTA
    ok(told, *names("c"), gone=[("route", "default", "a")])
    ok(told, *names("c", "d", everywhere=True))
    assert told.apply(*names("e", everywhere=True)).detail == (
        "there would be 3 routes of all namespaces; 2 are the most"
    )
    ok(told, *names("e"))
    assert told.apply(*names("d")).code == Code.QUOTA, "it would be one of the namespace again"


def test_nobody_hears_of_the_same_twice_and_a_job_may_name_a_channel(told: Story) -> None:
    told.put(job("k"))
    ok(told, {"job": "j", "noop": True, "notify": [{"on": ["failed"], "channel": "ops"}]}, route())
    fail(told)

    assert [(row.target, row.channel, row.route) for row in rows(told)] == [(OPS, "default/ops", "")]
    gone = told.apply(gone=[("channel", "default", "ops")])
    assert not gone.ok


def test_who_changes_a_channel_changes_it_for_what_comes_after(told: Story) -> None:
    ok(told, route())
    fail(told)
    ok(told, {"channel": "ops", "email": ["new@example.org"]})
    fail(told)

    assert [row.target for row in rows(told)] == [OPS, "new@example.org"]


def test_a_digest_is_one_effect_of_all_that_came_since_the_first(told: Story) -> None:
    ok(told, route(digest="1h"))
    fail(told, times=3)
    assert {row.state for row in rows(told)} == {"gathered"}
    assert told.machine.state.outbox_waiting == 3
    told.now_ms += 59 * MINUTE_MS
    fail(told)
    assert rows(told, "waiting") == []
    told.now_ms += MINUTE_MS
    told.plan_and_apply()

    (one,) = rows(told, "waiting")
    facts = json.loads(one.payload)
    assert (one.about, facts["count"], facts["by"]) == ("digest", 4, {"failed": 4})
    assert [item["job"] for item in facts["items"]] == ["j"] * 4
    assert {row.reason for row in rows(told, "together")} == {f"told together with others, in {one.id}"}
    assert told.machine.state.outbox_waiting == 1
    fail(told)
    (later,) = rows(told, "gathered")
    assert later.next_ms == told.now_ms + 60 * MINUTE_MS


def test_of_very_many_each_effect_has_some_and_none_is_lost(told: Story) -> None:
    ok(told, route(digest="1m"))
    fail(told, times=130)
    told.now_ms += MINUTE_MS
    while told.plan_and_apply():
        pass

    counts = [json.loads(row.payload)["count"] for row in rows(told, "waiting")]
    assert counts == [100, 30]


def test_a_flood_is_told_together_once_so_many_were_told(told: Story) -> None:
    ok(told, route(most={"n": 2, "per": "10m"}))
    first_ms = told.now_ms
    fail(told, times=5)

    assert [row.state for row in rows(told)] == ["waiting", "waiting", "gathered", "gathered", "gathered"]
    assert {row.next_ms for row in rows(told, "gathered")} == {first_ms + 10 * MINUTE_MS}
    told.now_ms = first_ms + 10 * MINUTE_MS
    told.plan_and_apply()
    assert [row.about for row in rows(told, "waiting")] == ["failed", "failed", "digest"]


def test_a_job_that_fails_each_second_fills_no_box(told: Story) -> None:
    told.put(job("j", notify=[{"on": ["failed"], "email": [OPS]}]))
    fail(told, times=62)

    assert len(rows(told, "waiting")) == 60
    assert len(rows(told, "gathered")) == 2


@pytest.mark.parametrize(
    ("muted", "covers"),
    [
        (("", "", ""), True), (("default", "", ""), True), (("default", "j", ""), True),
        (("default", "j", "failed"), True), (("default", "", "late"), False), (("web", "", ""), False),
        (("default", "k", ""), False),
    ],
)  # fmt: skip
def test_a_mute_keeps_back_what_it_is_of_until_its_end(
    told: Story, muted: tuple[str, str, str], covers: bool
) -> None:
    ok(told, route())
    told.tell_ok(c.Mute(*muted, told.now_ms + MINUTE_MS, "the disk is changed", ANN))
    fail(told)

    (row,) = rows(told)
    assert row.state == ("muted" if covers else "waiting")
    assert row.reason == ("muted by ann: the disk is changed" if covers else "")
    told.now_ms += MINUTE_MS
    fail(told)
    assert rows(told)[-1].state == "waiting"


def test_a_mute_may_be_ended(told: Story) -> None:
    ok(told, route())
    number = int(told.value(c.Mute("default", "", "", told.now_ms + MINUTE_MS, "", ANN), "mute"))
    told.tell_ok(c.Unmute(number, ANN))
    assert told.one(c.Unmute(number, ANN)).code == Code.NOT_FOUND
    fail(told)

    assert [row.state for row in rows(told)] == ["waiting"]


def test_a_mute_has_an_end_and_is_of_something(told: Story) -> None:
    now_ms = told.now_ms
    for mute, code in [
        (c.Mute("default", "", "", now_ms), Code.INVALID),
        (c.Mute("default", "", "", now_ms + effects.MUTE_MS_MAX + 1), Code.INVALID),
        (c.Mute("default", "", "nothing", now_ms + 1), Code.INVALID),
        (c.Mute("", "j", "", now_ms + 1), Code.INVALID),
    ]:
        assert told.one(mute).code == code
    for _ in range(effects.MUTES_MAX):
        told.tell_ok(c.Mute("default", "", "late", now_ms + 1_000))
    assert told.one(c.Mute("default", "", "", now_ms + 1_000)).code == Code.LIMIT


def test_silence_is_escalated_and_who_saw_it_stops_that(told: Story) -> None:
    ok(told, route(escalate={"after": "30m", "to": ["boss"]}))
    fail(told)
    (first,) = rows(told)
    told.tell_ok(c.ReportSent(first.id))
    told.now_ms += 30 * MINUTE_MS
    told.plan_and_apply()

    (second,) = rows(told, "waiting")
    facts = json.loads(second.payload)
    assert (second.target, second.about, facts["escalated"]) == (BOSS, "failed", first.id)
    assert facts["silent_ms"] == 30 * MINUTE_MS
    fail(told)
    third = rows(told, "waiting")[-1]
    told.tell_ok(c.AcknowledgeEffect(third.id, None, "on it", ANN))
    told.now_ms += 60 * MINUTE_MS
    assert not [each for each in told.plan() if isinstance(each, c.Escalate)]
    assert (rows(told)[-1].actor, len(rows(told))) == ("ann", 3)


def test_who_was_told_by_another_way_has_seen_it_too(told: Story) -> None:
    ok(told, route(to=["ops", "hook"], escalate={"after": "30m", "to": ["boss"]}))
    fail(told)
    first, second = rows(told)
    told.tell_ok(c.AcknowledgeEffect(second.id, None, "", ANN))

    assert outbox.next_escalation_ms(told.store) is None
    assert [row.actor for row in rows(told)] == ["ann", "ann"]
    assert (first.run, first.about) == (second.run, second.about)


def flood(story: Story, times: int = 12) -> Effect:
    """Of so many failures two are told one by one, the rest in a digest."""
    ok(story, route(most={"n": 2, "per": "10m"}, escalate={"after": "30m", "to": ["boss"]}))
    fail(story, times=times)
    story.now_ms += 10 * MINUTE_MS
    story.plan_and_apply()
    return rows(story, "waiting")[-1]


def test_of_a_flood_nobody_is_told_one_by_one_by_escalation_either(told: Story) -> None:
    digest = flood(told)
    told.tell_ok(c.ReportSent(digest.id))
    told.now_ms += 20 * MINUTE_MS
    told.plan_and_apply()
    assert [row.about for row in rows(told) if row.target == BOSS] == ["failed", "failed"]
    told.now_ms += 10 * MINUTE_MS
    told.plan_and_apply()
    (*_, last) = [row for row in rows(told) if row.target == BOSS]
    facts = json.loads(last.payload)
    assert (last.about, facts["count"], facts["escalated"]) == ("digest", 10, digest.id)
    assert outbox.next_escalation_ms(told.store) is None


def test_who_saw_a_digest_saw_each_notice_in_it(told: Story) -> None:
    digest = flood(told)
    refused = told.one(c.AcknowledgeEffect(digest.id, told.now_ms + MINUTE_MS, "", ANN))
    assert (refused.code, refused.detail.split(":")[0]) == (Code.INVALID, "a digest is not of one job")
    for seen in (1, 2, digest.id):
        told.tell_ok(c.AcknowledgeEffect(seen, None, "", ANN))
    assert {row.actor for row in rows(told)} == {"ann"}
    told.now_ms += 60 * MINUTE_MS
    assert not [each for each in told.plan() if isinstance(each, c.Escalate)]


def test_of_a_digest_of_what_is_over_nobody_is_told(told: Story) -> None:
    flood(told)
    told.tell(c.RunJob("default", "j", b"{}", told.now_ms))
    told.settle()
    told.now_ms += 30 * MINUTE_MS
    told.plan_and_apply()
    assert {row.target for row in rows(told)} == {OPS}


def test_whom_several_leave_waiting_is_told_once(told: Story) -> None:
    ok(told, {"channel": "ops", "email": [OPS, "night@example.org"]})
    ok(told, route(to=["ops", "hook"], escalate={"after": "30m", "to": ["boss"]}))
    fail(told)
    told.now_ms += 30 * MINUTE_MS
    told.plan_and_apply()
    assert len([row for row in rows(told) if row.target == BOSS]) == 1


def test_a_route_that_tells_nobody_any_more_does_not_escalate(told: Story) -> None:
    tells = {"escalate": {"after": "30m", "to": ["boss"]}}
    ok(told, route(**tells))
    fail(told)
    ok(told, route(enabled=False, **tells))
    told.now_ms += 30 * MINUTE_MS
    told.plan_and_apply()
    assert [row.target for row in rows(told)] == [OPS]


def test_what_is_over_by_itself_is_not_escalated(told: Story) -> None:
    ok(told, route(escalate={"after": "30m", "to": ["boss"]}))
    fail(told)
    told.tell(c.RunJob("default", "j", b"{}", told.now_ms))
    told.settle()
    told.now_ms += 30 * MINUTE_MS
    told.plan_and_apply()

    assert [row.target for row in rows(told)] == [OPS]


def test_an_acknowledgement_may_keep_back_the_same_for_a_while(told: Story) -> None:
    ok(told, route())
    fail(told)
    told.tell_ok(c.AcknowledgeEffect(1, told.now_ms + MINUTE_MS, "known", ANN))
    fail(told)
    told.now_ms += MINUTE_MS
    fail(told)

    assert [row.state for row in rows(told)] == ["waiting", "muted", "waiting"]


def test_what_was_sent_is_kept_for_a_time_and_its_words_go(told: Story) -> None:
    ok(told, route())
    fail(told)
    told.tell_ok(c.ReportSent(1))
    assert told.one(c.ReportSent(1)).code == Code.SUPERSEDED

    (row,) = rows(told)
    assert (row.state, row.payload, told.machine.state.outbox_waiting) == ("sent", b"{}", 0)
    told.now_ms += sending.KEPT_MS + 1_000
    told.tell_ok(c.Sweep(told.epoch, 0, 100))
    assert rows(told) == []


def test_only_the_newest_of_what_was_sent_is_kept(told: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "TOLD_MAX", 5)
    ok(told, route(to=["hook"]))
    fail(told, times=5)
    for effect in range(2, 6):
        told.tell_ok(c.ReportSent(effect))
    fail(told, times=3)
    assert [row.id for row in rows(told)] == [1, 4, 5, 6, 7, 8]
    told.tell_ok(c.ReportSent(1))
    assert [row.id for row in rows(told)] == [4, 5, 6, 7, 8]


def test_a_receiver_that_fails_is_told_once_and_when_it_is_back(told: Story) -> None:
    ok(told, route())
    fail(told)
    events = []
    for attempt in range(1, effects.FAILING + 3):
        told.tell_ok(c.ReportUnsent(1, attempt, "connection refused"))
        events += told.told(e.ReceiverFailing)
        told.now_ms += 1_000
    told_of = [(each.effect, each.channel, each.failures) for each in events]
    assert told_of == [(1, "default/ops", effects.FAILING)]
    (failing,) = outbox_reads.failing(told.store, None, effects.FAILING, 10)
    assert (failing.target, failing.failures) == (OPS, effects.FAILING + 2)
    assert failing.reason == "connection refused"

    told.tell_ok(c.ReportSent(1))
    assert isinstance(told.events[-1], e.ReceiverRecovered)
    assert outbox_reads.failing(told.store, None, 1, 10) == []


def test_a_person_has_a_channel_told(told: Story) -> None:
    facts = json.dumps({"about": "test", "of": "test"}).encode()
    value = told.value(c.TellChannel("default", "hook", "test", facts, ANN), "effects")

    (row,) = rows(told)
    assert (value, row.about, row.target) == ([row.id], "test", HOOK)
    assert told.one(c.TellChannel("default", "none", "test", facts)).code == Code.NOT_FOUND
    assert told.one(c.TellChannel("default", "hook", "failed", facts)).code == Code.INVALID
