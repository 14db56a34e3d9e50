"""What is kept of compiled jobs: bounded by number and weight, those asked for last, each compiled once."""

from __future__ import annotations

from scheduler.model import canonical, parse_job
from scheduler.model.by_revision import ByRevision, CompiledJobs


def spec(name: str, tasks: int = 1) -> bytes:
    job = {"job": name, "tasks": {f"t{number}": {"noop": True} for number in range(tasks)}}
    return canonical(parse_job(job))


class Reads:
    """Revisions as they are stored; `asked`: those that were read."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def of(self, job: int, tasks: int = 1) -> bytes:
        self.asked.append(job)
        return spec(f"job-{job}", tasks)


def test_what_was_asked_for_longest_ago_goes_first() -> None:
    kept: ByRevision[str] = ByRevision(len, limit=2)
    kept.keep(1, 1, "a")
    kept.keep(2, 1, "b")
    assert kept.peek(1, 1) == "a"
    kept.keep(3, 1, "c")
    assert [kept.peek(job, 1) for job in (1, 2, 3)] == ["a", None, "c"]


def test_weights_are_added_up_and_the_newest_stays_whatever_it_weighs() -> None:
    kept: ByRevision[str] = ByRevision(len, weight_max=5)
    for job, text in enumerate(["aa", "bb", "cc"], 1):
        kept.keep(job, 1, text)
    assert [kept.peek(job, 1) for job in (1, 2, 3)] == [None, "bb", "cc"]
    kept.keep(4, 1, "x" * 9)
    assert len(kept) == 1
    kept.keep(5, 1, "y")
    assert (len(kept), kept.peek(5, 1)) == (1, "y")


def test_a_revision_is_compiled_once_and_another_anew() -> None:
    jobs, reads = CompiledJobs(), Reads()
    first = jobs.get(7, 1, lambda: reads.of(7))
    assert jobs.get(7, 1, lambda: reads.of(7)) is first
    assert jobs.peek(7, 1) is first
    assert jobs.peek(7, 2) is None
    jobs.get(7, 2, lambda: reads.of(7))
    assert reads.asked == [7, 7]


def test_outlines_stay_when_their_jobs_have_to_go() -> None:
    jobs, reads = CompiledJobs(weight_max=15), Reads()
    for job in (1, 2, 3):
        jobs.outline(job, 1, lambda job=job: reads.of(job, tasks=10))
    assert [jobs.peek(job, 1) is not None for job in (1, 2, 3)] == [False, False, True]
    assert all(jobs.has_outline(job, 1) for job in (1, 2, 3))
    assert jobs.outline(1, 1, lambda: reads.of(1)).tasks == ()
    assert reads.asked == [1, 2, 3]
