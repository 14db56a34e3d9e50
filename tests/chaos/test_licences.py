"""A lock that is held twice is seen in what payloads wrote, and in nothing else."""

from __future__ import annotations

import pytest

from chaos import approvals
from chaos.approvals import ASK, DESK, FIRST, NO, YES
from chaos.case import Mark
from chaos.checkers import licences
from chaos.licences import EXCLUSIVE, LICENCES, LICENSED
from chaos.many import GUARD, SEATS
from tests.chaos.stories import Story, clean


def work(story: Story, job: str, run: int, from_s: float, *ends_s: float) -> None:
    lines = [("S", from_s), *(("E", at_s) for at_s in ends_s)]
    fence = round(from_s * 100)
    story.marks += [Mark(what, job, run, str(run), fence, None, "agent-1", at_s) for what, at_s in lines]


def told() -> Story:
    story = clean()
    for number in range(2 * LICENCES):
        at_s = 100.0 + number // LICENCES * 2
        work(story, LICENSED, 900 + number, at_s, at_s + 2)
    work(story, EXCLUSIVE, 950, 100.0, 101.0)
    work(story, EXCLUSIVE, 951, 101.0, 102.0)
    work(story, EXCLUSIVE, 952, 102.5)
    work(story, EXCLUSIVE, 953, 104.0, 105.0)
    return story


def test_as_many_as_may_pass() -> None:
    found = licences.check(told().case())
    assert (found.verdict, found.offences) == ("pass", ())
    assert found.counts == {LICENSED: 2 * LICENCES, EXCLUSIVE: 4, SEATS: 0, GUARD: 0, DESK: 0}


@pytest.mark.parametrize(("job", "from_s"), [(LICENSED, 101.0), (EXCLUSIVE, 100.5), (EXCLUSIVE, 104.5)])
def test_one_more_at_once_is_an_offence(job: str, from_s: float) -> None:
    story = told()
    work(story, job, 990, from_s, from_s + 0.4)
    (offence,) = licences.check(story.case()).offences
    assert (offence.kind, offence.job) == ("held-twice", job)


def test_a_run_holds_its_lock_between_its_tasks() -> None:
    story = told()
    work(story, EXCLUSIVE, 960, 110.0, 111.0)
    work(story, EXCLUSIVE, 961, 112.0, 113.0)
    work(story, EXCLUSIVE, 960, 114.0, 115.0)
    assert [each.run for each in licences.check(story.case()).offences] == [961]


def at_the_desk(story: Story, run: int, *tasks: tuple[str, float]) -> None:
    for task, at_s in tasks:
        fence = round(at_s * 100)
        for what, s in (("S", at_s), ("E", at_s + 0.1)):
            story.marks.append(
                Mark(what, approvals.JOB, run, str(run), fence, None, "agent-1", s, "", "-", task)
            )


def test_a_block_holds_its_lock_while_a_person_is_asked() -> None:
    story = told()
    at_the_desk(story, 970, (FIRST, 110.0), (YES, 114.0))
    at_the_desk(story, 971, (FIRST, 115.0), (NO, 121.0))
    assert licences.check(story.case()).counts[DESK] == 2
    assert licences.check(story.case()).offences == ()
    at_the_desk(story, 972, (FIRST, 118.0))  # 971 is asked
    (offence,) = licences.check(story.case()).offences
    assert (offence.kind, offence.job, offence.run) == ("held-twice", approvals.JOB, 972)
    assert ASK not in {mark.task for mark in story.marks}, "nobody works there"
