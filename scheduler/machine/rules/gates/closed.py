"""A plan date of a namespace that a person has closed: what would fire for it is skipped. Opening it lets
fire what is yet to come, and makes up for nothing.

What is made of a plan date already goes on, and so do reruns. What a person asks for on a closed date is
refused, unless he says so (`runs.run_job`)."""

from __future__ import annotations

from scheduler.machine.rules.gates.verdict import READY, Never, Verdict, Words
from scheduler.machine.rules.gates.views import Facts, FireView
from scheduler.store.tables import closed_dates
from scheduler.ticks import plan_days
from scheduler.words import reasons

NAME = "plan_closed"
NEVER = Never("skipped", reasons.PLAN_CLOSED)


def judge(view: FireView) -> Verdict:
    return NEVER if view.closed_day is not None else READY


def words(verdict: Verdict, view: FireView, facts: Facts) -> Words:
    assert view.closed_day is not None
    row = closed_dates.get(facts.store, facts.namespace, view.closed_day)
    said = f"plan date {plan_days.text_of(view.closed_day)} is closed"
    if row is None:
        return Words(said)
    by = f" by {row.actor}" if row.actor else ""
    return Words(f"{said}{by}: {row.reason}", "somebody who opens it (plan open)", row.at_ms)
