"""The golden story of routes: who is told together, later, instead, or not at all."""

from __future__ import annotations

from scheduler.model.objects.parsing import parse_document, prepare_document
from scheduler.words import commands as c
from tests.golden.log import Recorder
from tests.scheduler.story import job

ADA = c.Actor("ada", "10.0.0.7", False)


def routing(story: Recorder) -> None:
    """Who is told by routes: together, muted, seen, and others where nobody says that they saw it."""
    minute_ms = 60_000
    way = {"route": "loud", "on": ["failed", "recovered"], "match": {"jobs": ["routed"]}, "to": ["ops"]}
    story.apply(
        {"channel": "ops", "email": ["ops@example.org"]},
        {"channel": "boss", "webhook": "https://hooks.example.org/boss"},
        {**way, "escalate": {"after": "30m", "to": ["boss"]}, "most": {"n": 2, "per": "10m"}},
        {**way, "namespace": "far", "to": ["default/boss"], "digest": "1m", "everywhere": True},
    )
    notify = [{"on": ["failed"], "channel": "default/boss"}]
    story.apply({"job": "routed", "namespace": "far", "noop": True, "notify": notify})
    story.put(job("routed"))
    story.disconnect(story.connect("knows-less", kinds=("noop",)))

    def fail() -> int:
        story.tell_ok(c.RunJob("default", "routed", b"{}", story.now_ms))
        story.settle(exit_code=1)
        return story.machine.state.last_effect

    story.tell_ok(c.RunJob("far", "routed", b"{}", story.now_ms))
    story.settle(exit_code=1)
    story.tell_ok(c.ReportUnsent(story.machine.state.last_effect, 1, "refused"))
    first = fail()
    story.tell_ok(c.ReportUnsent(first, 1, "refused"), c.ReportSent(first))
    story.tell_ok(c.AcknowledgeEffect(first - 1, None, "", ADA))
    for _ in range(3):
        fail()
    story.tell_ok(c.Mute("default", "routed", "failed", story.now_ms + minute_ms, "known", ADA))
    mute = story.machine.state.idx
    fail()
    story.tell_ok(c.Unmute(mute, ADA))
    for minutes in (1, 10, 30):
        story.now_ms += minutes * minute_ms
        story.settle()
    story.tell_ok(c.TellChannel("default", "ops", "test", b'{"about":"test"}', ADA))
    story.tell(c.TellTogether(story.epoch, first), c.Escalate(story.epoch, first), c.Unmute(mute, ADA))
    story.apply(gone=[("route", "default", "loud"), ("route", "far", "loud")])
    _staged(story)


def _staged(story: Recorder) -> None:
    """A route that is put by a stage counts there for its namespace."""
    documents = (
        {"channel": "staged", "email": ["a@example.org"]},
        {"route": "staged", "on": ["failed"], "to": ["staged"]},
    )
    prepared = [prepare_document(parse_document(each), story.now_ms) for each in documents]
    objects = tuple(each for each in prepared if isinstance(each, c.PreparedObject))
    story.tell_ok(c.StageSlice("routes", 0, objects, (), (), story.now_ms, ADA, b"r"))
    story.tell_ok(c.CommitStage("routes", 1, ADA))
    while commands := [each for each in story.plan() if isinstance(each, c.AdvanceStage)]:
        story.tell_ok(*commands)
