"""How many triggers may wait for one hook, which take a delivery in one step, all or none; and for notices of
one board, which are told of one in one step."""

from __future__ import annotations

from collections.abc import Sequence

from scheduler.store.connection import Store
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import triggers as trigger_rows
from scheduler.ticks import event_of
from scheduler.words import causes
from scheduler.words.commands import PreparedJob
from scheduler.words.outcomes import Code, Outcome

TRIGGERS_MAX = 20
HEARERS_MAX = 100
FEWER = "Have further jobs wait for one of these (`after`)."


def judge(store: Store, jobs: Sequence[PreparedJob]) -> Outcome | None:
    """The refusal of these jobs together; None: no hook would have too many."""
    asked: dict[str, list[PreparedJob]] = {}
    for new in jobs:
        for trigger in new.triggers:
            if trigger.first_due_ms is None and _most(event := event_of(trigger.spec)):
                asked.setdefault(event, []).append(new)
    for event, news in asked.items():
        put = {job.id for new in news if (job := job_rows.find(store, new.namespace, new.name)) is not None}
        live = trigger_rows.awaiting(store, event, 2 * (most := _most(event)))
        others = [row for each in live if (row := trigger_rows.firing(store, each)) and row.job not in put]
        if len(others) + len(news) > most:
            kind, _, what = event.partition("/")
            said = f"{len(others) + len(news)} triggers would wait for {kind} {what}, {most} may"
            told: dict[str, object] = {"namespace": news[-1].namespace, "name": news[-1].name}
            return Outcome(Code.INVALID, said, told | {"pointer": "/triggers", "hint": FEWER})
    return None


def _most(event: str) -> int:
    """0: as many as there are."""
    return TRIGGERS_MAX if causes.is_hooked(event) else HEARERS_MAX if causes.is_noticed(event) else 0
