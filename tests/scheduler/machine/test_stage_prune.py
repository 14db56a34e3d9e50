"""Staged applies that delete what their source no longer names, and those that say what they would do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scheduler.machine.rules import route_counts
from scheduler.machine.steps import checking
from scheduler.words import commands as c
from scheduler.words.outcomes import Outcome
from scheduler.words.record import Actor
from tests.scheduler.machine.test_stages import (
    SECONDLY,
    VARS,
    a_slice,
    advance,
    narrow,
    problems,
    row,
    stage,
    until,
)
from tests.scheduler.story import Story, job

__all__ = ["narrow"]


def owned(story: Story, *names: str, **fields: Any) -> None:
    """Jobs of the source."""
    assert story.apply(*map(job, names), source="git", **fields).ok


def commit(story: Story, *documents: dict[str, Any], **fields: Any) -> Outcome:
    """What is laid down of the source, committed so."""
    fields = {"prune": True, **fields}
    actor = fields.get("actor", Actor())
    assert a_slice(story, 0, *documents, source="git", actor=actor).ok
    return story.one(c.CommitStage("s", 1, **fields))


def live(story: Story) -> list[str]:
    rows = story.store.rows("SELECT name FROM jobs UNION ALL SELECT name FROM objects ORDER BY name")
    return [row[0] for row in rows]


def test_what_its_source_owns_and_did_not_name_goes_with_it(narrow: Story) -> None:
    narrow.put(job("foreign"))
    assert narrow.apply(VARS, job("a", vars=["dsn"]), job("b"), job("c"), source="git").ok
    assert commit(narrow, job("b", description="new"), job("d")).ok
    done = until(narrow, "done")
    assert live(narrow) == ["b", "d", "foreign"]
    assert done.counts == {"job": {"deleted": 2, "changed": 1, "created": 1}, "vars": {"deleted": 1}}
    assert (done.owned, done.pruned) == (4, 3)
    told = json.loads(done.names)["deleted"]
    assert told == [["job", "default", "a"], ["job", "default", "c"], ["vars", "default", "dsn"]]
    assert narrow.store.value("SELECT count(*) FROM staged") == 0


def test_more_than_half_goes_only_when_it_is_said(narrow: Story) -> None:
    owned(narrow, *(f"j{place}" for place in range(12)))
    assert commit(narrow, job("j0")).ok
    refused = until(narrow, "refused")
    (problem,) = json.loads(refused.problems)
    assert problem["code"] == "limit"
    assert problem["detail"] == (
        "11 of the 12 that source 'git' owns would be deleted, 6 at most."
        " If that is meant, say so: prune_max=11, on the command line --prune-max 11."
    )
    while narrow.plan_and_apply():
        pass
    assert len(live(narrow)) == 12
    assert a_slice(narrow, 0, job("j0"), source="git", stage="t").ok
    narrow.tell_ok(c.CommitStage("t", 1, prune=True, prune_max=11))
    while row(narrow, "t").state != "done":
        narrow.plan_and_apply()
    assert live(narrow) == ["j0"]


def test_what_its_actor_may_not_edit_is_not_pruned(narrow: Story) -> None:
    owned(narrow, "a", "b")
    assert commit(narrow, job("a"), prune_in=("other",), actor=Actor("ada")).ok
    (problem,) = json.loads(until(narrow, "refused").problems)
    assert problem["code"] == "not_allowed"
    assert problem["detail"] == "source 'git' owns what is in namespace default, where ada may not edit"


def test_who_still_refers_to_what_is_pruned_stands_in_the_way(narrow: Story) -> None:
    assert narrow.apply(VARS, job("a"), source="git").ok
    narrow.put(job("foreign", vars=["dsn"]))
    assert commit(narrow, job("a")).ok
    until(narrow, "refused")
    assert problems(narrow) == [("dsn", "referred")]


@pytest.mark.parametrize("is_last_foreign", [False, True])
def test_of_very_many_referrers_each_is_looked_at(
    narrow: Story, is_last_foreign: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "REFERRERS_A_LOOK", 2)
    names = [f"j{place}" for place in range(5)]
    assert narrow.apply(VARS, *(job(name, vars=["dsn"]) for name in names), source="git").ok
    if is_last_foreign:
        narrow.put(job("z", vars=["dsn"]))
    assert commit(narrow, *map(job, names)).ok
    until(narrow, "refused" if is_last_foreign else "done")
    assert live(narrow) == ["dsn", *names, "z"] if is_last_foreign else names


def test_the_quota_has_room_for_as_many_as_are_pruned(narrow: Story) -> None:
    owned(narrow, "a", "b")
    narrow.tell_ok(c.PutNamespace("default", b"{}", jobs_max=2))
    assert commit(narrow, job("b"), job("c")).ok
    until(narrow, "done")
    assert live(narrow) == ["b", "c", "default"]


def test_a_dry_run_says_what_would_change_and_changes_nothing(narrow: Story) -> None:
    owned(narrow, "kept", "changed", "gone")
    before = narrow.store.rows("SELECT * FROM jobs ORDER BY id")
    assert commit(narrow, job("kept"), job("changed", description="new"), job("made"), dry_run=True).ok
    advance(narrow)
    narrow.put(job("meanwhile"))  # nobody waits for it
    narrow.tell_ok(c.DeleteJob("default", "meanwhile"))
    judged = until(narrow, "judged")
    assert judged.counts == {"job": dict.fromkeys(("unchanged", "changed", "created", "deleted"), 1)}
    assert json.loads(judged.names) == {
        "changed": [["job", "default", "changed"]], "created": [["job", "default", "made"]],
        "deleted": [["job", "default", "gone"]],
    }  # fmt: skip
    assert narrow.store.rows("SELECT * FROM jobs ORDER BY id") == before
    while narrow.plan_and_apply():
        pass
    assert narrow.store.value("SELECT count(*) FROM staged") == 0
    assert narrow.store.value("SELECT count(*) FROM staged_asks") == 0


def test_a_dry_run_says_what_is_in_the_way(narrow: Story) -> None:
    narrow.tell_ok(c.PutNamespace("default", b"{}", jobs_max=1))
    assert commit(narrow, job("a"), job("b"), dry_run=True).ok
    until(narrow, "refused")
    assert problems(narrow) == [("", "quota")]


def test_what_a_dry_run_would_delete_may_go_meanwhile(narrow: Story) -> None:
    owned(narrow, "a", "b")
    assert commit(narrow, job("a"), dry_run=True).ok
    while row(narrow).walked is not None:
        advance(narrow)
    narrow.tell_ok(c.DeleteJob("default", "b"))
    assert until(narrow, "judged").counts == {"job": {"unchanged": 1}}


def test_dry_runs_go_beside_what_goes_live_and_each_counts_for_itself(narrow: Story) -> None:
    narrow.tell_ok(c.LimitTicks(100, 1, 100))
    for name in ("dry", "live"):
        assert a_slice(narrow, 0, job(name, trigger=SECONDLY), stage=name).ok
    narrow.tell_ok(c.CommitStage("dry", 1, dry_run=True), c.CommitStage("live", 1))
    assert narrow.one(c.CommitStage("dry", 1)).code == "conflict"
    states = {}
    for _ in range(20):
        narrow.plan_and_apply()
        states = {name: row(narrow, name).state for name in ("dry", "live")}
    # That which goes live first: what the other says is of the state behind it.
    assert states == {"dry": "refused", "live": "done"}


@pytest.mark.parametrize("fields", [{"prune": True}, {"prune_max": -1}, {"prune_max": 100_001}])
def test_a_prune_that_means_nothing_is_refused(story: Story, fields: dict[str, Any]) -> None:
    assert a_slice(story, 0, job("a")).ok
    assert story.one(c.CommitStage("s", 1, **fields)).code == "invalid"
    assert row(story).state == "open"


def test_names_are_told_up_to_a_limit(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "NAMES_MAX", 2)
    stage(story, job("a"), job("b"), job("c"))
    done = until(story, "done")
    assert len(json.loads(done.names)["created"]) == 2
    assert done.total("created") == 3


def test_what_is_staged_makes_no_more_routes_than_are_asked(
    narrow: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(route_counts, "ROUTES_MAX", 2)
    told = {"on": ["failed"], "to": ["ops"]}
    channel = {"channel": "ops", "email": ["ops@example.org"]}
    routes = [{"route": name, **told} for name in "abcd"]
    assert narrow.apply(channel, *routes[:2], source="git").ok
    stage(narrow, {**routes[0], "description": "new"}, routes[2])
    (problem,) = json.loads(until(narrow, "refused").problems)
    assert problem["detail"] == "there would be 3 routes of namespace default; 2 are the most"
    everywhere = [{**each, "everywhere": True} for each in routes]
    stage(narrow, *everywhere[1:], name="t")
    while row(narrow, "t").state not in ("refused", "done"):
        narrow.plan_and_apply()
    (problem,) = json.loads(row(narrow, "t").problems)
    assert problem["detail"] == "there would be 3 routes of all namespaces; 2 are the most"
    assert a_slice(narrow, 0, channel, *routes[2:], source="git", stage="u").ok
    narrow.tell_ok(c.CommitStage("u", 1, prune=True))
    while row(narrow, "u").state not in ("refused", "done"):
        narrow.plan_and_apply()
    assert [name for name in live(narrow)] == ["c", "d", "ops"]
