"""Dates among the parameters of its run cannot be counted: the calendar does not know the days, or there is
none. Nothing is guessed, so there is no run, and whoever cares is told that it was missed.

What a person or another run asks for is refused for the same (`steps.firing`)."""

from __future__ import annotations

from scheduler.machine.rules.gates.verdict import READY, Never, Verdict, Words
from scheduler.machine.rules.gates.views import Facts, FireView
from scheduler.words import reasons

NAME = "params"
NEVER = Never("missed", reasons.PARAMS)


def judge(view: FireView) -> Verdict:
    return NEVER if view.undated else READY


def words(verdict: Verdict, view: FireView, facts: Facts) -> Words:
    return Words(view.undated, "a calendar that knows these days, or other parameters")
