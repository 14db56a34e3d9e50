"""Why a tick ended as it did, or a job is paused: what planner, machine and API say alike."""

WINDOW = "window"  #: missed: older than the job's catch-up window, or caught up by none
BUFFER_FULL = "buffer_full"  #: missed: more than may wait
RESTORED = "restored"  #: missed: nobody told of it after a restore
OVERLOAD = "overload"  #: coalesced, missed: more was due than could be started
OVERLAP = "overlap"  #: skipped: another run of the job was in the way
FAILURES = "failures"  #: of a job: paused, since its runs failed so often in a row
PAUSED = "paused"  #: skipped: the job was paused
CANCELLED = "cancelled"  #: skipped: the job was deleted
BLACKOUT = "blackout"  #: skipped: its job's blackout
BY_PERSON = "by_person"  #: skipped: somebody said so of this one tick
PLAN_CLOSED = "plan_closed"  #: skipped: its plan date was closed
REQUIRES = "requires"  #: skipped, missed: what its run requires did not come in time
ADMISSION = "admission"  #: skipped: outside of its job's windows; of a run that was stopped when they ended
PARAMS = "params"  #: missed: a date among its run's parameters cannot be counted
DEADLINE = "deadline"  #: missed: its run did not start within start_deadline
LOST = "lost_before_start"  #: missed: its run ended before any start of it was proved

ENDINGS: dict[str, tuple[str, ...]] = {
    "ran": ("",),
    "skipped": (
        OVERLAP, PAUSED, CANCELLED, REQUIRES, BY_PERSON, PLAN_CLOSED, BLACKOUT, ADMISSION,
    ),
    "coalesced": ("", OVERLOAD, OVERLAP),
    "missed": (WINDOW, OVERLOAD, BUFFER_FULL, RESTORED, REQUIRES, PARAMS, DEADLINE, LOST),
}  # fmt: skip
"""What the ledger may say: each outcome with its reasons. Each has its explanation (`explain.endings`)."""


def paused_by(actor: str, why: str = "", until: str = "") -> str:
    """Of a job that a person paused. `until`: an instant, as people read it."""
    said = f"paused by {actor}" if actor else "paused"
    said += f" until {until}" if until else ""
    return f"{said}: {why}" if why else said
