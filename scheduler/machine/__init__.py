"""Apply commands to the state: the only code that changes it.

The promise: `apply` is a function of the stored state, the command and the stamp. It never raises for a
logical reason (a refusal is an `Outcome`), costs a bounded number of rows, and reports what happened as
events. An sqlite3 error goes up and stops the node.

Reading order: `entry` (one log entry, one transaction: `Machine`), `dispatch` (which function applies which
command), `context` (what these functions are given), then the nouns in the order of a tick's life: `jobs`,
`ticks`, `runs`, `attempts`, `tasks` (`needs`: when one may start; `slices` and `walks`: work over very many
of them, bounded); beside them `agents`, `leadership`, `tokens`, `upkeep`. `renewal` (a backup becomes a new
cluster's first state), `orphans` and `reconciliation` follow a restore. `graphs` and `selectors` hold what is
derived from a job's revision; `shape` checks the types of what came over the wire.
"""

from scheduler.formats import NewerFormatError
from scheduler.machine.entry import AppliedEntry, Machine

__all__ = ["AppliedEntry", "Machine", "NewerFormatError"]
