"""What a restore holds up: runs of before it, until the agents had time to tell what of them ran."""

from __future__ import annotations

from scheduler.machine.rules.gates.verdict import READY, Verdict, Waits, Words
from scheduler.machine.rules.gates.views import Facts, PlaceView
from scheduler.store.tables import restores
from scheduler.store.tables.restores import DONE, SETTLING, Restore
from scheduler.words.counted import counted

NAME = "restore"
WAITS = Waits("a restore holds it up")


def judge(view: PlaceView) -> Verdict:
    return READY if view.run > view.held_through else WAITS


def held_through(restore: Restore | None) -> int:
    """Tasks of runs with ids up to here are not placed now."""
    if restore is None or restore.phase == DONE or (restore.phase == SETTLING and restore.catchup):
        return 0
    return restore.run_base


def words(verdict: Verdict, view: PlaceView, facts: Facts) -> Words:
    restore = facts.restore
    if restore is None:
        return Words(WAITS.reason)
    if restore.phase == SETTLING:
        return Words("what nobody told of after the restore is being given up", since_ms=restore.taken_ms)
    awaited = counted(restores.awaited(facts.store), "agent")
    return Words(
        f"the state was restored, and {awaited} may yet tell that it ran",
        "the word of every agent, or the end of the hold", restore.taken_ms, restore.until_ms,
    )  # fmt: skip
