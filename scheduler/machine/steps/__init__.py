"""What commands have in common: each file one step, which writes, and knows only those below it.

The promise: no step knows a command's function, and no two steps know each other; pyproject.toml holds the
order.

Reading order, as a tick's life goes: `arriving` (what an event meets first), `firing` and `starting` (a run
is made), `beginning` (it begins, and its tasks do), `queue` and `placing` (they find agents), `ends` (what
the end of an attempt comes to), `acting` (and that of work in the state), `telling` (dependents),
`concluding` (what it does finally), `closing` (the run ends), `admitting` (the next one goes on), `decisions`
(the ledger). Beside it `putting` and `editing` (jobs are put or deleted), `editing_objects` (what they refer
to), `staging` (very many of both), `clock` (a run's timeout), `stopping`, `walking` (very many tasks, in
pages), `eras` (of triggers), `registry` (of agents), `restoring` and `reconstruct` (after a restore).
"""
