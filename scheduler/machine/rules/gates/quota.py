"""How many runs of a namespace may be active, and how many may begin within a minute. An end, time or another
declaration opens it (the planner's pass `quotas`).

Rules of this file:

1. A run counts from when it goes on to its end, whoever asked for it: one that waits behind others of its job
   counts later, and one that waits here does not yet. What was active when a quota was set stays, and counts
   (of the namespace's newest runs: `steps.quotas`).
2. Who waits goes on in the order of due, priority and waiting count as in the queue of a pool
   (`rules.priority`): nobody starves. Who comes later waits behind them.
3. Starts are counted over each span of a minute, not by the minutes of the clock. A run takes one of them
   from when it goes on, since nobody knows when it begins, to a minute after it has begun; one that ends
   without a start gives it back. So of the instants at which runs started no span of a minute has more,
   whoever led, and however long one waited for an agent.
"""

from __future__ import annotations

from scheduler.machine.rules import priority
from scheduler.machine.rules.gates.verdict import READY, Verdict, Waits, Words
from scheduler.machine.rules.gates.views import AdmitView, Facts
from scheduler.store.tables import namespaces, quotas
from scheduler.words.counted import counted

NAME = "quota"
MINUTE_MS = 60_000
AHEAD_MAX = 1_000  #: of those before it, counted
BEHIND = Waits("other runs of its namespace wait before it")
ACTIVE = Waits("its namespace has as many active runs as it may")
STARTS = Waits("as many runs of its namespace began within a minute as may")


def judge(view: AdmitView) -> Verdict:
    allowance = namespaces.allowance(view.store, view.namespace)
    if allowance is None or not allowance.limits_runs:
        return READY
    if not view.in_turn and quotas.first(view.store, view.namespace) is not None:
        return BEHIND
    if (
        allowance.active_max is not None
        and namespaces.active(view.store, view.namespace) >= allowance.active_max
    ):
        return ACTIVE
    opens_ms = _opens_ms(view, allowance.starts_max)
    return STARTS if opens_ms is not None and opens_ms > view.now_ms else READY


def _opens_ms(view: AdmitView, starts_max: int | None) -> int | None:
    """When the next may begin, by the starts alone; None: at any time; NEVER_MS: no time tells."""
    if starts_max is None:
        return None
    if starts_max == 0:
        return NEVER_MS
    known = namespaces.starts(view.store, view.namespace)
    if known < starts_max:
        return None
    at_ms = quotas.nth_start_ms(view.store, view.namespace, known - starts_max)
    return None if at_ms is None else min(at_ms + MINUTE_MS, NEVER_MS)


def opens_ms(view: AdmitView) -> int | None:
    """When time opens it for the first of those that wait, an instant that has passed: now; None: an event
    does."""
    verdict = judge(view)
    if verdict is READY:
        return view.now_ms
    allowance = namespaces.allowance(view.store, view.namespace)
    found = _opens_ms(view, allowance.starts_max) if allowance is not None and verdict is STARTS else None
    return found if found is not None and found < NEVER_MS else None


NEVER_MS = 1 << 62


def words(verdict: Verdict, view: AdmitView, facts: Facts) -> Words:
    since_ms = facts.run.created_ms if facts.run is not None else None
    allowance = namespaces.allowance(facts.store, view.namespace)
    name = f"namespace {view.namespace}"
    ahead = quotas.before(facts.store, facts.run.id, AHEAD_MAX) if facts.run is not None else 0
    before = f", and {counted(ahead, 'run waits', 'runs wait')} before it" if ahead else ""
    if before and facts.run is not None:
        rank_ms = priority.rank(facts.run.due_ms, facts.run.priority, facts.run.cause)
        before += f"; it has {priority.words(rank_ms, facts.run.priority, facts.now_ms)}"
    first = AdmitView(view.store, view.namespace, view.now_ms, in_turn=True)
    says = judge(first)
    if allowance is None or says is READY:
        return Words(f"{name} lets runs go on one after the other{before}", "its turn, in a moment", since_ms)
    if says is ACTIVE:
        active = namespaces.active(facts.store, view.namespace)
        said = f"{name} has {counted(active, 'active run')}; its quota is {allowance.active_max}{before}"
        return Words(said, f"the end of a run of {name}, or a higher quota", since_ms)
    began = counted(allowance.starts_max or 0, f"run of {name}", f"runs of {name}")
    about = "is" if allowance.starts_max == 1 else "are"
    said = f"{began} began within a minute or {about} about to, its quota{before}"
    at_ms = opens_ms(first)
    if at_ms is None:
        opens = "the start of one of these and a minute, or its end, or a higher quota"
    else:
        opens = "time, a minute after the oldest of those starts"
    return Words(said, opens, since_ms, None if ahead else at_ms)
