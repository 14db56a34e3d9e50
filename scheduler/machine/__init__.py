"""Apply commands to the state: the only code that changes it.

The promise: `apply` is a function of the stored state, the command and the stamp. It never raises for a
logical reason (a refusal is an `Outcome`), costs a bounded number of rows, and reports what happened as
events. An sqlite3 error goes up and stops the node.

Three storeys, and nothing below knows what stands above it (pyproject.toml): `rules` judge and write nothing;
`steps` are what commands have in common; the nouns hold one function a command, and none knows another noun.

Reading order: `entry` (one log entry, one transaction: `Machine`), `dispatch` (which function applies which
command), `context` (what these functions are given), then the nouns in the order of a tick's life: `jobs`,
`ticks`, `runs`, `attempts`, `tasks`, each with the `steps` and `rules` that it takes; beside them `agents`,
`leadership`, `tokens`, `sessions`, `activation`, `upkeep`; of a staged apply `stages` and `switching`.
`renewal` (a backup becomes a new cluster's first state), `adopted` and `restores` follow a restore.
"""

from scheduler.formats import NewerFormatError
from scheduler.machine.entry import AppliedEntry, Machine

__all__ = ["AppliedEntry", "Machine", "NewerFormatError"]
