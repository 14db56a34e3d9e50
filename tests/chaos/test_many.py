"""The checker of divided tasks: a clean story passes, each way to go wrong is told; so are locks of members
and of blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chaos.case import Mark
from chaos.checkers import licences, many
from chaos.many import (
    APART,
    APARTS,
    EACH,
    ENTER,
    GUARD,
    HOSTS,
    JOB,
    LEAVE,
    MET,
    RESOURCES,
    SEATS,
    body_of,
    with_members,
)
from chaos.workload import payload
from scheduler.model import parse_job
from tests.chaos.stories import Story, clean, instant

RUN = 9_900


def marked(
    story: Story, task: str, from_s: float, until_s: float | None, *, run: int = RUN, number: int = 1,
    agent: str = "agent-1",
) -> int:  # fmt: skip
    """It works from then to then; gives its fence."""
    fence = run * 1_000 + round(from_s * 100)
    start = Mark("S", JOB, run, str(number), fence, None, agent, from_s, "", "-", task)
    story.marks.append(start)
    if until_s is not None:
        story.marks.append(replace(start, what="E", at_s=until_s))
    return fence


def attempt(task: str, member: str, number: int, state: str, fence: int) -> dict[str, Any]:
    at = {"granted": instant(110), "started": instant(110), "finished": instant(111), "agent": "agent-1"}
    return {
        "id": fence,
        "task": task,
        "member": member,
        "number": number,
        "round": 0,
        "state": state,
        "fence": fence,
        **at,
    }


def told() -> Story:
    """One run: of `each` three members succeed and one fails, two at a time; one host of two was away."""
    story = clean()
    attempts, members = [], []
    for place in range(4):
        from_s = 110.0 + place // 2
        agent = f"agent-{place % 2}"
        fence = marked(story, f"{EACH}/{place}", from_s, from_s + 0.5 + place / 10, agent=agent)
        state = "failed" if place == 1 else "succeeded"
        attempts.append(attempt(EACH, str(place), 1, state, fence))
        members.append({"member": str(place), "state": state})
    hosts = [{"member": "agent-1", "state": "succeeded"}, {"member": "agent-2", "state": "skipped"}]
    attempts.append(
        attempt(HOSTS, "agent-1", 1, "succeeded", marked(story, f"{HOSTS}/agent-1", 110.0, 110.1))
    )
    apart = [{"member": str(place), "state": "succeeded"} for place in range(APARTS)]
    for place in range(APARTS):
        from_s = 111.5 + place // 3 * 0.3
        fence = marked(story, f"{APART}/{place}", from_s, from_s + 0.2, agent=f"agent-{place % 3}")
        attempts.append(attempt(APART, str(place), 1, "succeeded", fence))
    marked(story, ENTER, 110.0, 110.2)
    marked(story, LEAVE, 110.4, 110.5)
    marked(story, MET, 112.0, 112.1)
    counts = {"all": 4, "going": 0, "succeeded": 3, "failed": 1, "skipped": 0}
    whole = {"state": "succeeded", "members": counts, "attempts": []}
    of_hosts = {
        "state": "succeeded",
        "attempts": [],
        "members": {**counts, "all": 2, "succeeded": 1, "failed": 0, "skipped": 1},
    }
    of_apart = {
        "state": "succeeded",
        "attempts": [],
        "members": {**counts, "all": APARTS, "succeeded": APARTS, "failed": 0},
    }
    plain: dict[str, Any] = {
        name: {"state": "succeeded", "members": None, "attempts": []} for name in (MET, ENTER, LEAVE)
    }
    run = {
        "id": RUN,
        "job": JOB,
        "state": "succeeded",
        "finished": instant(113),
        "tasks": {EACH: whole, APART: of_apart, HOSTS: of_hosts, **plain},
    }
    with_members(run, {EACH: members, APART: apart, HOSTS: hosts}, attempts)
    story.final["runs"].append(run)
    for node, events in story.events.items():
        events.append({"t": 112.0, "node": node, "id": "900.0", "event": "members_joined", "task": 7})
    return story


def kinds(story: Story) -> list[str]:
    return sorted({offence.kind for offence in many.check(story.case()).offences})


def test_a_clean_story_passes() -> None:
    found = many.check(told().case())
    assert (found.verdict, found.offences) == ("pass", ())
    assert found.counts == {"divided": 1, "members": 5 + APARTS, "joined": 1}
    assert licences.check(told().case()).verdict == "pass"
    assert many.check(clean().case()).summary == "no task was divided in this load"


def tasks_of(story: Story) -> dict[str, Any]:
    found: dict[str, Any] = next(run for run in story.final["runs"] if run["id"] == RUN)["tasks"]
    return found


def a_member_lacks(story: Story) -> None:
    del tasks_of(story)[f"{EACH}/3"]


def a_member_goes_on(story: Story) -> None:
    tasks_of(story)[f"{HOSTS}/agent-2"]["state"] = "queued"


def it_counts_otherwise(story: Story) -> None:
    tasks_of(story)[HOSTS]["members"]["skipped"] = 0


def it_is_listed_twice(story: Story) -> None:
    run = next(run for run in story.final["runs"] if run["id"] == RUN)
    with_members(run, {EACH: [{"member": "3", "state": "succeeded"}]}, run["tasks"][f"{EACH}/3"]["attempts"])


def it_succeeds_by_nothing(story: Story) -> None:
    tasks_of(story)[f"{EACH}/0"]["attempts"] = []


def it_wrote_no_end(story: Story) -> None:
    story.marks = [mark for mark in story.marks if (mark.task, mark.what) != (f"{HOSTS}/agent-1", "E")]


def three_at_a_time(story: Story) -> None:
    marked(story, f"{EACH}/1", 110.1, 110.3, number=2)


def two_on_one_agent(story: Story) -> None:
    story.marks = [
        replace(mark, agent="agent-1" if mark.task == f"{APART}/0" else mark.agent) for mark in story.marks
    ]


def it_succeeded_with_two(story: Story) -> None:
    tasks_of(story)[f"{EACH}/0"]["state"] = "failed"
    tasks_of(story)[f"{EACH}/0"]["attempts"][0]["state"] = "failed"
    tasks_of(story)[EACH]["members"] |= {"succeeded": 2, "failed": 2}


def it_failed_with_three(story: Story) -> None:
    tasks_of(story)[EACH]["state"] = "failed"


def what_needs_it_twice(story: Story) -> None:
    marked(story, MET, 112.5, 112.6, number=2)


def what_needs_it_early(story: Story) -> None:
    story.marks = [mark for mark in story.marks if mark.task != MET]
    marked(story, MET, 110.9, 110.95)


def two_verdicts(story: Story) -> None:
    story.events["node-1"].append(
        {"t": 113.0, "node": "node-1", "id": "901.0", "event": "members_joined", "task": 7}
    )


def it_is_not_there(story: Story) -> None:
    story.operation(105.0, "divide", "ok", {"job": JOB}, run=RUN + 1)


@pytest.mark.parametrize(
    ("plant", "said"),
    [
        (a_member_lacks, ["joined-without", "other-counts", "other-members"]),
        (a_member_goes_on, ["no-outcome", "other-counts"]),
        (it_counts_otherwise, ["other-counts"]),
        (it_is_listed_twice, ["listed-twice"]),
        (it_succeeds_by_nothing, ["other-outcome"]),
        (it_wrote_no_end, ["phantom"]),
        (three_at_a_time, ["over-parallel"]),
        (two_on_one_agent, ["over-agent"]),
        (it_succeeded_with_two, ["joined-without"]),
        (it_failed_with_three, ["failed-with"]),
        (what_needs_it_twice, ["joined-twice"]),
        (what_needs_it_early, ["joined-early"]),
        (two_verdicts, ["verdict-twice"]),
        (it_is_not_there, ["vanished"]),
    ],
)
def test_what_goes_wrong_is_told(plant: Callable[[Story], None], said: list[str]) -> None:
    story = told()
    plant(story)
    assert kinds(story) == said


def test_locks_of_members_and_of_blocks_are_held_by_as_many_as_may() -> None:
    story = told()
    for number in range(2):
        marked(story, f"{EACH}/{number}", 111.1, 111.3, run=RUN + 1)
    assert [o.detail.partition(" work")[0] for o in licences.check(story.case()).offences] == [
        f"4 with {SEATS}"
    ]
    story = told()
    marked(story, ENTER, 110.25, 110.3, run=RUN + 1)
    assert [o.kind for o in licences.check(story.case()).offences] == ["held-twice"]


def test_who_has_a_lock_later_has_the_higher_fence() -> None:
    story = told()
    marked(story, ENTER, 120.0, 120.5, run=RUN + 1)
    assert licences.check(story.case()).offences == ()
    marked(story, ENTER, 121.0, 121.5, run=RUN - 1)
    (offence,) = licences.check(story.case()).offences
    assert (offence.kind, offence.run) == ("fence-went-back", RUN - 1)
    assert GUARD in offence.detail


def test_the_job_is_one() -> None:
    body = body_of({"job": JOB}, partial(payload, Path("/evidence")))
    job = parse_job(body)
    divided = [name for name in (EACH, MET, APART, HOSTS) if job.tasks[name].fanout is not None]
    assert divided == [EACH, APART, HOSTS]
    assert set(RESOURCES) == {SEATS, GUARD}
