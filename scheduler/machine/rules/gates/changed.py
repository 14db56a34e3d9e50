"""One tick of which a person has said that it is held, skipped, or due at another instant. What he says next
opens it (`changed_ticks.change_tick`), and so does that instant (the planner's pass `changed`)."""

from __future__ import annotations

from scheduler.machine.rules.gates.verdict import READY, Never, Verdict, Waits, Words
from scheduler.machine.rules.gates.views import Facts, TickView
from scheduler.store.tables.changed_ticks import HELD, MOVED, SKIPPED, ChangedTick
from scheduler.words import reasons

NAME = "person"
NEVER = Never("skipped", reasons.BY_PERSON)
WAITS = {HELD: Waits("a person holds it"), MOVED: Waits("a person moved it")}


def judge(view: TickView) -> Verdict:
    row = view.changed
    if row is None:
        return READY
    return NEVER if row.act == SKIPPED else WAITS.get(row.act, READY)


def words(verdict: Verdict, view: TickView, _: Facts) -> Words:
    assert view.changed is not None
    return words_of(view.changed)


def words_of(row: ChangedTick) -> Words:
    by = f" by {row.actor}" if row.actor else ""
    why = f": {row.reason}" if row.reason else ""
    if row.act == HELD:
        return Words(f"it is held{by}{why}", "a release of the tick", row.since_ms, row.fire_ms)
    if row.act == MOVED:
        return Words(f"it was moved{by}{why}", "its new instant", row.since_ms, row.move_ms)
    return Words(f"it is to be skipped{by}{why}", "a release of the tick", row.since_ms)
