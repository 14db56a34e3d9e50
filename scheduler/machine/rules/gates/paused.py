"""A tick of a paused job: skipped, however old it is."""

from __future__ import annotations

from scheduler.machine.rules.gates.verdict import READY, Never, Verdict, Words
from scheduler.machine.rules.gates.views import Facts, TickView
from scheduler.store.tables import job_pauses
from scheduler.store.tables import jobs as job_rows
from scheduler.words import reasons

NAME = "pause"


def judge(view: TickView) -> Verdict:
    return Never("skipped", reasons.PAUSED) if view.trigger.state == "paused" else READY


def words(verdict: Verdict, view: TickView, facts: Facts) -> Words:
    job = job_rows.get(facts.store, view.trigger.job)
    why = job.pause_reason if job is not None else ""
    said = "the job is paused after failures" if why == reasons.FAILURES else f"the job is {why or 'paused'}"
    until_ms = job_pauses.until_ms(facts.store, view.trigger.job)
    return Words(said, "a resume of the job", opens_ms=until_ms)
