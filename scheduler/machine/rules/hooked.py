"""How many triggers may wait for one hook, which take a delivery in one step, all or none; and for notices of
one board, which are told of one in one step."""

from __future__ import annotations

from collections.abc import Sequence

from scheduler.model.all_of import boards_of
from scheduler.store.connection import Store
from scheduler.store.tables import hearers
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
            event = event_of(trigger.spec) if trigger.first_due_ms is None else ""
            if not event:
                continue
            boards = [causes.noticed(*board.split("/")) for board in boards_of(event, trigger.spec)]
            for each in (event,) if causes.is_hooked(event) else boards:
                asked.setdefault(each, []).append(new)
    for event, news in asked.items():
        put = [job.id for new in news if (job := job_rows.find(store, new.namespace, new.name)) is not None]
        most = TRIGGERS_MAX if causes.is_hooked(event) else HEARERS_MAX
        count = len(news) + _others(store, event, put, 2 * most)
        if count > most:
            kind, _, what = event.partition("/")
            said = f"{count} triggers would wait for {kind} {what}, {most} may"
            told: dict[str, object] = {"namespace": news[-1].namespace, "name": news[-1].name}
            return Outcome(Code.INVALID, said, told | {"pointer": "/triggers", "hint": FEWER})
    return None


def _others(store: Store, event: str, put: Sequence[int], limit: int) -> int:
    """Live triggers that wait for it, of jobs other than these."""
    if causes.is_noticed(event):
        return hearers.count(store, event.partition("/")[2], limit, but=put)
    live = (trigger_rows.firing(store, each) for each in trigger_rows.awaiting(store, event, limit))
    return sum(row is not None and row.job not in put for row in live)
