"""What a restore holds up, as one plan sees it (`passes.restore` says how that ends).

Rules of this file:

1. While agents have time to tell (holding), nothing from before the restore is fired, placed, retried,
   expired, stopped or given up. What is of the new cluster goes its way.
2. The hold ends when its time is over, or when every agent that had work or was connected has told, but not
   before a tenth of its time: agents that the backup does not know may come too.
3. Then (settling) ticks and runs are worked off in slices; a tick that an adopted run proves is fired, which
   the machine turns into that run's entry.
"""

from __future__ import annotations

from dataclasses import dataclass

from scheduler.machine.rules.gates.hold import held_through
from scheduler.store.connection import Store
from scheduler.store.tables import changed_ticks, restores
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.restores import HOLDING, SETTLING, Restore
from scheduler.store.tables.triggers import DueTrigger, Trigger
from scheduler.ticks import Schedule, nominal_ms
from scheduler.words.commands import Account, Command, Fire

PROVEN_MAX = 10_000
CHANGED_MAX = 1_000  #: more than may be changed of one job
_NEVER = -(1 << 62)


@dataclass(frozen=True, slots=True)
class RestoreHold:
    """The restore that is not done yet; `NOTHING` where there is none."""

    restore: Restore | None = None

    @property
    def holding(self) -> bool:
        return self.restore is not None and self.restore.phase == HOLDING

    @property
    def settling(self) -> bool:
        return self.restore is not None and self.restore.phase == SETTLING

    @property
    def taken_ms(self) -> int:
        """Ticks that fire up to here are of before the restore."""
        taken_ms = self.restore.taken_ms if self.restore is not None else None
        return _NEVER if taken_ms is None else taken_ms

    @property
    def runs_through(self) -> int:
        """Runs with ids up to here may not be touched by time now."""
        return self.restore.run_base if self.restore is not None and self.holding else 0

    @property
    def queue_through(self) -> int:
        """Tasks of runs with ids up to here are not placed now."""
        return held_through(self.restore)

    @property
    def attempts_through(self) -> int:
        return self.restore.attempt_base if self.restore is not None and self.holding else 0

    def misses(self, trigger: DueTrigger) -> bool:
        """Whether what is due of this trigger is missed because of the restore."""
        if self.restore is None or self.restore.catchup or trigger.state == "paused":
            return False
        return trigger.next_due_ms + trigger.jitter_ms <= self.taken_ms


NOTHING = RestoreHold()


def hold_of(store: Store) -> RestoreHold:
    restore = restores.current(store)
    if restore is None or restore.phase == restores.DONE or restore.taken_ms is None:
        return NOTHING
    return RestoreHold(restore)


def proven(store: Store, hold: RestoreHold, trigger: DueTrigger | Trigger) -> frozenset[int]:
    """The instants of this trigger's job that adopted runs prove, from its watermark on."""
    if hold.restore is None or trigger.next_due_ms is None:
        return frozenset()
    found = restores.proven(store, trigger.job, trigger.next_due_ms, 1 << 62, PROVEN_MAX)
    return frozenset(run.tick_ms for run in found)


def changed(store: Store, trigger: DueTrigger | Trigger) -> frozenset[int]:
    """The instants of this trigger of which a person said something, from its watermark on."""
    if trigger.next_due_ms is None or not store.value("SELECT changed_ticks FROM state WHERE id = 1"):
        return frozenset()
    key = trigger_rows.key_of(store, trigger.id)
    found = changed_ticks.within(store, trigger.job, key, trigger.next_due_ms - 1, 1 << 62, CHANGED_MAX)
    return frozenset([row.at_ms for row in found])


def by_themselves(store: Store, hold: RestoreHold, trigger: DueTrigger | Trigger) -> frozenset[int]:
    """The instants that are fired each by itself, whatever becomes of those around them."""
    return proven(store, hold, trigger) | changed(store, trigger)


def miss(
    trigger: DueTrigger | Trigger,
    ticks: Schedule,
    instants: list[int],
    ran: frozenset[int],
    epoch: int,
    outcome: str,
    reason: str,
) -> list[Command]:
    """End these instants, in a row from the watermark: as this outcome, but for those that are fired by
    themselves (`ran`)."""
    commands: list[Command] = []
    group: list[int] = []
    following = [*instants[1:], ticks.next(instants[-1])]
    for due_ms, next_ms in zip(instants, following, strict=True):
        if due_ms in ran:
            nominal = nominal_ms(trigger.spec, due_ms)
            commands.append(Fire(epoch, trigger.id, due_ms, next_ms, 0, True, nominal))
            continue
        group.append(due_ms)
        if next_ms is None or next_ms in ran or due_ms == instants[-1]:
            commands.append(
                Account(epoch, trigger.id, group[0], group[-1], len(group), next_ms, outcome, reason)
            )
            group = []
    return commands
