"""Why a tick ended as it did, in a word: what the planner says and the machine writes into the ledger."""

WINDOW = "window"  #: missed: older than the job's catch-up window, or caught up by none
BUFFER_FULL = "buffer_full"  #: missed: more than may wait
RESTORED = "restored"  #: missed: nobody told of it after a restore
OVERLAP = "overlap"  #: skipped: another run of the job was in the way
FAILURES = "failures"  #: of a job: paused, since its runs failed so often in a row
PAUSED = "paused"  #: skipped: the job was paused
CANCELLED = "cancelled"  #: skipped: the job was deleted
