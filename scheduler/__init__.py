"""The domain of Cronclave: what a job means. Pure: no clock, randomness, network, threads or logging.

The promise: the same state and the same command give the same rows, outcome and events on every node.
Instants, ids of processes and random values come in with the command; ids of rows are counted in the state.

Reading order: `commands` (what may happen), `events` (what is reported), `lifecycle` (the legal
transitions), `store` (the SQLite schema and its queries), `machine` (apply), `plan` (what the leader
proposes), `verify` (was every due tick decided once?). `model` and `ticks` hold the job's schema and its
instants; `codec` and `protocol` hold bytes.
"""
