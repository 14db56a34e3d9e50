"""The golden story of templates: jobs follow an edit in steps; one of an earlier edit comes too late."""

from __future__ import annotations

from scheduler.words import commands as c
from tests.golden.log import Recorder


def templates_change(story: Recorder) -> None:
    gives = {"noop": True, "policies": {"priority": 40}}
    jobs = [{"job": f"extending-{number:02}", "extends": "shared"} for number in range(23)]
    other = {"template": "other", "namespace": "web"}
    story.apply({"template": "shared", "gives": gives}, {**other, "gives": gives}, *jobs)
    story.apply({**other, "gives": {"run": "x"}})
    story.apply({"template": "shared", "gives": {**gives, "policies": {"priority": 41}}})
    late = [each for each in story.plan() if isinstance(each, c.FollowTemplate)]
    story.apply({"template": "shared", "gives": {**gives, "policies": {"priority": 42}}})
    story.tell(*late)
    while steps := [each for each in story.plan() if isinstance(each, c.FollowTemplate)]:
        story.tell_ok(*steps)
    story.apply({"template": "shared", "gives": {**gives, "vars": ["not-there"]}})  # which none can follow
    while steps := [each for each in story.plan() if isinstance(each, c.FollowTemplate)]:
        story.tell_ok(*steps)
    story.apply({"job": "later", "namespace": "web", "extends": "other"})
    story.now_ms += 1_000
    story.apply({**other, "gives": {"run": "x", "vars": ["not-there"]}})
    story.tell(*[each for each in story.plan() if isinstance(each, c.FollowTemplate)])
    story.apply(gone=[("template", "default", "shared")])
    gone = [("job", "default", str(each["job"])) for each in jobs]
    story.apply(gone=[("template", "default", "shared"), *gone])
