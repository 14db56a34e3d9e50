"""A restore in the midst of a fan-out: what members had come to before it, what agents tell that they came to
since, who is given up; the join fires once, and nobody does anything twice."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.store.tables import fanouts
from scheduler.words import commands as c
from scheduler.words import events as e
from tests.scheduler.machine.test_fanout import assigned, closed, end, members, placed, whole
from tests.scheduler.machine.test_restores import HOLD_MS, ran, restore, tell
from tests.scheduler.story import Story, job

MEMBERS, AT_A_TIME = 11, 4
DONE, FAILED, RUNS, GIVEN, BEHIND, LAST = "0", "1", "2", "3", "4", "10"
"""In the backup: two have ended, one runs, one is given to an agent and not granted, the others wait."""


def joined(story: Story) -> list[e.MembersJoined]:
    """The verdicts that are told of from now on."""
    found: list[e.MembersJoined] = []
    enter = story.enter

    def noted(*frames: bytes) -> Any:
        entry = enter(*frames)
        found.extend(event for event in story.events if isinstance(event, e.MembersJoined))
        return entry

    story.enter = noted  # type: ignore[method-assign]  # of this story alone
    return found


def begun(story: Story, join: Any, policies: dict[str, Any]) -> int:
    story.connect()
    many = {"run": "x", "fanout": {"n": MEMBERS, "max_parallel": AT_A_TIME}, "join": join}
    last = {"noop": True, "needs": ["many"], "rule": "all_done"}
    story.put(job(tasks={"many": many, "last": last}, policies=policies))
    run = int(story.value(c.RunJob("default", "j", b"{}", story.now_ms), "run"))
    placed(story)
    end(story, DONE)
    end(story, FAILED, exit_code=1)
    assert story.claim(assigned(story)[RUNS]).ok
    assert members(story, run)[GIVEN] == "active"
    return run


def at_work(story: Story) -> list[str]:
    return [member for member in assigned(story) if member]


@pytest.mark.parametrize("join", ["any", 3, "60%", 10])
@pytest.mark.parametrize("policies", [{}, {"on_lost": "retry", "idempotent": True}], ids=["once", "again"])
@pytest.mark.parametrize("goes_on", [False, True], ids=["over", "at work"])
def test_a_join_fires_once_and_nobody_works_twice(
    story: Story, join: Any, policies: dict[str, Any], *, goes_on: bool
) -> None:
    """Since the backup the one that ran has ended, the one that was given has run, and so has the last, which
    had no turn; one of them may still be at work."""
    told = joined(story)
    run = begun(story, join, policies)
    running = assigned(story)[RUNS]
    restore(story)
    of = {"task": "many"}
    tell(
        story,
        ran(running, run, member=RUNS, **of),
        ran(900, run, member=GIVEN, **of),
        ran(901, run, member=LAST, ended=not goes_on, **of),
    )
    now = members(story, run)
    assert [now[each] for each in (DONE, FAILED, GIVEN)] == ["succeeded", "failed", "succeeded"]
    assert now[LAST] == ("active" if goes_on else "succeeded")
    story.now_ms += HOLD_MS + 1
    story.connect(session="s2", held=((901, "running"),) if goes_on else ())
    placed(story)
    assert len(at_work(story)) <= AT_A_TIME, "one that had its turn here, and did nothing, gave it up"
    for member in [each for each in at_work(story) if each != LAST][:1]:
        end(story, member)
        placed(story)
        assert len(at_work(story)) <= AT_A_TIME
    for _ in range(30):
        story.settle()
        for attempt in assigned(story).values():  # its join can be met no more
            assert story.finish(attempt, exit_code=None, reason="cancelled").ok
        story.now_ms += 1_000
    assert story.run(run).finished_ms is not None, members(story, run)
    twice = story.store.rows(
        "SELECT t.member FROM attempts a JOIN tasks t ON t.id = a.task WHERE t.member <> ''"
        " AND a.fence IS NOT NULL GROUP BY 1 HAVING count(*) > 1"
    )
    assert twice == [], "nobody did it twice"
    now = members(story, run)
    assert (now[RUNS], now[GIVEN]) == ("succeeded", "succeeded")
    assert now[LAST] in (("succeeded", "cancelled") if goes_on else ("succeeded",))
    assert now[BEHIND] in ("succeeded" if policies else "expired", "cancelled")
    assert len(told) == 1, "the join fires once"
    row = fanouts.get(story.store, whole(story, run).id)
    assert row is not None
    by_state = [now[str(place)] for place in range(MEMBERS)]
    assert (row.succeeded, row.ended) == (by_state.count("succeeded"), MEMBERS)
    enough = {"any": 1, 3: 3, "60%": 7, 10: 10}[join]
    if now[""] == "succeeded":
        assert by_state.count("succeeded") >= enough
    closed(story, run)
