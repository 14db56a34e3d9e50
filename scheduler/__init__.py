"""The domain of Cronclave: what a job means. Pure: no clock, randomness, network, threads or logging.

The promise: the same state and the same command give the same rows, outcome and events on every node.
Instants, ids of processes and random values come in with the command; ids of rows are counted in the state.

Reading order, from the floor up (pyproject.toml holds it): `words` (what the log says: commands, events,
outcomes, states, and their bytes), `ticks` and `model` (the job's instants and its schema), `store` (the
SQLite schema and its queries), `machine` (apply), `plan` (what the leader proposes); `verify` (was every due
tick decided once?) and `backup` read the store alone. `protocol` holds the messages of agents.
"""
