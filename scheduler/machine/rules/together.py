"""What has to hold of jobs that are put together, whoever puts them: a person, a source, or a template that
they follow.

Dry runs, edits of templates and the machine judge by the same function, which writes nothing. What they refer
to is judged apart (`references`): objects that are put beside them count there."""

from __future__ import annotations

from collections.abc import Sequence

from scheduler.machine.rules import allowances, cycles, hooked, nesting, secret_uses, tick_limits
from scheduler.machine.rules.shared_asks import Change
from scheduler.machine.rules.tick_limits import Known
from scheduler.store.connection import Store
from scheduler.store.tables.jobs import Job
from scheduler.words.commands import PreparedJob
from scheduler.words.outcomes import Outcome


def judge(
    store: Store, jobs: Sequence[tuple[PreparedJob, bool]], gone: Sequence[Job] = (),
    shared: Sequence[Change] = (), known_as: Known | None = None,
) -> Outcome | None:  # fmt: skip
    """The refusal of these jobs, each with whether it is new; None: they may be. `gone`: those that are
    deleted in the same act; `shared`: what schedules ask for more by it."""
    asking = [new for new, _ in jobs]
    refusal = allowances.judge(store, jobs, gone) or tick_limits.judge(store, asking, known_as, gone, shared)
    refusal = refusal or secret_uses.judge(store, asking) or cycles.judge(store, asking)
    return refusal or nesting.judge(store, asking) or hooked.judge(store, asking)
