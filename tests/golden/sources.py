"""The golden story of sources: one goes live, is edited by hand, refused, asked for, deleted."""

from __future__ import annotations

import msgspec

from scheduler.store.tables import sources
from scheduler.words import commands as c
from tests.golden.log import Recorder

ANN = c.Actor("ann", "10.0.0.7")
OWNER = sources.owner("default", "prd")


def owned(story: Recorder) -> None:
    nightly = {"job": "from-source", "run": "./report"}
    story.apply({"source": "prd", "folder": "/srv/jobs", "drift": "tell"}, actor=ANN)
    story.tell_ok(c.SyncSource("default", "prd", True, None, ANN))
    story.tell_ok(c.SyncSource("default", "prd"))
    story.tell(c.SyncSource("default", "absent"))
    story.apply(nightly, {"vars": "from-source", "values": {"A": "1"}}, source=OWNER)
    index = story.machine.state.idx
    live = c.ReportSource("default", "prd", 1, sources.SYNCED, "abc", index, 2, "abc", created=2, answers=1)
    story.tell_ok(live)
    story.apply({**nightly, "run": "./mine"}, actor=ANN)
    drift = (("job", "default", "from-source", "otherwise"),)
    story.tell_ok(_as(live, state=sources.DRIFTED, drift=drift, drifted=1))
    story.apply({"source": "prd", "folder": "/srv/jobs"}, actor=ANN)
    story.tell(live)
    story.apply(nightly, source="by-hand")
    story.apply(gone=[("job", "default", "from-source")])
    wrong = ("a.yaml:1:1: no",)
    story.tell_ok(_as(live, of_revision=2, state=sources.REFUSED, detail="no", problems=wrong))
    again = _as(live, of_revision=2, revision="def", seen="def", changed=1, deleted=1, live_idx=index + 1)
    story.tell_ok(again)
    story.apply({"source": "other", "namespace": "web", "folder": "/srv/web"})
    story.tell_ok(c.SyncSource("web", "other", prune_max=3))
    story.apply(gone=[("source", "default", "prd"), ("source", "web", "other")])
    story.apply(gone=[("job", "default", "from-source"), ("vars", "default", "from-source")])


def _as(report: c.ReportSource, **changes: object) -> c.ReportSource:
    return msgspec.structs.replace(report, **changes)
