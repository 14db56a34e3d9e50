"""The user that it runs as, withdrawn by its namespace after the job was put. Another declaration of the
namespace opens it (the planner's next plan)."""

from __future__ import annotations

from scheduler.machine.rules import selectors
from scheduler.machine.rules.gates.verdict import READY, Verdict, Waits, Words
from scheduler.machine.rules.gates.views import Facts, PlaceView
from scheduler.store.tables import namespaces

NAME = "user"
WAITS = Waits("its namespace does not let it run as its user any more")


def judge(view: PlaceView) -> Verdict:
    return READY if view.allowed else WAITS


def words(verdict: Verdict, view: PlaceView, facts: Facts) -> Words:
    since_ms = facts.task.queued_ms if facts.task is not None else None
    wanted = selectors.parse(facts.selector)
    allowance = namespaces.allowance(facts.store, facts.namespace)
    allowed = ", ".join(allowance.allowed_users[:5]) if allowance is not None else "any"
    said = f"it runs as {wanted.user}, and tasks of namespace {facts.namespace} may only run as {allowed}"
    return Words(said, "the user in the namespace's run_as, or a run of a job that names another", since_ms)
